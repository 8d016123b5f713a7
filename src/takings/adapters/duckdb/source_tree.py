"""Find what would make a source's SQL depend on more than its file's records, in the tree of DuckDB's parser.

Order-free aggregates, rows of one partition and pure functions always give the same; all else has to name an order that is
total, which `_record` makes it, or is refused.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

import duckdb

from takings.adapters.duckdb.query_tree import SqlFault, Tree, ctes, location, nodes
from takings.contracts.sources import RECORD, ROWS

#: aggregates whose result is the same in whatever order values come
_ORDER_FREE: Final = frozenset(
    {"count", "count_star", "count_if", "countif", "sum", "sum_no_overflow", "min", "max", "bool_and", "bool_or"}
    | {"bit_and", "bit_or", "bit_xor"}
)
_ORDER_FREE_WINDOWS: Final = frozenset({"rank", "dense_rank"})
#: macros that stand for pure functions
_MACROS: Final = frozenset({"nullif", "split_part", "if", "date_add", "array_to_string"})
_TABLE_FUNCTIONS: Final = frozenset({"unnest", "range", "generate_series"})
#: their results may change with the version of DuckDB or the machine
_UNSTABLE: Final = {
    "hash": "md5",
    "version": "a constant",
}
_FLOATS: Final = frozenset({"double", "float", "real", "float4", "float8", "double precision"})
#: written without parentheses, they look like columns
_BARE_FUNCTIONS: Final = frozenset(
    {"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp", "current_user", "user"}
    | {"session_user", "current_role", "current_catalog", "current_schema", "rowid"}
)
_TABLES: Final = frozenset({"EMPTY", "SUBQUERY", "EXPRESSION_LIST", "JOIN", "TABLE_FUNCTION", "BASE_TABLE"})
_JOINS_BY_PLACE: Final = frozenset({"POSITIONAL", "ASOF"})


class Functions:
    """What DuckDB says of its functions."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._kinds: dict[str, set[str]] = defaultdict(set)
        self._stabilities: dict[str, set[str | None]] = defaultdict(set)
        self._results: dict[str, set[str]] = defaultdict(set)
        known = connection.execute(
            "select function_name, function_type, stability, return_type from duckdb_functions()"
        )
        for function, kind, stability, result in known.fetchall():
            self._kinds[function].add(kind)
            if kind in {"scalar", "aggregate"}:
                self._stabilities[function].add(stability)
                self._results[function].add(str(result))

    def is_aggregate(self, function: str) -> bool:
        """Return whether a function makes one value of many."""
        return "aggregate" in self._kinds[function]

    def is_pure(self, function: str) -> bool:
        """Return whether a scalar function's result depends on its arguments alone."""
        return "scalar" in self._kinds[function] and self._stabilities[function] == {"CONSISTENT"}

    def is_known(self, function: str) -> bool:
        """Return whether there is such a function at all."""
        return function in self._kinds and bool(self._kinds[function])

    def is_inexact(self, function: str) -> bool:
        """Return whether a function makes binary fractions of every number."""
        return "DOUBLE" in self._results[function] and self._results[function] <= {"DOUBLE", "FLOAT", "INTERVAL"}


def find_fault(tree: Tree, functions: Functions, declared: Collection[str]) -> SqlFault | None:
    """Return the first thing in a query that is refused; `declared` are the source's columns in lower case."""
    named = {entry["key"].lower() for node in nodes(tree) for entry in ctes(node)}
    known = _Known(functions=functions, tables=named | {ROWS}, columns=declared)
    return next((fault for node in nodes(tree) for fault in _faults(node, known)), None)


@dataclass(frozen=True, kw_only=True)
class _Known:
    """What names in a query may stand for."""

    functions: Functions
    tables: Collection[str]
    columns: Collection[str]


def _faults(node: Tree, known: _Known) -> Iterator[SqlFault]:
    yield from _of_query(node)
    if isinstance(node.get("from_table"), dict):
        yield from _of_table(node["from_table"], known)
    match node.get("class"):
        case "WINDOW":
            yield from _of_window(node)
        case "FUNCTION":
            yield from _of_function(node, known)
        case "CAST":
            yield from _of_cast(node)
        case "COLUMN_REF":
            yield from _of_column(node, known)
        case "PARAMETER":
            yield _fault(node, "a parameter has no value here. Write the value.")


def _of_query(node: Tree) -> Iterator[SqlFault]:
    """Yield what is wrong with a query as a whole: recursion, samples, and parts of rows without an order."""
    if node.get("type") == "RECURSIVE_CTE_NODE":
        yield _fault(node, "a recursive query may never end. Write it without recursion.")
    if isinstance(node.get("sample"), dict):
        yield _fault(node, "a sample takes other rows each time. Select the rows by a condition.")
    modifiers = [each for each in node.get("modifiers", ()) if isinstance(each, dict)]
    orders = [order for each in modifiers if each.get("type") == "ORDER_MODIFIER" for order in each.get("orders", ())]
    for modifier in modifiers:
        if modifier.get("type") in {"LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER"} and not _is_total(orders):
            yield _fault(modifier, f"a limit takes any rows. Add an 'order by' that ends with {RECORD}.")
        if modifier.get("distinct_on_targets") and not _is_total(orders):
            yield _fault(modifier, f"'distinct on' takes any row. Add an 'order by' that ends with {RECORD}.")


