"""Write published KPIs as a Parquet file with real types."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from takings.adapters.duckdb.sql import literal, name
from takings.kpis import KpiRow, KpiTable


def write_kpi_parquet(table: KpiTable, rows: Sequence[KpiRow], output: Path) -> None:
    """Write rows with the table's columns, then commit, batch_id, computed_at and definition."""
    columns = {part: _key_type(part, [row.key[place] for row in rows]) for place, part in enumerate(table.key)}
    columns |= {column.name: column.sql_type for column in table.columns}
    columns |= {"commit": "bigint", "batch_id": "varchar", "computed_at": "timestamptz", "definition": "varchar"}
    with duckdb.connect(":memory:") as connection:
        connection.execute("set TimeZone = 'UTC'")
        spelled = ", ".join(f"{name(column)} {kind}" for column, kind in columns.items())
        connection.execute(f"create table kpis ({spelled})")
        values = [
            [*row.key, *row.values.values(), row.commit, row.batch_id, row.computed_at, row.definition] for row in rows
        ]
        if values:
            connection.executemany(f"insert into kpis values ({', '.join('?' * len(columns))})", values)
        connection.execute(f"copy kpis to {literal(str(output))} (format parquet)")


def _key_type(part: str, values: Sequence[object]) -> str:
    """Return the type of a part of a key: the day, whole numbers, or texts."""
    if part == "order_date":
        return "date"
    known = [value for value in values if value is not None]
    return "bigint" if known and all(isinstance(value, int) for value in known) else "varchar"
