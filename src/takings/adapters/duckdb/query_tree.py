"""Parse SQL that somebody else wrote into the tree of DuckDB's parser."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import duckdb

Tree = Mapping[str, Any]

_PARSE: Final = "select json_serialize_sql(?, skip_null := true, skip_empty := true, skip_default := true)"


@dataclass(frozen=True, kw_only=True)
class SqlFault:
    """Why a query is refused."""

    #: bytes before the place in the query
    location: int
    #: what is wrong and what to do
    problem: str


def parse(connection: duckdb.DuckDBPyConnection, sql: str) -> Tree | SqlFault:
    """Return a query as DuckDB's parser understands it; a fault unless it is one SELECT."""
    (text,) = connection.execute(_PARSE, [sql]).fetchone() or ("{}",)
    tree: dict[str, Any] = json.loads(text)
    if tree.get("error"):
        if tree.get("error_type") == "parser":
            place = int(tree.get("position") or 0)
            return SqlFault(location=place, problem=f"{tree['error_message']}. Correct the SQL.")
        return SqlFault(location=0, problem="only a query can be run. Write one 'select'.")
    statements = tree["statements"]
    if len(statements) != 1:
        return SqlFault(location=0, problem=f"the file holds {len(statements)} queries. Write one 'select'.")
    return dict(statements[0]["node"])


def nodes(value: object) -> Iterator[Tree]:
    """Yield every object of a tree, the outer ones first."""
    if isinstance(value, dict):
        yield value
        for each in value.values():
            yield from nodes(each)
    elif isinstance(value, list):
        for each in value:
            yield from nodes(each)


def ctes(node: Tree) -> list[Tree]:
    """Return the common table expressions of a query, in order: `key` and `value`."""
    found = node.get("cte_map")
    return list(found.get("map", ())) if isinstance(found, dict) else []


def location(node: Tree) -> int:
    """Return where a node begins in the query, in bytes."""
    places = (int(each["query_location"]) for each in nodes(node) if "query_location" in each)
    # What is nowhere in the text has the largest number there is.
    return next((place for place in places if place < 1 << 32), 0)


def line_of(sql: str, place: int) -> int:
    """Return the line of a place in SQL, which the parser counts in bytes."""
    return sql.encode()[:place].count(b"\n") + 1