def _of_table(table: Tree, known: _Known) -> Iterator[SqlFault]:
    kind = table.get("type")
    if kind not in _TABLES:
        yield _fault(table, f"'{kind}' cannot be read here. Select from '{ROWS}'.")
    if isinstance(table.get("sample"), dict):
        yield _fault(table, "a sample takes other rows each time. Select the rows by a condition.")
    if kind == "BASE_TABLE":
        path = table.get("qualified_name", {}).get("path", [table.get("table_name", "")])
        if len(path) != 1 or path[0].lower() not in known.tables:
            yield _fault(table, f"there is no '{'.'.join(path)}' here. The file's records are in '{ROWS}'.")
    if kind == "TABLE_FUNCTION" and _name(table.get("function", {})) not in _TABLE_FUNCTIONS:
        yield _fault(
            table, f"'{_name(table.get('function', {}))}' reads more than the file's records. Select from '{ROWS}'."
        )
    if kind == "JOIN":
        if table.get("ref_type") in _JOINS_BY_PLACE:
            yield _fault(
                table, f"a join of the kind {table['ref_type']} depends on the order of rows. Join by columns."
            )
        for side in ("left", "right"):
            yield from _of_table(table.get(side, {}), known)


def _of_window(node: Tree) -> Iterator[SqlFault]:
    function, orders = _name(node), node.get("orders", [])
    if not node.get("partitions"):
        yield _fault(node, f"the window of '{function}' holds the whole file. Add 'partition by'.")
    is_free = function in _ORDER_FREE | _ORDER_FREE_WINDOWS and (not orders or not _counts_rows(node))
    within = [] if orders else node.get("arg_orders", [])
    if not is_free and not _is_total([*orders, *within]):
        yield _fault(
            node, f"'{function}' depends on the order of rows that may be equal. Let its 'order by' end with {RECORD}."
        )


def _counts_rows(node: Tree) -> bool:
    """Return whether a window's frame is of so many rows: which of equal ones are in it is left open."""
    frame = f"{node.get('start', '')} {node.get('end', '')}"
    return "ROWS" in frame or ("EXPR" in frame and "RANGE" not in frame and "GROUPS" not in frame)


def _of_function(node: Tree, known: _Known) -> Iterator[SqlFault]:
    function, functions = _name(node), known.functions
    if function in _TABLE_FUNCTIONS or function in _MACROS or not functions.is_known(function):
        return  # what does not exist is refused when the query is run
    if function in _UNSTABLE:
        yield _fault(node, f"'{function}' changes with the version of DuckDB. Use {_UNSTABLE[function]}.")
    elif functions.is_aggregate(function):
        orders = node.get("order_bys", {}).get("orders", [])
        if function not in _ORDER_FREE and (functions.is_inexact(function) or function in {"avg", "mean"}):
            yield _fault(node, f"'{function}' is not exact. Sum whole cents and divide them with //.")
        elif function not in _ORDER_FREE and not _is_total(orders):
            yield _fault(
                node,
                f"'{function}' depends on the order of rows. Write an 'order by' in it that ends with {RECORD}, or use"
                " min or max.",
            )
    elif not functions.is_pure(function):
        yield _fault(node, f"'{function}' does not depend on the file's records alone. Select it from '{ROWS}'.")
    elif functions.is_inexact(function):
        yield _fault(node, f"'{function}' is not exact. Compute with whole cents, and divide them with //.")


def _of_cast(node: Tree) -> Iterator[SqlFault]:
    kind = node.get("type_expr") or node.get("cast_type") or {}
    written = str(kind.get("type_name") or kind.get("id") or "").lower() if isinstance(kind, dict) else ""
    if written in _FLOATS:
        yield _fault(node, f"{written} is not exact. Cast to decimal(18, 2).")


def _of_column(node: Tree, known: _Known) -> Iterator[SqlFault]:
    names = [str(part).lower() for part in node.get("column_names", ())]
    if names and names[-1] in _BARE_FUNCTIONS and names[-1] not in known.columns:
        yield _fault(node, f"'{names[-1]}' does not depend on the file's records alone. Select a column of '{ROWS}'.")


def _is_total(orders: Collection[Tree]) -> bool:
    """Return whether an order tells all rows apart: `_record` is a part of it."""
    columns = [order.get("expression", {}).get("column_names", [""]) for order in orders]
    return any(names and str(names[-1]).lower() == RECORD for names in columns)


def _name(node: Tree) -> str:
    return str(node.get("function_name", "")).lower()


def _fault(node: Tree, problem: str) -> SqlFault:
    return SqlFault(location=location(node), problem=problem)
