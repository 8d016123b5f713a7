"""Examine files where they lie, on the way that a batch takes, and write nothing but temporary files."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from duckdb import DuckDBPyConnection

from takings.adapters.duckdb_session import open_duckdb
from takings.adapters.faults import translated_faults
from takings.adapters.scanned_file import inspect
from takings.arrivals import Arrival
from takings.contracts.model import Contracts, Dataset
from takings.errors import UsageError
from takings.examination import Examination, examine
from takings.layout import RAW, Drop, read_raw_key
from takings.ports import BusinessTime, ValidationEngine
from takings.validation.verdicts import Tolerance

_FOLDERS = {"products": "products", "orders": "orders", "order-items": "order-items", "order_items": "order-items"}


@dataclass(frozen=True, kw_only=True)
class DryRun:
    """What files are checked against."""

    contracts: Contracts
    business_time: BusinessTime
    tolerance: Tolerance
    #: makes the validation engine on a connection
    engine: Callable[[DuckDBPyConnection, BusinessTime], ValidationEngine]
    memory: str
    threads: int
    now: datetime
    #: fingerprint -> key of the files that a store has accepted
    accepted: Mapping[str, str]

    def examine(self, files: Sequence[Path], dataset: Dataset | None) -> Iterator[Examination]:
        """Examine files one after the other; UsageError where a file's dataset cannot be told.

        An examination's faulty records can be read until the next file is examined.
        """
        with (
            translated_faults(self.memory),
            TemporaryDirectory(prefix="takings-") as folder,
            closing(open_duckdb(self.memory, self.threads, Path(folder, "spill"))) as connection,
        ):
            validation = self.engine(connection, self.business_time)
            for place, file in enumerate(files):
                workspace = Path(folder, str(place))
                kind = dataset or self._dataset_of(file, workspace)
                yield examine(
                    validation,
                    self.contracts[kind],
                    _arrival(file, kind, self.now),
                    file,
                    now=self.now,
                    tolerance=self.tolerance,
                    workspace=workspace,
                    staged=workspace / "staged.parquet",
                    original_of=self.accepted.get,
                )

    def _dataset_of(self, file: Path, workspace: Path) -> Dataset:
        """Tell a file's dataset by its folder, else by the contract whose mandatory columns its header has."""
        match read_raw_key(f"{RAW}{_FOLDERS.get(file.resolve().parent.name, '')}/x.csv"):
            case Drop(dataset=dataset):
                return dataset
        header = set(inspect(file, workspace / "header").header or ())
        fitting = [
            dataset
            for dataset in Dataset
            if {column.name for column in self.contracts[dataset].columns if column.is_mandatory} <= header
        ]
        if len(fitting) == 1:
            return fitting[0]
        raise UsageError(
            f"{file}: neither its folder nor its header tells which dataset it is. Say --dataset products, orders or"
            " order_items."
        )


def accepted_files(database: Path) -> dict[str, str]:
    """Return fingerprint -> key of the files that a store has accepted, read without writing to it."""
    if not database.is_file():
        return {}
    with TemporaryDirectory(prefix="takings-") as folder:
        # Even a reader of a WAL database writes beside it, so a copy is read.
        for suffix in ("", "-wal"):
            part = database.with_name(database.name + suffix)
            if part.exists():
                shutil.copyfile(part, Path(folder, part.name))
        with closing(sqlite3.connect(Path(folder, database.name))) as connection:
            rows = connection.execute("select fingerprint, file_key from ProcessedFiles where verdict = 'accepted'")
            return {fingerprint: key for fingerprint, key in rows if fingerprint}


def _arrival(file: Path, dataset: Dataset, now: datetime) -> Arrival:
    status = file.stat()
    written = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=status.st_mtime_ns // 1000)
    return Arrival(
        key=str(file), dataset=dataset, file=file.name, size=status.st_size, etag="", version=min(written, now)
    )
