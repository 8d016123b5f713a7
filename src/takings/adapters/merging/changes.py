"""Compare a batch's rows with the lake before its first merge.

The views come from a merge session: staged_, changed_ and prior_<dataset>. The last holds the lake's rows with the batch's
keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from takings.adapters.merging.rows import LakeSql, StagedSql, name, sql
from takings.adapters.merging.versions import instant, unit
from takings.contracts.model import ColumnType, Dataset
from takings.lake import (
    CLOSE,
    MOST_EXAMPLES,
    BatchChanges,
    ChangeWarning,
    Doubt,
    Example,
    LakeSnapshot,
    RowChanges,
    TableSnapshot,
)

_STATED: Final = "num_of_item"


@dataclass(frozen=True, kw_only=True)
class ComparedRows:
    """A batch's rows beside the lake's."""

    rows: LakeSql
    staged: StagedSql

    def changes(self, base: LakeSnapshot) -> BatchChanges:
        """Count the rows of each file, and find what looks wrong."""
        files: dict[str, RowChanges] = {}
        warnings: list[ChangeWarning] = []
        for dataset in Dataset:
            if not self.staged.batch.of(dataset):
                continue
            counts = self._count(dataset)
            for key, count in counts.items():
                files[key] = files.get(key, RowChanges()) + count
            if sum(count.rows for count in counts.values()) < self.staged.count(dataset):
                warnings += self._same_time(dataset)
        warnings += self._warn(Doubt.ANOTHER_ORDER, sql("another_order"))
        if self.rows.contracts[Dataset.ORDER_ITEMS].replaces is None:
            warnings += self._warn(Doubt.ITEM_OF_ANOTHER_ORDER, sql("item_of_another_order"))
            warnings += self._more_items_than_stated(base)
        else:
            warnings += self._of_deliveries(base)
        return BatchChanges(files=files, warnings=tuple(warnings))

    def _count(self, dataset: Dataset) -> dict[str, RowChanges]:
        contract = self.rows.contracts[dataset]
        if not self._has_prior(dataset):
            # Comparing contents would read every column for nothing.
            counted = f"select _source, count(*) from staged_{dataset} group by _source"
            return {source: RowChanges(new=rows) for source, rows in self.rows.execute(counted).fetchall()}
        places: dict[str, str] = {
            "table": dataset,
            "key": name(contract.primary_key),
            "content": self.rows.content(contract, "s"),
            "instant_of_s": instant(contract, "s"),
        }
        if contract.replaces is None:
            query = sql("row_changes", **places, instant_of_p=instant(contract, "p"))
        else:
            own, of_d = instant(contract), instant(contract, "d")
            query = sql("line_changes", **places, unit=unit(contract), instant=own, instant_of_d=of_d)
        found = self.rows.execute(query).fetchall()
        return {
            source: RowChanges(new=new, changed=changed, unchanged=unchanged, older=older)
            for source, new, changed, unchanged, older in found
        }

    def _has_prior(self, dataset: Dataset) -> bool:
        return self.rows.execute(f"select 1 from prior_{dataset} limit 1").fetchone() is not None

    def _same_time(self, dataset: Dataset) -> list[ChangeWarning]:
        """Find contents of which the time of a copy decides; rows of different instants have an order of their own."""
        contract = self.rows.contracts[dataset]
        column = None if contract.version_column is None else f"s.{name(contract.version_column)}"
        places: dict[str, object] = {
            "table": dataset,
            "content": self.rows.content(contract, "s"),
            "seconds": int(CLOSE.total_seconds()),
            "instant": "" if column is None else f",\n        {column} as instant",
            "and_instant": "" if column is None else ", instant",
        }
        if contract.replaces is None:
            return self._warn(Doubt.SAME_TIME, sql("same_time", **places, key=name(contract.primary_key)))
        and_column = "" if column is None else f", {column}"
        query = sql("same_time_deliveries", **places, unit=unit(contract), and_column=and_column)
        return self._warn(Doubt.SAME_TIME, query)

    def _of_deliveries(self, base: LakeSnapshot) -> list[ChangeWarning]:
        """Find what looks wrong where the lines of an order are replaced together."""
        if not self.staged.batch.of(Dataset.ORDER_ITEMS):
            return []
        ids = self.staged.ranges(Dataset.ORDER_ITEMS, "id")
        self._lay_lake_view(Dataset.ORDER_ITEMS, base[Dataset.ORDER_ITEMS].near({"id": ids}))
        return [
            *self._warn(Doubt.ITEM_IN_TWO_ORDERS, sql("item_in_two_orders")),
            *self._warn(Doubt.ORDER_IN_TWO_FILES, sql("order_in_two_files")),
        ]

    def _more_items_than_stated(self, base: LakeSnapshot) -> list[ChangeWarning]:
        stated = {column.name: column.type for column in self.rows.contracts[Dataset.ORDERS].columns}.get(_STATED)
        if stated not in {ColumnType.INTEGER, ColumnType.IDENTIFIER}:
            return []
        wanted = [*self.staged.ranges(Dataset.ORDERS, "order_id"), *self.staged.ranges(Dataset.ORDER_ITEMS, "order_id")]
        self._lay_lake_view(Dataset.ORDERS, base[Dataset.ORDERS].near({"order_id": wanted}))
        self.rows.execute(sql("stated_items"))
        items = base[Dataset.ORDER_ITEMS].near({"order_id": wanted})
        days = {day for (day,) in self.rows.execute(_DAYS_IN_LAKE).fetchall()}
        # An item is on its order's day, or waits.
        files = (file for file in items.files if file.order_date is None or file.order_date in days)
        self._lay_lake_view(Dataset.ORDER_ITEMS, replace(items, files=tuple(files)))
        # The items of very many orders are counted part by part: all at once would not fit into memory.
        at_once = self.rows.counted_at_once
        parts = 1 if at_once is None else -(-self.staged.count(Dataset.ORDER_ITEMS) // at_once) or 1
        found = [
            warning
            for part in range(parts)
            for warning in self._warn(
                Doubt.MORE_ITEMS_THAN_STATED, sql("more_items_than_stated", parts=parts, part=part)
            )
        ]
        return _together(found)

    def _lay_lake_view(self, dataset: Dataset, table: TableSnapshot) -> None:
        self.rows.execute(f"create or replace temp view lake_{dataset} as {self.rows.of_lake(dataset, table)}")

    def _warn(self, doubt: Doubt, query: str) -> list[ChangeWarning]:
        found = self.rows.execute(
            f"select *, count(*) over () as found from ({query}) order by id limit {MOST_EXAMPLES}"
        )
        columns = [column[0] for column in found.description or ()]
        rows = [dict(zip(columns, row, strict=True)) for row in found.fetchall()]
        return [ChangeWarning(doubt=doubt, count=rows[0]["found"], examples=_examples(rows))] if rows else []


def _together(found: Sequence[ChangeWarning]) -> list[ChangeWarning]:
    """Return one warning for those of parts, with the examples of the first part that has any."""
    return [replace(found[0], count=sum(each.count for each in found))] if found else []


#: the days of the orders that a batch touches
_DAYS_IN_LAKE: Final = (
    "select distinct order_date from lake_orders where order_id in (select order_id from stated_items)"
)


def _examples(rows: Sequence[dict[str, Any]]) -> tuple[Example, ...]:
    return tuple(Example(**{name: value for name, value in row.items() if name != "found"}) for row in rows)
