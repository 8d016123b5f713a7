"""Have the batches of an opened store told to a catalogue of lineage, if the settings name one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from takings.composition.buckets import S3
from takings.errors import SettingsError
from takings.ports import Ports
from takings.settings import Settings


@contextmanager
def lineage_told(ports: Ports, settings: Settings, store: str | None) -> Iterator[Ports]:
    """Lend ports that also emit OpenLineage events; `store` is its name, and None where only its own people look.

    SettingsError where the client is not installed.
    """
    if settings.openlineage is None or store is None:
        yield ports
        return
    try:
        from takings.adapters.openlineage_emitter import emitting
        from takings.adapters.openlineage_events import Described
    except ModuleNotFoundError as missing:
        raise SettingsError(
            f"openlineage needs the package {missing.name}. Install it: pip install 'takings[openlineage]'."
        ) from missing
    is_bucket = store.startswith(S3)
    described = Described(
        store=ports.store,
        contracts=ports.contracts,
        kpi_tables=ports.kpi_tables,
        namespace=store.rstrip("/") if is_bucket else "file",
        prefix="" if is_bucket else f"{Path(store).resolve().as_posix()}/",
        package_version=ports.package_version,
    )
    with emitting(described, ports.tell, settings.openlineage, settings.openlineage_key) as tell:
        yield replace(ports, tell=tell)
