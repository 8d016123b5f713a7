"""Check the KPI tables of a shop's own when they are loaded: as DuckDB's parser understands them, and on a small sample shop.

What is wrong with a table is told here, with file, line and remedy, and not by a number on some later day.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import duckdb

from takings.adapters.duckdb.locked import open_locked
from takings.adapters.duckdb.own_columns import check_columns, check_declared, measures_of, sql_error, tables_by_day
from takings.adapters.duckdb.own_tree import find_fault
from takings.adapters.duckdb.query_tree import SqlFault, Tree, line_of, nodes, parse
from takings.adapters.duckdb.sample_shop import DAYS, make_sample_shop, sample_rows
from takings.adapters.own_samples import Rows, Sample, in_order
from takings.contracts.model import Contracts, Dataset
from takings.errors import ContractError
from takings.kpis import KpiTable
from takings.kpis.own_views import DAY

_EVERY: Final = "every"
_BACKWARDS: Final = "backwards"
#: what a cast that may round is replaced with, to see whether it does
_UNROUNDED: Final = ("38", "16")
#: tables that this process has checked already: a server opens its store again and again
_checked: set[object] = set()


def checked_tables(tables: Sequence[KpiTable], contracts: Contracts) -> tuple[KpiTable, ...]:
    """Return the tables; ContractError, with file, line and remedy, for the first that cannot be used."""
    known = (contracts.hash, *(_wording(table) for table in tables))
    if tables and known not in _checked:
        with open_locked() as connection:
            trees = [_parsed(connection, table) for table in tables]
            known_by_day = tables_by_day(tables, contracts)
            make_sample_shop(connection, contracts, {text for tree in trees for text in _texts(tree)})
            for table in tables:
                _Sample(connection, table).check()
                check_declared(table, known_by_day)
        _checked.add(known)
    return tuple(tables)


def samples_of(tables: Sequence[KpiTable], contracts: Contracts) -> tuple[Sample, ...]:
    """Return the small shop, and what DuckDB computes of it for each table; `checked_tables` has checked them."""
    with open_locked() as connection:
        texts = {text for table in tables for text in _texts(_parsed(connection, table))}
        shop = sample_rows(contracts, texts)
        make_sample_shop(connection, contracts, texts)
        return tuple(Sample(table=table, shop=shop, expected=_Sample(connection, table).by_day()) for table in tables)


def _wording(table: KpiTable) -> tuple[object, ...]:
    """Return what a check of a table depends on beside the contracts."""
    return (table.name, table.key, table.columns, table.sql, table.own and table.own.checks)


def _parsed(connection: duckdb.DuckDBPyConnection, table: KpiTable) -> Tree:
    tree = parse(connection, table.sql)
    fault = tree if isinstance(tree, SqlFault) else find_fault(tree, table.sql)
    if fault is not None:
        raise sql_error(table, line_of(table.sql, fault.location), fault.problem)
    assert not isinstance(tree, SqlFault)
    return tree


def _texts(tree: Tree) -> Iterator[str]:
    """Yield the texts that a query compares with; the sample shop has them too."""
    for node in nodes(tree):
        literal = node.get("literal", {}) if node.get("class") == "CONSTANT" else {}
        if literal.get("kind") == "STRING":
            yield str(literal.get("text", ""))


@dataclass(frozen=True)
class _Sample:
    """One table on the sample shop."""

    connection: duckdb.DuckDBPyConnection
    table: KpiTable

    def check(self) -> None:
        """Raise ContractError for the first thing that is wrong with the table."""
        every = self._run(self.table.sql, _EVERY)
        columns = self._columns()
        check_columns(self.table, columns)
        self._check_rows(every, list(columns))
        by_day = [row for day in DAYS for row in self._run(self.table.sql, day)]
        if in_order(by_day) != in_order(every):
            raise self._error(
                "the result over all days differs from the results day by day: it reads outside its day. Group, join and"
                f" partition by '{DAY}'."
            )
        if in_order(self._run(self.table.sql, _BACKWARDS)) != in_order(every):
            raise self._error("the result depends on the order of rows. Use sums, counts, min and max only.")
        if in_order(self._run(self._unrounded(), _EVERY)) != in_order(every):
            raise self._error(
                "a cast rounds, and Spark rounds otherwise. Cast money to decimal(38, 16), and round nothing: published"
                " numbers are rounded once."
            )

    def by_day(self) -> dict[date | None, Rows]:
        """Return the result of every day (None), and of each day alone."""
        return {None: self._run(self.table.sql, _EVERY), **{day: self._run(self.table.sql, day) for day in DAYS}}

    def _run(self, sql: str, days: date | str) -> Rows:
        """Run the SQL on all days, on one, or on all with their rows the other way round."""
        assert self.table.own is not None
        for dataset in Dataset:
            has_day = dataset is not Dataset.PRODUCTS and isinstance(days, date)
            where = f" where {DAY} = date '{days}'" if has_day else ""
            order = " order by rowid desc" if days == _BACKWARDS else ""
            self.connection.execute(
                f"create or replace temp view lake_{dataset} as select * from sample_{dataset}{where}{order}"
            )
        lake = {dataset: f"lake_{dataset}" for dataset in Dataset}
        for view, text in self.table.own.views.over(lake).items():
            self.connection.execute(f"create or replace temp view {view} as {text}")
        try:
            return self.connection.execute(sql).fetchall()
        except duckdb.Error as failed:
            found = re.search(r"^LINE (\d+):", str(failed), re.MULTILINE)
            problem = str(failed).partition("\n")[0].rstrip(".")
            raise sql_error(self.table, int(found[1]) if found else 1, f"{problem}. Correct the SQL.") from failed

    def _columns(self) -> dict[str, str]:
        described = self.connection.execute(self.table.sql).description or ()
        names = [str(column[0]) for column in described]
        counts = Counter(name.lower() for name in names)
        twice = next((name for name in names if counts[name.lower()] > 1), None)
        if twice is not None:
            raise self._error(f"the SQL selects '{twice}' twice; case makes no difference. Keep one of them.")
        return {str(name): str(kind) for name, kind, *_ in described}

    def _check_rows(self, rows: Rows, names: Sequence[str]) -> None:
        """Refuse a result with two rows for a key, or with an empty measure."""
        places = [names.index(part) for part in self.table.key]
        keys = Counter(tuple(row[place] for place in places) for row in rows)
        twice = next((key for key, count in keys.items() if count > 1), None)
        if twice is not None:
            raise self._error(
                f"the result has several rows for one key, such as {_listed(map(str, twice))}. Group by"
                f" {_listed(self.table.key)} and nothing else."
            )
        for name in sorted(measures_of(self.table)):
            if any(row[names.index(name)] is None for row in rows):
                raise self._error(f"'{name}' may be empty. Write coalesce({name}, 0), so that every key has a number.")

    def _unrounded(self) -> str:
        """Return the SQL with casts to money in the place of those that may round."""
        (text,) = self.connection.execute("select json_serialize_sql(?)", [self.table.sql]).fetchone() or ("{}",)
        document = json.loads(text)
        for node in nodes(document):
            if node.get("class") == "CAST":
                _widen(node)
        (sql,) = self.connection.execute("select json_deserialize_sql(?)", [json.dumps(document)]).fetchone() or ("",)
        return str(sql)

    def _error(self, problem: str) -> ContractError:
        return sql_error(self.table, 1, problem)


def _widen(cast: Tree) -> None:
    """Replace, in a tree, the type of a cast to whole numbers or to few digits."""
    kind = cast.get("type_expr", {})
    digits = [child.get("literal", {}).get("text") for child in kind.get("children", ())]
    name = str(kind.get("type_name", "")).lower()
    is_short = name == "decimal" and (len(digits) < 2 or int(digits[1]) < int(_UNROUNDED[1]))
    if name in {"bigint", "int", "integer"} or is_short:
        constant = {"class": "CONSTANT", "type": "VALUE_CONSTANT", "alias": ""}
        kind |= {
            "type_name": "DECIMAL",
            "children": [constant | {"literal": {"kind": "INTEGER", "text": text}} for text in _UNROUNDED],
            "qualified_name": {"path": ["DECIMAL"]},
        }


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)
