"""Verify published numbers: recompute them from the lake, and show the rows behind one. Reads only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal, localcontext
from typing import Any

from takings.batch.commits import newest_commit
from takings.batch.own_kpis import measured
from takings.batch.publish import definition_of, shipped_tables
from takings.contracts.model import Dataset
from takings.errors import OwnKpiFailure, UnknownThing
from takings.kpis import KpiTable, derive_each
from takings.kpis import definitions as amounts
from takings.kpis.definitions import KpiValue
from takings.kpis.publication import KpiKey, in_order, visible
from takings.lake import Commit
from takings.ports import Ports
from takings.ports.engines import NO_CONDITION


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A published value that differs from the one recomputed from the lake."""

    table: str
    key: KpiKey
    column: str
    published: KpiValue | str
    recomputed: KpiValue | str

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON shows it: numbers as exact texts."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [exact(part) for part in value]
    return None if value is None else exact(value)


def exact(value: object) -> str:
    """Write a value exactly: a price with all its digits, without trailing zeros after the cents."""
    return amounts.exact(value) if isinstance(value, Decimal) else str(value)


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What a verification compared and found."""

    commit: int | None
    #: rows compared, over all tables
    rows: int
    differences: tuple[Difference, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as `takings verify --json` prints it."""
        return {
            "schema_version": 1,
            "commit": self.commit,
            "rows": self.rows,
            "differences": [difference.to_json() for difference in self.differences],
        }


def verify(ports: Ports) -> Verification:
    """Recompute every KPI from the newest commit and compare with what is published."""
    commit = newest_commit(ports.store)
    if commit is None:
        return Verification(commit=None, rows=0, differences=())
    measures = ports.kpi_engine.measures(shipped_tables(ports), ports.tables.snapshot(commit.versions), None)
    rows = 0
    differences: list[Difference] = []
    for table in ports.kpi_tables:
        try:
            found = measures[table.name] if table.own is None else measured(ports, table, commit, None)
            computed = derive_each(table, found)
        except OwnKpiFailure as failure:
            differences.append(
                Difference(table=table.name, key=(), column="table", published="as before", recomputed=str(failure))
            )
            continue
        rows += len(computed)
        differences += _compare(ports, table, computed)
    return Verification(commit=commit.number, rows=rows, differences=tuple(differences))


def _compare(ports: Ports, table: KpiTable, computed: dict[KpiKey, dict[str, KpiValue]]) -> Iterator[Difference]:
    published = {row.key: row for row in visible(ports.kpis.rows(table))}
    meaning = definition_of(ports, table)
    for key in sorted(computed.keys() | published.keys(), key=in_order):
        if key not in published:
            yield Difference(table=table.name, key=key, column="row", published="absent", recomputed="present")
        elif key not in computed:
            yield Difference(table=table.name, key=key, column="row", published="present", recomputed="absent")
        else:
            row = published[key]
            for column, value in computed[key].items():
                if row.values[column] != value:
                    yield Difference(
                        table=table.name, key=key, column=column, published=row.values[column], recomputed=value
                    )
            if row.definition != meaning:
                yield Difference(
                    table=table.name, key=key, column="definition", published=row.definition, recomputed=meaning
                )


@dataclass(frozen=True, kw_only=True)
class RowBehind:
    """One row behind a day's numbers."""

    order_date: date
    category: str | None
    order_id: object
    item_id: object
    product_id: object
    status: str
    #: exact; None for an order without counted items
    sale_price: Decimal | None
    #: net, returned, cancelled or "order without items"
    counted_as: str
    #: the drop that contained the row
    key: str
    #: where its original is now
    archived_at: str | None
    #: the physical line in that file
    line: int
    #: how many pieces the item is; None, as are the values below, for an order without counted items
    pieces: int | None
    #: exact: what the item adds to revenue, to returned_value and to cancelled_value
    amount: Decimal | None
    returned_value: Decimal | None
    cancelled_value: Decimal | None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON shows it: days and amounts as exact texts."""
        cells = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: exact(cell) if isinstance(cell, date | Decimal) else cell for name, cell in cells.items()}


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """The rows behind a number."""

    commit: int
    rows: tuple[RowBehind, ...]
    #: an item may be several pieces, or worth something else than its sale_price
    has_roles: bool

    @property
    def revenue(self) -> Decimal:
        """Return the exact sum of the rows' amounts."""
        with localcontext() as context:
            context.prec = 60
            return sum((row.amount for row in self.rows if row.amount is not None), Decimal(0))

    def to_json(self, shown: Sequence[RowBehind] | None = None) -> dict[str, Any]:
        """Return it as `takings explain --format json` prints it: all rows or those to be shown, with the sums over all."""
        return {
            "schema_version": 1,
            "commit": self.commit,
            "rows_in_all": len(self.rows),
            "revenue": exact(self.revenue),
            "rows": [row.to_json() for row in (self.rows if shown is None else shown)],
        }


def explain(
    ports: Ports,
    day: date,
    category: str | None = None,
    *,
    of: Mapping[str, str] = NO_CONDITION,
    as_of: Commit | None = None,
) -> Explanation:
    """Show the rows behind a day's numbers, or a category's on that day, as of a commit (None: the newest).

    `of` limits them to a key of a table of the shop's own: values by column, as text. UnknownThing where there are none.
    """
    commit = as_of or _commit_of(ports)
    found = ports.engine.rows_behind(ports.tables.snapshot(commit.versions), day, category, of)
    if not found:
        wanted = {**({} if category is None else {"category": category}), **of}
        named = " and ".join(f"{column} '{value}'" for column, value in wanted.items())
        which = f" of {named}" if named else ""
        raise UnknownThing(f"there is no row{which} on {day}. `takings kpis` lists the days and categories there are.")
    places = {(record.file_key, record.batch_id): record.archived_at for record in ports.ledger.lineage()}
    return Explanation(
        commit=commit.number,
        has_roles=ports.contracts[Dataset.ORDER_ITEMS].worth.has_roles,
        rows=tuple(
            RowBehind(
                **{name: value for name, value in row.items() if name != "batch_id"},
                archived_at=places.get((row["key"], row["batch_id"])),
            )
            for row in found
        ),
    )


def _commit_of(ports: Ports) -> Commit:
    commit = newest_commit(ports.store)
    if commit is None:
        raise UnknownThing("nothing is in the lake yet. Drop files and run `takings run STORE --now`.")
    return commit
