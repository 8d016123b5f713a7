"""Merge one batch, on any engine: find what it may change, which rows each table's merge writes and which files it replaces.

The SQL is in takings.lake and runs on every engine. Reading the lake costs time for each file, so every view covers only the
files that may hold the wanted keys, by the key ranges in the table's log.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import compress
from typing import Any, Final

from takings.adapters.merging.changes import ComparedRows
from takings.adapters.merging.rows import LakeSql, Result, StagedSql, Watched, name, sql
from takings.adapters.merging.versions import instant, unit
from takings.contracts.model import Contract, Dataset
from takings.lake import (
    PARTITIONED,
    Affected,
    BatchChanges,
    LakeFile,
    LakeSnapshot,
    Orphan,
    Range,
    TableSnapshot,
    crowded,
    everything,
)

#: when a day has this many files …
_MOST_TINY: Final = 8
#: … with fewer rows than this, a batch that writes to the day compacts them: later batches open fewer files
_TINY: Final = 5_000


@dataclass(frozen=True, kw_only=True)
class Writing:
    """What the merge of one table writes."""

    #: the view or table of the new rows
    incoming: str
    #: the files that it replaces; their rows stay, except those whose identity is a `key` of the table `replaced`
    removed: tuple[LakeFile, ...]


@dataclass(frozen=True, kw_only=True)
class MergeSteps:
    """The merge of one batch into the lake, but for the writing."""

    rows: LakeSql
    staged: StagedSql
    watched: Watched
    #: the table versions that the staged rows were compared with
    _compared: dict[Dataset, int] = field(default_factory=dict, init=False)

    def affected(self, base: LakeSnapshot) -> Affected:
        """Compute the keys whose KPIs the batch may change; everything when the lake is empty."""
        if base.is_empty:
            return everything()
        for dataset in Dataset:
            self._compare(dataset, base[dataset])
        of_order = _or_changed(self.watched.orders)
        self._run_each(sql("arriving", of_order=of_order, of_product=_or_changed(self.watched.products)))
        self._lay_lake_view(
            Dataset.ORDER_ITEMS,
            base[Dataset.ORDER_ITEMS].near(
                {
                    "order_id": self._range_of("order_id", "arriving_orders"),
                    "product_id": self._range_of("id", "arriving_products"),
                }
            ),
        )
        self._run_each(sql("touched", unit=self._items.unit))
        for dataset, key, column in (
            (Dataset.ORDERS, "order_id", "order_id"),
            (Dataset.PRODUCTS, "id", "product_id"),
        ):
            self._lay_lake_view(dataset, base[dataset].near({key: self._range_of(column, "touched_items")}))
        categories = self._run(sql("affected_categories")).fetchall()
        days = {day for (day,) in self._run(sql("affected_days")).fetchall()}
        return Affected(
            days=frozenset(days | {day for _, day in categories}),
            category_days=frozenset(categories),
            own_days=self._own_days(base),
        )

    def _own_days(self, base: LakeSnapshot) -> dict[str, frozenset[date]]:
        """Return, per own table, the days with an item of a product of which a column changes that the table reads."""
        columns = self.watched.own_columns
        found: dict[str, set[date]] = {column: set() for column in columns}
        if columns:
            changed = ", ".join(
                f"p.{name(column)} is distinct from c.{name(column)} as changed_{place}"
                for place, column in enumerate(columns)
            )
            self._run(sql("changed_values", changed=changed, columns=_any_changed(len(columns))))
            items = base[Dataset.ORDER_ITEMS].near({"product_id": self._range_of("id", "changed_values")})
            self._lay_lake_view(Dataset.ORDER_ITEMS, items.on(None))
            flags = ", ".join(f"bool_or(changed_{place})" for place in range(len(columns)))
            for day, *has_changed in self._run(sql("days_of_changed_values", flags=flags)).fetchall():
                for column in compress(columns, has_changed):
                    found[column].add(day)
        return {
            table: frozenset(day for column in read for day in found[column])
            for table, read in self.watched.own.items()
        }

    def changes(self, base: LakeSnapshot) -> BatchChanges:
        """Count what the batch's rows change in the lake before its first merge, and find what looks wrong."""
        for dataset in Dataset:
            self._compare(dataset, base[dataset])
        return ComparedRows(rows=self.rows, staged=self.staged).changes(base)

    def first_orphan(self, current: LakeSnapshot) -> Orphan | None:
        """Return the first item whose order or product is neither in the batch nor in the lake."""
        self._lay_parents(current)
        found = self._run(sql("orphans")).fetchone()
        return None if found is None else Orphan(key=found[0], line=found[1], column=found[2])

    def _find(self, dataset: Dataset, current: LakeSnapshot, affected: Affected) -> Writing:
        """Find what the merge of one table writes."""
        self._compare(dataset, current[dataset])
        contract = self.rows.contracts[dataset]
        replaced = (
            f"select {self.rows.identity(contract)} as key, filename from prior_{dataset}"
            f" where {unit(contract)} in (select {unit(contract)} from changed_{dataset})"
        )
        incoming = f"changed_{dataset}"
        if dataset is Dataset.ORDER_ITEMS:
            incoming = self._move_items(current, affected)
            replaced = f"{replaced} union all select {self.rows.identity(contract)} as key, filename from moving_items"
        self._run(f"create or replace temp table replaced as {replaced}")
        return Writing(incoming=incoming, removed=self._rewritten(dataset, current[dataset], affected))

    def _lay_lake_view(self, dataset: Dataset, table: TableSnapshot) -> None:
        self._run(f"create or replace temp view lake_{dataset} as {self.rows.of_lake(dataset, table)}")

    def _compare(self, dataset: Dataset, table: TableSnapshot) -> None:
        """Find the staged rows that are newer than the lake's, once for each version of the table."""
        if self._compared.get(dataset) == table.version:
            return
        contract = self.rows.contracts[dataset]
        key = name(contract.primary_key)
        carried = {
            Dataset.PRODUCTS: (key, *map(name, {"category", *self.watched.products, *self.watched.own_columns})),
            Dataset.ORDERS: (key, "user_id", "created_at", *map(name, self.watched.orders)),
            Dataset.ORDER_ITEMS: (key, "order_id", "product_id"),
        }[dataset]
        content = self.rows.content(contract)
        if contract.version_column is not None and not {contract.version_column, name(contract.version_column)} & {
            *carried
        }:
            carried = (*carried, name(contract.version_column))
        day = "order_date" if dataset in PARTITIONED else "cast(null as date)"
        self._lay_lake_view(dataset, table.near({contract.unit: self.staged.ranges(dataset, contract.unit)}))
        self._run(
            sql(
                "prior",
                table=dataset,
                key=unit(contract),
                columns=", ".join((*carried, f"{content} as _content")),
                order_date=day,
            )
        )
        if self._one(f"select count(*) from prior_{dataset}")[0]:
            self._find_changed(dataset)
        else:
            self._run(f"create or replace temp view changed_{dataset} as select * from staged_{dataset}")
        self._compared[dataset] = table.version

    def _find_changed(self, dataset: Dataset) -> None:
        """Lay the view of the staged rows that are newer than the lake's."""
        contract = self.rows.contracts[dataset]
        instants = {"instant_of_s": instant(contract, "s"), "instant_of_p": instant(contract, "p")}
        if contract.replaces is None:
            self._run(sql("changed", table=dataset, key=name(contract.primary_key), **instants))
        else:
            own = instant(contract)
            self._run(sql("changed_deliveries", table=dataset, unit=unit(contract), instant=own, **instants))

    @property
    def _items(self) -> Contract:
        return self.rows.contracts[Dataset.ORDER_ITEMS]

    def _lay_parents(self, current: LakeSnapshot) -> None:
        """Create the views of the orders and products that staged items may belong to."""
        for dataset, key, column in (
            (Dataset.ORDERS, "order_id", "order_id"),
            (Dataset.PRODUCTS, "id", "product_id"),
        ):
            wanted = [*self.staged.ranges(dataset, key), *self.staged.ranges(Dataset.ORDER_ITEMS, column)]
            self._lay_lake_view(dataset, current[dataset].near({key: wanted}))

    def _move_items(self, current: LakeSnapshot, affected: Affected) -> str:
        """Find the items that move with their order or find their parents; return the view of all items to write."""
        items = current[Dataset.ORDER_ITEMS]
        candidates = self._items_that_may_move(items, affected)
        if any(file.order_date is None for file in candidates.files):
            # A waiting item's other parent may have come in any earlier batch.
            for dataset in (Dataset.PRODUCTS, Dataset.ORDERS):
                self._lay_lake_view(dataset, current[dataset])
        else:
            self._lay_parents(current)
        self._lay_lake_view(Dataset.ORDER_ITEMS, candidates)
        replaces_lines = self._items.replaces is not None
        self._run(sql("moving_items", unit=self._items.unit, order="i.order_id, " if replaces_lines else ""))
        moving = self._files_of(Dataset.ORDER_ITEMS, candidates, "moving_items")
        self._lay_lake_view(Dataset.ORDER_ITEMS, replace(candidates, files=moving))
        columns = self.rows.columns(Dataset.ORDER_ITEMS)
        self._run(
            sql(
                "incoming_order_items",
                changed_columns=", ".join(f"c.{name(column)}" for column in columns),
                moving_columns=", ".join(f"i.{name(column)}" for column in columns),
                and_order=" and m.order_id = i.order_id" if replaces_lines else "",
            )
        )
        return "incoming_order_items"

    def _items_that_may_move(self, items: TableSnapshot, affected: Affected) -> TableSnapshot:
        """Leave out the files without an item that a staged order or product may move.

        A waiting item moves when either parent arrives; any other has both, so it moves only with its order.
        """
        orders = {"order_id": self.staged.ranges(Dataset.ORDERS, "order_id")}
        parents = orders | {"product_id": self.staged.ranges(Dataset.PRODUCTS, "id")}
        files = (
            file
            for file in items.files
            if (file.order_date is None and file.may_hold(parents))
            or ((affected.is_everything or file.order_date in affected.days) and file.may_hold(orders))
        )
        return replace(items, files=tuple(files))

    def _rewritten(self, dataset: Dataset, table: TableSnapshot, affected: Affected) -> tuple[LakeFile, ...]:
        """Return the files with a replaced row, and the tiny files of days that the batch writes to and that have many."""
        replaced = self._files_of(dataset, table, "replaced")
        written = [file for file in table.files if file.order_date is None or file.order_date in affected.days]
        tiny = crowded(written, fewer_rows_than=_TINY, at_least=_MOST_TINY) if self.staged.count(dataset) else ()
        paths = {file.path for file in (*replaced, *tiny)}
        return tuple(file for file in table.files if file.path in paths)

    def _files_of(self, dataset: Dataset, table: TableSnapshot, relation: str) -> tuple[LakeFile, ...]:
        """Return the files that are named in a relation's `filename`."""
        named = {path for (path,) in self._run(f"select distinct filename from {relation}").fetchall()}
        return tuple(file for file in table.files if named and self.rows.file_name(dataset, file) in named)

    def _range_of(self, column: str, relation: str) -> Sequence[Range]:
        low, high = self._one(f"select min({column}), max({column}) from {relation}")
        return [] if low is None else [(low, high)]

    def _run(self, statement: str) -> Result:
        return self.rows.execute(statement)

    def _run_each(self, script: str) -> None:
        for statement in script.split(";"):
            if statement.strip():
                self._run(statement)

    def _one(self, query: str) -> tuple[Any, ...]:
        row = self._run(query).fetchone()
        assert row is not None, f"no row from {query}"
        return row


def _or_changed(columns: Sequence[str]) -> str:
    """Return the condition under which the staged row `c` differs from the lake's `p`, behind other conditions."""
    return "".join(f" or p.{name(column)} is distinct from c.{name(column)}" for column in columns)


def _any_changed(columns: int) -> str:
    return " or ".join(f"changed_{place}" for place in range(columns))
