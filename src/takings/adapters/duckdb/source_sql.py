"""Check the SQL of sources when contracts are loaded: it can be run, it is deterministic, and it yields what contracts ask for.

It is run on an empty table of the source's columns. What could give other rows for the same records is refused; the query is
looked at as DuckDB's own parser understands it (`source_tree.py`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

import duckdb

from takings.adapters.duckdb.locked import open_locked
from takings.adapters.duckdb.query_tree import SqlFault, Tree, line_of, parse
from takings.adapters.duckdb.source_rows import PLACES, statement
from takings.adapters.duckdb.source_tree import Functions, find_fault
from takings.adapters.duckdb.sql import name
from takings.contracts.model import Contract, Contracts
from takings.contracts.sources import LINE, RECORD, ROWS, Source, SourceQuery
from takings.errors import ContractError
from takings.validation.header import check_header
from takings.validation.source_columns import made_contract

_WHOLE: Final = re.compile(r"U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)")
_TEXTUAL: Final = re.compile(
    rf'{_WHOLE.pattern}|VARCHAR|BOOLEAN|DATE|DECIMAL\(.*\)|TIMESTAMP( WITH TIME ZONE|_S|_MS|_NS)?|"NULL"|UUID|ENUM\(.*\)'
)


def checked(contracts: Contracts) -> Contracts:
    """Return the contracts; ContractError, with file, line and remedy, where a source's SQL cannot be used with them."""
    if not contracts.sources:
        return contracts
    with open_locked() as connection:
        functions = Functions(connection)
        for source in contracts.sources.by_name.values():
            for query in source.queries:
                _check(connection, source, query, contracts[query.dataset], functions)
    return contracts


def _check(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    query: SourceQuery,
    contract: Contract,
    functions: Functions,
) -> None:
    tree = _parse(connection, query)
    declared = {column.lower() for column in source.columns}
    if fault := find_fault(tree, functions, declared):
        raise _error(query, _line(query, fault.location), fault.problem)
    columns = _describe(connection, source, query)
    _check_columns(query, columns)
    header = tuple(column for column in columns if column not in PLACES)
    if missing := check_header(made_contract(source, contract), header):
        problem = missing.reason.replace("the header", f"the SQL of '{query.dataset}'").partition(". ")[0]
        raise _error(query, 1, f"{problem}. Let it select every mandatory column of the contract under its name.")


def _parse(connection: duckdb.DuckDBPyConnection, query: SourceQuery) -> Tree:
    """Return the query as DuckDB's parser understands it; ContractError unless it is one SELECT."""
    tree = parse(connection, query.sql)
    if isinstance(tree, SqlFault):
        raise _error(query, _line(query, tree.location), tree.problem)
    return tree


def _describe(connection: duckdb.DuckDBPyConnection, source: Source, query: SourceQuery) -> dict[str, str]:
    """Return names and types of what the query yields, found by running it on no record."""
    columns = ", ".join(f"{name(column)} varchar" for column in source.columns)
    connection.execute(f"create or replace table {ROWS} ({RECORD} bigint, {LINE} bigint, {columns})")
    try:
        # Only when it is run, too, constants are computed.
        connection.execute(f"create or replace table made as\n{statement(query)}")
        described = connection.execute("describe made").fetchall()
        _check_names(query, [column for column, *_ in connection.execute(statement(query)).description or ()])
    except duckdb.Error as failed:
        # The query begins in the second line of what was run.
        found = re.search(r"^LINE (\d+):", str(failed), re.MULTILINE)
        problem = str(failed).partition("\n")[0].rstrip(".")
        line = max(int(found[1]) - 1, 1) if found else 1
        raise _error(query, line, f"{problem}. Correct the SQL.") from failed
    return {column: kind for column, kind, *_ in described}


def _check_names(query: SourceQuery, names: Sequence[str]) -> None:
    """Refuse a query that yields two columns of one name: a table would get one of them under another name."""
    counts = Counter(name.lower() for name in names)
    twice = next((name for name in names if counts[name.lower()] > 1), None)
    if twice is not None:
        raise _error(query, 1, f"the SQL yields '{twice}' twice; case makes no difference. Keep one of them.")


def _check_columns(query: SourceQuery, columns: dict[str, str]) -> None:
    """Refuse a query without the place of its rows, or with values that are no text."""
    for place in PLACES:
        if not _WHOLE.fullmatch(columns.get(place, "")):
            raise _error(
                query,
                1,
                f"the SQL yields no '{place}', or not as a whole number. Select min({RECORD}) as {RECORD} and min({LINE}) as"
                f" {LINE} of the records that a row is made of.",
            )
    for column, kind in columns.items():
        if kind in {"DOUBLE", "FLOAT"}:
            raise _error(
                query,
                1,
                f"'{column}' is {kind}, which is not exact. Cast texts to decimal(18, 2), and compute fractions of whole"
                " cents with //.",
            )
        if not _TEXTUAL.fullmatch(kind):
            raise _error(query, 1, f"'{column}' is {kind}, and a field of a file is text. Cast it to varchar.")
        if column.startswith("_takings"):
            raise _error(query, 1, f"'{column}' is a column of quarantine files. Give the column another one.")


def _line(query: SourceQuery, location: int) -> int:
    return line_of(query.sql, location)


def _error(query: SourceQuery, line: int, problem: str) -> ContractError:
    return ContractError(f"{query.place}:{line}: {problem}")
