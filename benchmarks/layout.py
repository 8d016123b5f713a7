"""Measure what a merge costs under two layouts of the lake: a folder per day, and a folder per month.

python benchmarks/layout.py [--millions 1 10 30] [--layouts day month month/day] [--folder FOLDER]

Each history has some million items on 365 days, and 1,000 products. A batch of new rows (100,000 items and their orders) or of
corrections (1,000 items of the history and their orders) is merged into it, on 1, 30 or 365 days. "day" is the present lake.
"month" is a variant in this file, with one file per month and batch; "month/day" has a file per day in folders by month. Every
merge runs in a separate process and is discarded; the fastest of three counts, or the only one if it takes long. The last
lines take 100,000 new items on 3 days through a whole batch, from CSV files to published KPIs.
"""

from __future__ import annotations

import argparse
import pickle
import resource
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory

import duckdb

from takings.adapters.duckdb.lake_files import PARTITIONED, LakeRows, LakeWriter
from takings.adapters.duckdb.merge import DuckDbMerge
from takings.adapters.duckdb.session import open_duckdb
from takings.adapters.duckdb.sql import SQL_TYPES, literal, name, path_literal
from takings.adapters.duckdb.staged import StagedRows
from takings.composition.stores import open_store
from takings.contracts import load_contracts
from takings.contracts.model import Dataset
from takings.lake import (
    AddedFile,
    Affected,
    LakeSnapshot,
    StagedBatch,
    StagedFile,
    TableChange,
    TableSnapshot,
)
from takings.layout import BatchId, table
from takings.runs import pipeline
from takings.time_zones import business_time

_FIRST, _DAYS = date(2025, 1, 1), 365
_NEW, _CORRECTED, _ROUNDS = 100_000, 1_000, 3
#: a merge that takes longer than this many seconds is not repeated
_LONG = 10
_LANDED_AT = datetime(2026, 1, 1, tzinfo=UTC)
_MONTH = "order_month"


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The orders of a batch, with three items each, spread evenly over some days in the order of their ids."""

    #: ids of the orders: the first, the number of orders, and the step between ids
    first: int
    count: int
    step: int
    days: int
    version: int
    first_day: date = _FIRST

    def select(self, dataset: Dataset) -> str:
        """Return the query of a dataset's rows, as in CSV files or staged files."""
        contract = load_contracts()[dataset]
        order = "(n // 3)" if dataset is Dataset.ORDER_ITEMS else "n"
        order_id = f"({self.first} + {order} * {self.step})"
        day = f"(timestamptz '{self.first_day} 00:00:00+00' + to_days(cast({order} * {self.days} // {self.count} as int)))"
        known = {
            "id": f"{order_id} * 3 + n % 3" if dataset is Dataset.ORDER_ITEMS else "n + 1",
            "order_id": order_id,
            "product_id": f"1 + {order_id} * 7919 % 1000",
            "user_id": f"1 + {order_id} * 104729 % 100000",
            "status": f"case when {order_id} % 9 = {self.version} then 'returned' else 'delivered' end",
            "created_at": f"{day} + to_seconds({order_id} * 31 % 86400)",
            "num_of_item": "3",
            "sale_price": f"cast({order_id} * 13 % 20000 / 100.0 + 1 as decimal(10, 2))",
            "sku": "'SKU-' || n",
            "category": "'Category ' || n % 26",
            "name": "'Product ' || n",
            "brand": "'Brand ' || n % 100",
            "department": "'Home'",
            "cost": "1.00",
            "retail_price": "250.00",
        }
        columns = (
            f"cast({known.get(column.name, 'null')} as {SQL_TYPES[column.type]}) as {name(column.name)}"
            for column in contract.columns
        )
        rows = {Dataset.PRODUCTS: 1000, Dataset.ORDERS: self.count, Dataset.ORDER_ITEMS: self.count * 3}[dataset]
        return f"select {', '.join(columns)} from range({rows}) as numbers(n)"


