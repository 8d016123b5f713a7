"""Keep with the lake what its rows were merged by: the store format's version, the business time zone, the order of versions.

Also recognise a store that is damaged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from takings import layout
from takings.batch.commits import newest_commit
from takings.contracts.model import Contracts, Dataset
from takings.documents import LAKE_FORMAT, need_document, read_document
from takings.errors import CorruptState, SettingsError
from takings.intake.manifest import to_json
from takings.ports import Ledger, ObjectStore, Ports

#: what a contract may say about which rows count, under the name that it has there
OPTIONS: Final = ("takingsVersion", "takingsReplaces")


def check_format(store: ObjectStore, time_zone: str) -> None:
    """Raise SettingsError if the store is of another format or time zone; a new store is of none yet."""
    kept = read_document(store, layout.LAKE_FORMAT, LAKE_FORMAT)
    if kept is not None:
        _check_format(kept, time_zone)


def _check_format(kept: Mapping[str, Any], time_zone: str) -> None:
    version, kept_zone = kept["format"], kept["time_zone"]
    if version != layout.STORE_FORMAT:
        raise SettingsError(
            f"{layout.LAKE_FORMAT}: the store has format {version}; this version of Takings reads format {layout.STORE_FORMAT}."
            " Use the version of Takings that wrote the store."
        )
    if kept_zone != time_zone:
        raise SettingsError(
            f"time_zone = '{time_zone}': the store's days are those of '{kept_zone}'. Set time_zone = '{kept_zone}' again;"
            " or `takings rebuild` the store into a new folder, with days of the new time zone."
        )


def check_order_of_versions(store: ObjectStore, contracts: Contracts) -> None:
    """Raise SettingsError if the contracts let other rows count than the store's rows were merged by.

    Only who merges asks: to look at a store, or to publish its rows again, needs no contracts that are given with each command.
    """
    kept = read_document(store, layout.LAKE_FORMAT, LAKE_FORMAT)
    if kept is not None:
        _check_options(kept, contracts)


def _check_options(kept: Mapping[str, Any], contracts: Contracts) -> None:
    present = order_of_versions(contracts)
    for option in OPTIONS:
        _check_option(option, kept.get(option, {}), present.get(option, {}))


def _check_option(option: str, kept: Mapping[str, str], present: Mapping[str, str]) -> None:
    for dataset in Dataset:
        before, now = kept.get(dataset), present.get(dataset)
        if before != now:
            is_said = "is not in the contract" if now is None else f"is '{now}' in the contract"
            merged = f"with {option} '{before}'" if before else f"without {option}"
            raise SettingsError(
                f"{option} of {dataset} {is_said}, but the store's rows were merged {merged}. Change the contract back; or"
                " `takings rebuild` the store into a new folder, which merges every row again."
            )


def order_of_versions(contracts: Contracts) -> dict[str, dict[str, str]]:
    """Return what decides which rows count besides the arrivals' versions, by option and dataset; only what is used."""
    found: dict[str, dict[str, str]] = {option: {} for option in OPTIONS}
    for dataset, contract in contracts.by_dataset.items():
        for option, column in zip(OPTIONS, (contract.version_column, contract.replaces), strict=True):
            if column is not None:
                found[option][dataset.value] = column
    return {option: datasets for option, datasets in found.items() if datasets}


def check_ledger(store: ObjectStore, ledger: Ledger) -> None:
    """Raise CorruptState if ledger and lake do not belong together: one was lost, or comes from a back-up."""
    gate = ledger.gate()
    if gate.generation == 0 and any(True for _ in store.list(layout.COMMITS)):
        raise CorruptState(
            "the lake has commits, but the ledger has none: it was lost. Nothing was changed. Restore it from a back-up"
            " (a folder's is .takings/takings.db, a bucket's are the DynamoDB tables named by its prefix), or rebuild ledger"
            " and KPIs from the archive: `takings rebuild STORE DIR`."
        )
    if gate.last_commit and store.read(layout.commit(gate.last_commit)) is None:
        raise CorruptState(
            f"{layout.commit(gate.last_commit)} is missing, but the ledger has it: the lake was lost, or is older."
            " Nothing was changed. Restore lake/ from a back-up, or rebuild it from the archive:"
            " `takings rebuild STORE DIR`."
        )


def check_lake(ports: Ports) -> None:
    """Raise CorruptState if a part of the lake is lost or damaged, before anything is written to it."""
    last = newest_commit(ports.store, ports.ledger.gate().last_commit)
    ports.tables.check(last.versions if last else {})


def fix_format(store: ObjectStore, time_zone: str, contracts: Contracts) -> None:
    """Write lake/format.json with a store's first batch; another instance may have been first, with other settings."""
    document = {"format": layout.STORE_FORMAT, "time_zone": time_zone, **order_of_versions(contracts)}
    store.create(layout.LAKE_FORMAT, to_json(document))
    kept = need_document(store, layout.LAKE_FORMAT, LAKE_FORMAT)
    _check_format(kept, time_zone)
    _check_options(kept, contracts)
