"""Merge one batch with DuckDB: write the files of each table's merge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from takings.adapters.duckdb.lake_files import LakeRows, LakeWriter
from takings.adapters.duckdb.rewriting import DayRewriting, is_by_day
from takings.adapters.duckdb.slices import slices
from takings.adapters.duckdb.sql import path_literal
from takings.adapters.duckdb.staged import StagedRows
from takings.adapters.duckdb.typing import business_day
from takings.adapters.merging.steps import MergeSteps
from takings.contracts.model import Dataset
from takings.lake import PARTITIONED, AddedFile, Affected, LakeSnapshot, StagedFile, TableChange

#: the fewest rows that a row group should have
_ROW_GROUP: Final = 5_000
#: the rows and files sampled to learn how rows are ordered by day
_WINDOW: Final = 20_000
_SAMPLED_FILES: Final = 4
#: the days that a write may add to at once, each with an open file; more days make more files
_MOST_WRITTEN: Final = 100
#: with more days than this in a window's rows, sorting is cheaper than holding rows back
_MOST_DAYS_UNSORTED: Final = 16


@dataclass(frozen=True, kw_only=True)
class DuckDbMerge(MergeSteps):
    """The merge of one batch into the lake."""

    rows: LakeRows
    staged: StagedRows

    def merge(self, dataset: Dataset, current: LakeSnapshot, affected: Affected) -> TableChange:
        """Write the Parquet files of one table's merge; readers see nothing until the change is applied."""
        table = current[dataset]
        writing = self._find(dataset, current, affected)
        removed, key = writing.removed, self.rows.identity(self.rows.contracts[dataset])
        columns = self.rows.all_columns(dataset)
        query = f"select {columns} from {writing.incoming}"
        if dataset in PARTITIONED and is_by_day(self.staged.count(dataset), removed):
            rewriting = DayRewriting(rows=self.rows, writer=self._writer(), dataset=dataset, key=key)
            return TableChange(added=rewriting.write(query, table, removed), removed=removed)
        order = self._arrange(dataset) if dataset in PARTITIONED else ""
        queries = [f"{query} where {condition}{order}" for condition in self._slices(dataset)]
        if removed:
            old = self.rows.of_lake(dataset, replace(table, files=removed))
            kept = f"select {columns} from ({old}) where {key} not in (select key from replaced)"
            queries[0] = f"from ({queries[0]}) union all {kept}"
        return TableChange(
            added=tuple(file for each in queries for file in self._write(dataset, each)), removed=removed
        )

    def _slices(self, dataset: Dataset) -> Sequence[str]:
        """Return the conditions under which incoming rows are written, one query for each."""
        is_read_again = dataset is not Dataset.ORDER_ITEMS or self.staged.is_grouped(dataset)
        if is_read_again or self._one(f"select count(*) from prior_{dataset}")[0]:
            # Each query would group or compare all rows again.
            return ["true"]
        of_type = self.rows.contracts[dataset].column("order_id").type
        return slices(self.rows.cursor, self.staged.batch.of(dataset), self.staged.count(dataset), of_type)

    def _write(self, dataset: Dataset, query: str) -> tuple[AddedFile, ...]:
        # DuckDB's own limit, unless the rounds are smaller than in the first attempt.
        most = min(_MOST_WRITTEN, 2 * self.staged.batch.files_at_once)
        self._run(f"set partitioned_write_max_open_files = {most}")
        return self._writer().write(dataset, query)

    def _writer(self) -> LakeWriter:
        return LakeWriter(rows=self.rows, prefix=self.staged.batch.batch_id)

    def _arrange(self, dataset: Dataset) -> str:
        """Return the order of incoming rows, by day where needed, and let DuckDB write rows out early.

        A partitioned write holds rows back until a thread has seen a number of them. That costs memory and spilling, but rows
        of many days that are written too early become tiny row groups. So the number depends on how many days a window of rows
        has. Rows in no order are sorted first; so are few rows, because sampling them is not worth it. Rows of the lake are
        never sorted: its files are in day order, and there may be very many.
        """
        is_small = self.staged.count(dataset) <= _WINDOW
        sampled = () if is_small else self._sampled(dataset)
        days = max((self._days_in_window(dataset, file) for file in sampled), default=1)
        is_scattered = is_small or days > _MOST_DAYS_UNSORTED
        threshold = _ROW_GROUP if is_scattered else _ROW_GROUP * days
        self._run(f"set partitioned_write_flush_threshold = {max(threshold, _WINDOW)}")
        return " order by order_date" if is_scattered else ""

    def _sampled(self, dataset: Dataset) -> Sequence[StagedFile]:
        files = self.staged.batch.of(dataset)
        return files[:: max(1, len(files) // _SAMPLED_FILES)]

    def _days_in_window(self, dataset: Dataset, file: StagedFile) -> int:
        """Count the days of consecutive rows from the middle of a staged file."""
        path = path_literal(file.path)
        window = f"""
            select {"order_id, created_at" if dataset is Dataset.ORDERS else "order_id"}
            from read_parquet({path})
            where file_row_number >= (select count(*) // 2 from read_parquet({path})) limit {_WINDOW}"""
        if dataset is Dataset.ORDERS:
            query = f"select count(distinct {business_day('created_at', self.staged.business_time)}) from ({window})"
        else:
            query = (
                f"select count(distinct o.order_date) from lake_orders o"
                f" where o.order_id in (select order_id from ({window}))"
            )
        return int(self._one(query)[0])
