"""Begin a store with the settings and contracts of another one, to rebuild that one in it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from takings import layout
from takings.adapters.platform import SETTINGS_FILE, Platform
from takings.adapters.settings_sources import merged_settings
from takings.composition.buckets import S3
from takings.composition.stores import Shop, find_store, open_store
from takings.errors import UsageError
from takings.ports import ObjectStore, Tell

#: what a store in a bucket writes
_STORED: Final = (
    layout.RAW,
    layout.BATCHES,
    *layout.ARCHIVES,
    "lake/",
    "staging/",
    "quarantine/",
    "validation-reports/",
)


@contextmanager
def open_empty_store(
    target: str | Path, source: str | Path, tell: Tell, options: Mapping[str, Any]
) -> Iterator[tuple[Shop, ObjectStore]]:
    """Open a new store with another store's settings and contracts, and open that other store to read from.

    The new store is a folder that is empty or missing, or a bucket whose tables exist and that holds no store yet: its own
    settings hold. UnknownThing where the source is not a store, UsageError where the target has one already.
    """
    with find_store(source) as platform:
        if str(target).startswith(S3):
            with find_store(target) as bucket:
                _begin_in_bucket(bucket, str(target).removesuffix("/"), platform)
        else:
            _begin_in_folder(Path(target), platform)
        with open_store(target, tell, options) as shop:
            _check_tables_empty(shop, target)
            yield shop, platform.files()


def _begin_in_folder(root: Path, source: Platform) -> None:
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise UsageError(f"{root} is not empty. Name a new folder: rebuilding never mixes with existing files.")
    (root / layout.RAW).mkdir(parents=True)
    content = source.files().read(SETTINGS_FILE)
    own = _own_contracts(source)
    if own is not None:
        # They are named within the store, so the new store has to have them as well.
        place = own.resolve().relative_to(source.root.resolve())
        shutil.copytree(own, root / place)
        content = _naming(content, str(place), if_named=S3)
    if content is not None:
        (root / SETTINGS_FILE).write_bytes(content)


def _begin_in_bucket(bucket: Platform, name: str, source: Platform) -> None:
    """Write settings and contracts into a bucket, unless it has its own."""
    files = bucket.files()
    full = next((info.key for folder in _STORED for info in files.list(folder)), None)
    if full is not None:
        raise UsageError(
            f"{name} holds {full}. Name a new bucket, made by `takings aws bootstrap {name}`: rebuilding never mixes with"
            " existing files."
        )
    content = source.files().read(SETTINGS_FILE)
    own = _own_contracts(source)
    if own is not None:
        place = f"{name}/contracts"
        for file in sorted(each for each in own.rglob("*") if each.is_file()):
            files.create(f"contracts/{file.relative_to(own).as_posix()}", file.read_bytes())
        content = _naming(content, place)
    if content is not None:
        files.create(SETTINGS_FILE, content)


def _naming(settings: bytes | None, contracts: str, if_named: str = "") -> bytes | None:
    """Return settings that name contracts at another place, if they name some that begin so."""
    found = rb"(?m)^([ \t]*contracts[ \t]*=[ \t]*)(['\"])" + re.escape(if_named.encode()) + rb"[^'\"\n]*\2"
    line = b'\\1"' + contracts.replace("\\", "/").encode() + b'"'
    return None if settings is None else re.sub(found, line, settings)


def _own_contracts(source: Platform) -> Path | None:
    """Return the folder of a store's contracts if they lie within the store."""
    own = source.contracts(merged_settings(source, {}))
    return own if own is not None and own.resolve().is_relative_to(source.root.resolve()) else None


def _check_tables_empty(shop: Shop, target: str | Path) -> None:
    """Raise UsageError where the tables of a bucket have another store's records: they would stay among the new ones."""
    ports = shop.ports
    has_rows = any(True for table in ports.kpi_tables for _ in ports.kpis.rows(table))
    if has_rows or ports.ledger.lineage() or ports.ledger.gate().generation:
        raise UsageError(
            f"the tables of {target} are not empty. Give the new bucket tables of its own (`table_prefix` in its takings.toml),"
            " and create them: takings aws bootstrap."
        )