def history(millions: int) -> Rows:
    return Rows(first=1, count=millions * 1_000_000 // 3, step=1, days=_DAYS, version=1)


def batches(millions: int) -> Iterator[tuple[str, Rows]]:
    """Yield the name and the rows of each batch to merge into a history."""
    orders = history(millions).count
    for days in (1, 3, 30, 365):
        rows = Rows(first=orders + 1, count=_NEW // 3, step=1, days=days, version=1)
        yield f"new rows on {days} days", rows
    for days in (1, 30, 365):
        count = _CORRECTED // 3
        step = max(1, orders * days // _DAYS // count)
        yield f"corrections on {days} days", Rows(first=1, count=min(count, orders), step=step, days=days, version=2)


@dataclass(frozen=True)
class Folders:
    """The folders of a lake's tables."""

    root: Path

    def folder(self, dataset: Dataset) -> Path:
        return self.root / table(dataset)

    def fetch(self, dataset: Dataset, files: object) -> None:
        """Do nothing: files are read in place."""

    def put(self, dataset: Dataset, files: object) -> None:
        """Do nothing: files are written in place."""


class MonthRows(LakeRows):
    """Rows of a lake whose files name their day in a column."""

    def of_lake(self, dataset: Dataset, table: TableSnapshot) -> str:
        if not table.files or dataset not in PARTITIONED:
            return super().of_lake(dataset, table)
        paths = ", ".join(path_literal(self.tables.folder(dataset) / file.path) for file in table.files)
        source = f"read_parquet([{paths}], filename = true, hive_partitioning = false)"
        return f"select {self.all_columns(dataset)}, filename from {source}"


class MonthWriter(LakeWriter):
    """Writes a folder per month."""

    #: a column that splits a month's rows into files
    by: str = ""

    def write(self, dataset: Dataset, query: str) -> tuple[AddedFile, ...]:
        if dataset not in PARTITIONED:
            return super().write(dataset, query)
        return tuple(self._write_months(dataset, query))

    def _write_months(self, dataset: Dataset, query: str) -> Iterator[AddedFile]:
        folder = self.rows.tables.folder(dataset)
        month = f"select *, strftime(order_date, '%Y-%m') as {_MONTH}{self.by} from ({query})"
        parts = f"{_MONTH}, order_day" if self.by else _MONTH
        pattern = literal(f"{self.prefix}-{{uuid}}")
        found = self.rows.cursor.execute(
            f"copy ({month}) to {literal(str(folder))} (partition_by ({parts}), append,"
            f" filename_pattern {pattern}, format parquet, compression zstd, return_stats)"
        ).fetchall()
        for path, rows, size, _, statistics, keys, *_ in found:
            ends = {column.strip('"'): (values.get("min"), values.get("max")) for column, values in statistics.items()}
            numbers = {key: ends[key] for key in ("id", "order_id", "product_id") if key in ends}
            month_of = keys[_MONTH]
            yield AddedFile(
                path=str(Path(path).relative_to(folder)),
                size=size,
                rows=rows,
                order_date=date.fromisoformat(keys["order_day"] if self.by else f"{month_of}-01"),
                minimum={key: int(low) for key, (low, _) in numbers.items()},
                maximum={key: int(high) for key, (_, high) in numbers.items()},
                null_count={},
            )


class MonthDayWriter(MonthWriter):
    """Writes a folder per month, with a file per day."""

    by = ", order_date as order_day"


class MonthLanding(DuckDbMerge):
    """The merge into folders by month."""

    writer: type[LakeWriter] = MonthWriter

    def _write(self, dataset: Dataset, query: str) -> tuple[AddedFile, ...]:
        return self.writer(rows=self.rows, prefix=self.staged.batch.batch_id).write(dataset, query)


class MonthDayLanding(MonthLanding):
    """The merge into files by day in folders by month."""

    writer = MonthDayWriter


_LAYOUTS: Mapping[str, tuple[type[LakeRows], type[DuckDbMerge]]] = {
    "day": (LakeRows, DuckDbMerge),
    "month": (MonthRows, MonthLanding),
    "month/day": (MonthRows, MonthDayLanding),
}


def stage(connection: duckdb.DuckDBPyConnection, rows: Rows, folder: Path, label: str) -> StagedBatch:
    """Write a batch's staged files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for dataset in Dataset:
        path = folder / f"{label}-{dataset}.parquet"
        connection.execute(
            f"copy ({rows.select(dataset)}) to {literal(str(path))} (format parquet, parquet_version v2)"
        )
        version = _LANDED_AT + timedelta(days=rows.version)
        files.append(StagedFile(dataset=dataset, key=f"raw-data/{dataset}/{label}.csv", version=version, path=path))
    return StagedBatch(batch_id=BatchId(label), files=tuple(files))


def merge_files(
    connection: duckdb.DuckDBPyConnection, layout: str, root: Path, base: LakeSnapshot, batch: StagedBatch
) -> Iterator[tuple[Dataset, TableChange]]:
    """Merge a batch, table by table, without applying the changes."""
    make_rows, make_session = _LAYOUTS[layout]
    contracts, zone = load_contracts(), business_time("UTC")
    with connection.cursor() as cursor:
        rows = make_rows(cursor=cursor, tables=Folders(root), contracts=contracts)  # type: ignore[arg-type]
        staged = StagedRows(batch, rows, zone)
        with staged.views():
            session = make_session(rows=rows, staged=staged)
            affected = session.affected(base)
            if layout == "month":
                # Its first day identifies a month's file.
                affected |= Affected(days=frozenset(day.replace(day=1) for day in affected.days))
            for dataset in Dataset:
                change = session.merge(dataset, base, affected)
                base = LakeSnapshot(tables={**base.tables, dataset: base[dataset].after(change)})
                yield dataset, change


def _open(root: Path) -> duckdb.DuckDBPyConnection:
    connection = open_duckdb("400MB", 2, root / "spill")
    connection.execute("set enable_progress_bar = false")
    return connection


def make_history(layout: str, root: Path, millions: int) -> None:
    """Merge the history and keep its snapshot."""
    empty = LakeSnapshot(tables={dataset: TableSnapshot(version=0, files=()) for dataset in Dataset})
    for dataset in Dataset:
        (root / table(dataset)).mkdir(parents=True)
    with closing(_open(root)) as connection:
        batch = stage(connection, history(millions), root / "staged", "history")
        tables = {
            dataset: TableSnapshot(version=0, files=()).after(change)
            for dataset, change in merge_files(connection, layout, root, empty, batch)
        }
    (root / "snapshot").write_bytes(pickle.dumps(LakeSnapshot(tables=tables)))
    rmtree(root / "staged")


def measure(layout: str, root: Path, label: str, rows: Rows) -> tuple[float, float, int, int, int]:
    """Return wall and processor seconds, files written, their bytes, and the process's peak memory in MB."""
    base = pickle.loads((root / "snapshot").read_bytes())
    with closing(_open(root)) as connection:
        batch = stage(connection, rows, root / "staged", label.replace(" ", "-"))
        wall, cpu = time.perf_counter(), time.process_time()
        added = [
            (dataset, file)
            for dataset, change in merge_files(connection, layout, root, base, batch)
            for file in change.added
        ]
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    for dataset, file in added:
        (root / table(dataset) / file.path).unlink()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return wall, cpu, len(added), sum(file.size for _, file in added), peak


def whole_batch(root: Path, millions: int) -> tuple[float, float]:
    """Return wall and processor seconds of 100,000 new items on 3 days, from CSV to published KPIs."""
    with (
        open_store(_new_store(root), lambda *_: None, {"threads": 2, "memory": "400MB"}) as shop,
        closing(_open(root)) as connection,
    ):
        tables = shop.ports.tables
        tables.prepare(shop.ports.contracts.by_dataset)
        batch = stage(connection, history(millions), root / "staged", "history")
        with shop.ports.engine.merging(batch) as session:
            affected = session.affected(tables.snapshot())
            for dataset in Dataset:
                current = tables.snapshot()
                tables.apply(dataset, session.merge(dataset, current, affected), current[dataset], batch.batch_id)
        seconds = []
        last = history(millions).count
        for number in range(_ROUNDS + 1):
            first = last + 1 + number * _NEW
            rows = Rows(
                first=first, count=_NEW // 3, step=1, days=3, version=1, first_day=_FIRST + timedelta(days=_DAYS)
            )
            for dataset in (Dataset.ORDERS, Dataset.ORDER_ITEMS):
                file = root / "shop" / "raw-data" / str(dataset).replace("_", "-") / f"{number}.csv"
                file.parent.mkdir(exist_ok=True)
                connection.execute(
                    f"copy (select * replace (strftime(created_at, '%Y-%m-%dT%H:%M:%S') as created_at)"
                    f" from ({rows.select(dataset)})) to '{file}' (format csv)"
                )
            wall, cpu = time.perf_counter(), time.process_time()
            (outcome,) = pipeline.run(shop.ports, at_once=True).batches
            seconds.append((time.perf_counter() - wall, time.process_time() - cpu))
            assert {report.verdict.value for report in outcome.reports} == {"accepted"}, outcome
    # A process's first batch includes loading everything once.
    return min(wall for wall, _ in seconds[1:]), min(cpu for _, cpu in seconds[1:])


def _new_store(root: Path) -> Path:
    (root / "shop" / "raw-data").mkdir(parents=True)
    return root / "shop"


def main() -> None:
    """Print a line for each history, batch and layout."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--millions", type=int, nargs="+", default=[1, 10])
    parser.add_argument("--layouts", nargs="*", default=list(_LAYOUTS), choices=list(_LAYOUTS))
    parser.add_argument("--folder", type=Path, help="where to work; the system's temporary folder without")
    options = parser.parse_args()
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as apart:
        print("history  batch                     layout     wall s  cpu s  files     MB  peak MB", flush=True)
        for millions, layout in product(options.millions, options.layouts):
            with TemporaryDirectory(dir=options.folder) as folder:
                apart.submit(make_history, layout, Path(folder), millions).result()
                for label, rows in batches(millions):
                    wall, cpu, files, size, peak = _measured(apart, layout, Path(folder), label, rows)
                    what = f"{millions:5} M  {label:<24}  {layout:<9}"
                    print(f"{what}  {wall:6.2f}  {cpu:5.2f}  {files:5}  {size / 1e6:5.1f}  {peak:7}", flush=True)
        for millions in options.millions:
            with TemporaryDirectory(dir=options.folder) as folder:
                wall, cpu = apart.submit(whole_batch, Path(folder), millions).result()
                print(f"{millions:5} M  whole batch on 3 days     day        {wall:6.2f}  {cpu:5.2f}", flush=True)


def _measured(
    apart: ProcessPoolExecutor, layout: str, folder: Path, label: str, rows: Rows
) -> tuple[float, float, int, int, int]:
    """Take the least time and the most memory of some runs."""
    runs = [apart.submit(measure, layout, folder, label, rows).result()]
    while len(runs) < _ROUNDS and runs[0][0] < _LONG:
        runs.append(apart.submit(measure, layout, folder, label, rows).result())
    walls, cpus, files, sizes, peaks = zip(*runs, strict=True)
    return min(walls), min(cpus), files[0], sizes[0], max(peaks)


if __name__ == "__main__":
    main()
