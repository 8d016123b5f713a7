"""Find which columns of its tables a query reads, in the tree of DuckDB's parser; in doubt a column counts as read.

A name without a table may be of any table of its query or of one around it. A name of a derived table is none of a table's
own: the query that derives it has named what it reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from takings.adapters.duckdb.query_tree import Tree, ctes

#: table -> its columns, all in lower case
Columns = Mapping[str, frozenset[str]]


def read_columns(tree: Tree, tables: Columns) -> Columns:
    """Return the columns that a query reads of each of these tables; a table that it does not name has none."""
    reading = _Reading(tables=tables)
    reading.query(tree, [], frozenset())
    return {table: frozenset(columns) for table, columns in reading.found.items()}


@dataclass(frozen=True)
class _Reading:
    """What was found so far."""

    tables: Columns
    found: dict[str, set[str]] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "found", {table: set() for table in self.tables})

    def query(self, node: Tree, around: Sequence[_Scope], derived: frozenset[str]) -> None:
        """Read a query; `around` are the scopes that its names may mean as well, `derived` the names of CTEs."""
        for entry in ctes(node):
            self._value(entry["value"], around, derived)
            derived |= {str(entry["key"]).lower()}
        scope = _Scope()
        scopes = [scope, *around]
        if isinstance(node.get("from_table"), dict):
            self._from(node["from_table"], scope, scopes, derived)
        for name, value in node.items():
            if name not in {"cte_map", "from_table"}:
                self._value(value, scopes, derived)

    def _from(self, table: Tree, scope: _Scope, scopes: Sequence[_Scope], derived: frozenset[str]) -> None:
        match table.get("type"):
            case "BASE_TABLE":
                name = str(table.get("table_name", "")).lower()
                alias = str(table.get("alias") or name).lower()
                scope.tables[alias] = name if name in self.tables and name not in derived else None
            case "JOIN":
                for side in ("left", "right"):
                    self._from(table[side], scope, scopes, derived)
                if table.get("ref_type") == "NATURAL":
                    self._every(scopes, None)
                for column in table.get("using_columns", ()):
                    self._name([column], scopes)
                self._value(table.get("condition"), scopes, derived)
            case "SUBQUERY":
                scope.tables[str(table.get("alias") or "").lower()] = None
                self._value(table.get("subquery"), scopes, derived)
            case _:
                self._value(table, scopes, derived)

    def _value(self, value: object, scopes: Sequence[_Scope], derived: frozenset[str]) -> None:
        if isinstance(value, list):
            for each in value:
                self._value(each, scopes, derived)
        elif isinstance(value, dict):
            if str(value.get("type", "")).endswith("_NODE"):
                self.query(value, scopes, derived)
            elif value.get("class") == "COLUMN_REF":
                self._name([str(part) for part in value.get("column_names", ())], scopes)
            elif value.get("class") == "STAR":
                self._every(scopes, value.get("relation_name"))
            else:
                for each in value.values():
                    self._value(each, scopes, derived)

    def _name(self, parts: Sequence[str], scopes: Sequence[_Scope]) -> None:
        """Note a column by its name: of its table, or of every table that has one of that name."""
        names = [part.lower() for part in parts]
        for scope in scopes:
            if len(names) > 1 and names[-2] in scope.tables:
                self._note(scope.tables[names[-2]], {names[-1]})
                return
        for scope in scopes:
            for table in scope.tables.values():
                # A name of two parts may be a part of a column as well.
                self._note(table, set(names))

    def _every(self, scopes: Sequence[_Scope], relation: object) -> None:
        """Note every column of a table, or of all of them."""
        for scope in scopes:
            for alias, table in scope.tables.items():
                if table is not None and relation in (None, "", alias):
                    self._note(table, set(self.tables[table]))

    def _note(self, table: str | None, names: set[str]) -> None:
        if table is not None:
            self.found[table] |= names & self.tables[table]


@dataclass(frozen=True)
class _Scope:
    """The tables of one query, by alias; None: a derived table."""

    tables: dict[str, str | None] = field(default_factory=dict)
