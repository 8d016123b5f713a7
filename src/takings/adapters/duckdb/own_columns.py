"""Check that the SQL of a KPI table of the shop's own yields what its YAML file names, each of the right kind."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from takings.contracts.model import Contracts, Dataset
from takings.contracts.yaml_nodes import suggestion
from takings.errors import ContractError
from takings.kpis import KpiTable, load_kpi_tables
from takings.kpis.own_views import DAY

_WHOLE: Final = re.compile(r"U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)")
_EXACT: Final = re.compile(rf"{_WHOLE.pattern}|DECIMAL\(\d+,\d+\)")
_GRAIN: Final = re.compile(rf"{_WHOLE.pattern}|VARCHAR|DATE")


def measures_of(table: KpiTable) -> set[str]:
    """Return the measures that a table's columns are made of."""
    return {measure for column in table.columns for measure in column.measures}


def check_columns(table: KpiTable, columns: dict[str, str]) -> None:
    """Refuse a table whose SQL selects no key or measure of the YAML file, or one of another kind."""
    for part in table.key:
        if part not in columns:
            raise sql_error(table, 1, f"the SQL selects no '{part}', a part of the grain.{suggestion(part, columns)}")
        if not _GRAIN.fullmatch(columns[part]) or (part == DAY) != (columns[part] == "DATE"):
            raise sql_error(table, 1, f"'{part}' is {columns[part]}; a grain is of texts, whole numbers and '{DAY}'.")
    for column in table.columns:
        for measure in column.measures:
            if measure not in columns:
                raise _yaml_error(table, column.name, f"the SQL selects no '{measure}'.{suggestion(measure, columns)}")
            if not _EXACT.fullmatch(columns[measure]):
                raise sql_error(
                    table, 1, f"'{measure}' is {columns[measure]}; a measure is a whole number or a decimal."
                )
            if column.kind == "count" and not _WHOLE.fullmatch(columns[measure]):
                raise _yaml_error(table, column.name, f"'{measure}' is {columns[measure]}, no count. Write 'money'.")
    unknown = next((name for name in columns if name not in {*table.key, *measures_of(table)}), None)
    if unknown is not None and not _is_checked(table, unknown):
        raise sql_error(
            table, 1, f"no column of {table.name} uses '{unknown}'. Leave it out, or declare a column of it."
        )


def _is_checked(table: KpiTable, name: str) -> bool:
    return table.own is not None and any(name in {check.left, check.right} for check in table.own.checks)


def check_declared(table: KpiTable, by_day: Mapping[str, frozenset[str]]) -> None:
    """Refuse a declared check of a measure, column or table that does not exist."""
    assert table.own is not None
    own = {column.name for column in table.columns} | measures_of(table)
    for check in table.own.checks:
        place = f"{table.own.yaml_file}:{check.line}"
        if check.left not in own:
            raise ContractError(f"{place}: there is no '{check.left}' to check.{suggestion(check.left, own)}")
        if check.table is not None and check.table not in by_day:
            raise ContractError(f"{place}: '{check.table}' is no table by day.{suggestion(check.table, by_day)}")
        others = own if check.table is None else by_day[check.table]
        if not check.right.lstrip("-")[0].isdigit() and check.right not in others:
            raise ContractError(f"{place}: there is no '{check.right}'.{suggestion(check.right, others)}")


def tables_by_day(tables: Sequence[KpiTable], contracts: Contracts) -> dict[str, frozenset[str]]:
    """Return the tables by day, with the columns and measures that a check may name."""
    every = (*load_kpi_tables(contracts[Dataset.ORDER_ITEMS].worth), *tables)
    return {
        table.name: frozenset(column.name for column in table.columns) | measures_of(table)
        for table in every
        if table.key == (DAY,)
    }


def sql_error(table: KpiTable, line: int, problem: str) -> ContractError:
    """Return an error that names a line of a table's SQL."""
    assert table.own is not None
    return ContractError(f"{table.own.sql_file}:{line}: {problem}")


def _yaml_error(table: KpiTable, column: str, problem: str) -> ContractError:
    assert table.own is not None
    return ContractError(f"{table.own.yaml_file}:{table.own.lines[column]}: {problem}")
