"""Turn published KPIs into tables with real types: Arrow for programs, Parquet for files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from takings.adapters.duckdb.sql import literal, name
from takings.kpis import KpiRow, KpiTable

if TYPE_CHECKING:
    from arro3.core import Table


def kpi_arrow(table: KpiTable, rows: Sequence[KpiRow]) -> Table:
    """Return rows as an Arrow table: the table's columns, then commit, batch_id, computed_at and definition."""
    from arro3.core import Table

    with _relation(table, rows) as kpis:
        return Table.from_arrow(kpis)


def write_kpi_parquet(table: KpiTable, rows: Sequence[KpiRow], output: Path) -> None:
    """Write rows with the columns of `kpi_arrow`."""
    with _relation(table, rows) as kpis:
        kpis.query("kpis", f"copy kpis to {literal(str(output))} (format parquet)")


@contextmanager
def _relation(table: KpiTable, rows: Sequence[KpiRow]) -> Iterator[duckdb.DuckDBPyRelation]:
    """Lend the rows as a relation of DuckDB; one list per column is many times as fast as one insert per row."""
    columns = {part: _key_type(part, [row.key[place] for row in rows]) for place, part in enumerate(table.key)}
    columns |= {column.name: column.sql_type for column in table.columns}
    columns |= {"commit": "bigint", "batch_id": "varchar", "computed_at": "timestamptz", "definition": "varchar"}
    lines = [
        (*row.key, *row.values.values(), row.commit, row.batch_id, row.computed_at, row.definition) for row in rows
    ]
    cells = [[_cell(line[place]) for line in lines] for place in range(len(columns))]
    picked = ", ".join(
        f"unnest(cast(${place} as {kind}[])) as {name(column)}"
        for place, (column, kind) in enumerate(columns.items(), start=1)
    )
    with duckdb.connect(":memory:") as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"create table kpis as select {picked}", cells)
        yield connection.table("kpis")


def _cell(value: object) -> object:
    """Return a decimal as text: a list of them would have the width of its first one."""
    return str(value) if isinstance(value, Decimal) else value


def _key_type(part: str, values: Sequence[object]) -> str:
    """Return the type of a part of a key: the day, whole numbers, or texts."""
    if part == "order_date":
        return "date"
    known = [value for value in values if value is not None]
    return "bigint" if known and all(isinstance(value, int) for value in known) else "varchar"
