"""Keep the store format's version and the business time zone with the lake; recognise a store that is damaged."""

from __future__ import annotations

from takings import layout
from takings.batch.commits import newest_commit
from takings.documents import LAKE_FORMAT, read_document
from takings.errors import CorruptState, SettingsError
from takings.intake.manifest import to_json
from takings.ports import Ledger, ObjectStore, Ports


def check_format(store: ObjectStore, time_zone: str) -> None:
    """Raise SettingsError where the store is of another format or time zone; a new store is of none yet."""
    kept = read_document(store, layout.LAKE_FORMAT, LAKE_FORMAT)
    if kept is None:
        return
    version, kept_zone = kept["format"], kept["time_zone"]
    if version != layout.STORE_FORMAT:
        raise SettingsError(
            f"{layout.LAKE_FORMAT}: the store has format {version}, this is for format {layout.STORE_FORMAT}."
            " Use the version of Takings that wrote the store."
        )
    if kept_zone != time_zone:
        raise SettingsError(
            f"time_zone = '{time_zone}': the store's days are cut in '{kept_zone}'. Set time_zone = '{kept_zone}' again;"
            " or `takings rebuild` the store into a new folder, which cuts its days anew."
        )


def check_ledger(store: ObjectStore, ledger: Ledger) -> None:
    """Raise CorruptState where ledger and lake cannot belong together: one of them was lost, or is from a back-up."""
    gate = ledger.gate()
    if gate.generation == 0 and any(True for _ in store.list(layout.COMMITS)):
        raise CorruptState(
            "the lake has commits, but the ledger knows of none: it was lost. Nothing was changed. Restore it from a back-up"
            " (a folder's is .takings/takings.db, a bucket's are the DynamoDB tables named by its prefix), or make ledger and"
            " KPIs again from the archive: `takings rebuild STORE DIR`."
        )
    if gate.last_commit and store.read(layout.commit(gate.last_commit)) is None:
        raise CorruptState(
            f"{layout.commit(gate.last_commit)} is missing, but the ledger knows of it: the lake was lost, or is older."
            " Nothing was changed. Restore lake/ from a back-up, or make it again from the archive:"
            " `takings rebuild STORE DIR`."
        )


def check_lake(ports: Ports) -> None:
    """Raise CorruptState where something of the lake was lost or damaged, before anything is written to it."""
    last = newest_commit(ports.store, ports.ledger.gate().last_commit)
    ports.tables.check(last.versions if last else {})


def fix_format(store: ObjectStore, time_zone: str) -> None:
    """Write lake/format.json with a store's first batch; another instance may have been first, with another zone."""
    store.create(layout.LAKE_FORMAT, to_json({"format": layout.STORE_FORMAT, "time_zone": time_zone}))
    check_format(store, time_zone)
