"""Find what a KPI table's own SQL must not do, in the tree of DuckDB's parser.

Allowed is what gives the same on DuckDB and Spark, exactly, from the rows of one day alone. All else is refused with a
remedy; what is left in doubt, the sample shop decides (`own_sql.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from takings.adapters.duckdb.query_tree import SqlFault, Tree, ctes, location, nodes
from takings.kpis.own_views import DAY, ITEMS, ORDERS

AGGREGATES: Final = frozenset({"count", "count_star", "count_if", "sum", "min", "max", "bool_and", "bool_or"})
_SCALARS: Final = frozenset(
    {"+", "-", "*", "||", "~~", "!~~", "nullif", "abs", "greatest", "least", "year", "month", "day", "quarter"}
)
#: why a function is refused, where there is something to say
_WHY: Final[Mapping[str, str]] = {
    "/": "rounds on one engine and not on the other. Declare a percent, an average or a share in the YAML file",
    "//": "is not known to Spark. Declare a percent, an average or a share in the YAML file",
    "avg": "rounds. Select sum and count, and declare {average: …, per: …} in the YAML file",
    "mean": "rounds. Select sum and count, and declare {average: …, per: …} in the YAML file",
    "round": "rounds, and numbers are rounded once, when they are published. Leave it out",
}
_CLASSES: Final = frozenset(
    {"COLUMN_REF", "CONSTANT", "COMPARISON", "CONJUNCTION", "FUNCTION", "CASE", "CAST", "OPERATOR", "BETWEEN"}
    | {"STAR", "WINDOW", "TYPE"}
)
_OPERATORS: Final = frozenset(
    {"OPERATOR_COALESCE", "OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL", "OPERATOR_NOT", "COMPARE_IN", "COMPARE_NOT_IN"}
)
_RANKS: Final = frozenset({"rank", "dense_rank"})
_CASTS: Final = frozenset({"bigint", "int", "integer", "decimal", "date"})
_JOINS: Final = frozenset({"REGULAR", "CROSS"})
_JOIN_KINDS: Final = frozenset({"INNER", "LEFT", "RIGHT", "OUTER", "SEMI", "ANTI"})


def find_fault(tree: Tree, sql: str) -> SqlFault | None:
    """Return the first thing in a query that is refused."""
    first = next((word for line in sql.splitlines() if (word := line.partition("--")[0].strip())), "")
    if not first.lower().startswith(("select", "with", "(", "/*")):
        return SqlFault(
            location=0, problem="Spark reads no query that begins like this. Begin with 'select' or 'with'."
        )
    named = {str(entry["key"]).lower() for node in nodes(tree) for entry in ctes(node)}
    return next((fault for node in nodes(tree) for fault in _faults(node, named)), None)


def _faults(node: Tree, named: Collection[str]) -> Iterator[SqlFault]:
    kind = str(node.get("type", ""))
    if kind.endswith("_NODE"):
        yield from _of_query(node)
    if isinstance(node.get("from_table"), dict):
        yield from _of_table(node["from_table"], named)
    written = node.get("class")
    if isinstance(written, str):
        check = _CHECKS.get(written)
        if written not in _CLASSES:
            yield _fault(node, _OTHERS.get(written, "this is not the same on every engine. Write it with plain SQL."))
        elif check is not None:
            yield from check(node)


def _of_query(node: Tree) -> Iterator[SqlFault]:
    if node["type"] not in {"SELECT_NODE", "SET_OPERATION_NODE"}:
        yield _fault(node, "a query of this kind is not the same on every engine. Write it as a 'select'.")
        return
    modifiers = [each for each in node.get("modifiers", ()) if isinstance(each, dict)]
    if any("LIMIT" in str(each.get("type")) for each in modifiers):
        yield _fault(node, "a limit keeps some rows of the whole, not of each day. Leave it out.")
    if any(each.get("distinct_on_targets") for each in modifiers):
        yield _fault(
            node, "'distinct on' takes any row, and Spark does not know it. Group by columns, with min or max."
        )
    for clause in ("qualify", "sample"):
        if node.get(clause):
            yield _fault(node, f"'{clause}' is not the same on every engine. Write a condition instead.")
    if len(node.get("group_sets", ())) > 1:
        yield _fault(node, "several groupings in one query make rows that are no key of the grain. Group once.")
    if node["type"] == "SELECT_NODE" and _aggregates(node) and not _is_of_days(node):
        yield _fault(
            node,
            f"this query sums up rows of several days: it does not group by '{DAY}'. Add '{DAY}' to its 'group by'.",
        )


def _aggregates(node: Tree) -> bool:
    """Return whether a query makes one row of several; its subqueries are looked at by themselves."""
    if node.get("group_expressions") or node.get("aggregate_handling") == "FORCE_AGGREGATES":
        return True
    parts = [node.get("select_list", []), node.get("having", [])]
    return any(_holds_aggregate(part) for part in parts)


def _holds_aggregate(value: object) -> bool:
    if isinstance(value, list):
        return any(map(_holds_aggregate, value))
    if not isinstance(value, dict) or str(value.get("type", "")).endswith("_NODE"):
        return False
    if value.get("class") == "FUNCTION" and _name(value) in AGGREGATES:
        return True
    return value.get("class") != "WINDOW" and any(map(_holds_aggregate, value.values()))


def _is_of_days(node: Tree) -> bool:
    """Return whether a query groups by the day, also by its place or its name in what is selected."""
    selected: Sequence[Any] = node.get("select_list", [])
    if node.get("aggregate_handling") == "FORCE_AGGREGATES":
        return any(map(_is_day, selected))
    days = {str(each.get("alias")).lower() for each in selected if _is_day(each) and each.get("alias")}
    for each in node.get("group_expressions", []):
        place = str(each.get("literal", {}).get("text", "")) if each.get("class") == "CONSTANT" else ""
        if _is_day(each) or (place.isdigit() and 0 < int(place) <= len(selected) and _is_day(selected[int(place) - 1])):
            return True
        if [str(part).lower() for part in each.get("column_names", ())][-1:] in [[day] for day in days]:
            return True
    return False


def _is_day(node: Tree) -> bool:
    names = [str(part).lower() for part in node.get("column_names", ())]
    return names[-1:] == [DAY]


def _of_table(table: Tree, named: Collection[str]) -> Iterator[SqlFault]:
    match table.get("type"):
        case "BASE_TABLE":
            path = table.get("qualified_name", {}).get("path", [table.get("table_name", "")])
            if len(path) != 1 or path[0].lower() not in {ORDERS, ITEMS, *named}:
                yield _fault(table, f"there is no '{'.'.join(path)}' here. Select from '{ORDERS}' or '{ITEMS}'.")
        case "JOIN":
            if table.get("ref_type", "REGULAR") not in _JOINS or table.get("join_type", "INNER") not in _JOIN_KINDS:
                yield _fault(table, "a join of this kind is not the same on every engine. Join by columns with 'on'.")
            for side in ("left", "right"):
                yield from _of_table(table.get(side, {}), named)
        case "SUBQUERY":
            pass
        case _:
            yield _fault(table, f"this cannot be read here. Select from '{ORDERS}' or '{ITEMS}'.")
    if table.get("sample"):
        yield _fault(table, "a sample takes other rows each time. Select the rows by a condition.")
    if table.get("column_name_alias"):
        yield _fault(table, "name the columns where they are selected, not behind the table.")


def _of_function(node: Tree) -> Iterator[SqlFault]:
    function = _name(node)
    arguments = [each.get("expression", {}) for each in node.get("arguments", ())]
    if function == "date_part":
        part = arguments[0].get("literal", {}).get("text", "") if arguments else ""
        if str(part).lower() not in {"year", "month", "day", "quarter"}:
            yield _fault(node, f"'{part}' of a date is not the same on every engine. Use year, month, day or quarter.")
        return
    if function not in AGGREGATES | _SCALARS:
        why = _WHY.get(function, "is not known to give the same on every engine")
        yield _fault(node, f"'{function}' {why}. Allowed are {_listed(AGGREGATES | _SCALARS)}, case and coalesce.")
    elif node.get("order_bys", {}).get("orders") or (node.get("distinct") and len(arguments) != 1):
        yield _fault(node, f"write '{function}' with one column and without an order: engines differ in the rest.")
    elif function in {"~~", "!~~"} and "\\" in str(arguments[-1].get("literal", {}).get("text", "\\")):
        yield _fault(node, "engines differ in patterns with a backslash, or that are no constant. Compare otherwise.")


def _of_window(node: Tree) -> Iterator[SqlFault]:
    function = _name(node)
    if not any(map(_is_day, node.get("partitions", ()))):
        yield _fault(node, f"the window of '{function}' sees several days. Add '{DAY}' to its 'partition by'.")
    if function not in AGGREGATES | _RANKS:
        yield _fault(node, f"'{function}' depends on the order of rows that may be equal. Use rank, or min or max.")
    elif function not in _RANKS and node.get("orders"):
        yield _fault(node, f"an order in the window of '{function}' makes it depend on equal rows. Leave it out.")
    for order in node.get("orders", ()):
        if order.get("type") != "DESCENDING" and order.get("null_order") == "ORDER_DEFAULT":
            yield _fault(
                node, "engines differ in where empty values come. Write 'nulls last' or 'nulls first' behind it."
            )


def _of_cast(node: Tree) -> Iterator[SqlFault]:
    written = str(node.get("type_expr", {}).get("type_name", "")).lower()
    if written not in _CASTS or node.get("try_cast"):
        yield _fault(node, f"engines differ in a cast to '{written}'. Cast to {_listed(_CASTS)} only.")


def _of_operator(node: Tree) -> Iterator[SqlFault]:
    if node.get("type") not in _OPERATORS:
        yield _fault(node, "this operator is not the same on every engine. Write a comparison, case or coalesce.")


def _of_constant(node: Tree) -> Iterator[SqlFault]:
    literal = node.get("literal", {})
    if literal.get("kind") not in {"STRING", "BOOLEAN", "NULL", None} and "e" in str(literal.get("text", "")).lower():
        yield _fault(node, f"{literal['text']} is not exact. Write all its digits.")


def _of_star(node: Tree) -> Iterator[SqlFault]:
    if any(node.get(part) for part in ("exclude_list", "replace_list", "rename_list", "qualified_exclude_list")) or (
        node.get("columns") or node.get("expr")
    ):
        yield _fault(node, "Spark does not know this form of '*'. Name the columns.")


_CHECKS: Final[Mapping[str, Callable[[Tree], Iterator[SqlFault]]]] = {
    "FUNCTION": _of_function,
    "WINDOW": _of_window,
    "CAST": _of_cast,
    "OPERATOR": _of_operator,
    "CONSTANT": _of_constant,
    "STAR": _of_star,
}
_OTHERS: Final[Mapping[str, str]] = {
    "SUBQUERY": f"a query within an expression may read other days. Join it by '{DAY}' instead.",
    "PARAMETER": "a parameter has no value here. Write the value.",
    "LAMBDA": "Spark writes functions of lists otherwise. Do without.",
}


def _listed(words: Collection[str]) -> str:
    return ", ".join(sorted(word for word in words if word not in {"count_star", "~~", "!~~"}))


def _name(node: Tree) -> str:
    return str(node.get("function_name", "")).lower()


def _fault(node: Tree, problem: str) -> SqlFault:
    return SqlFault(location=location(node), problem=problem)
