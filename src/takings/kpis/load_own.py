"""Load the KPI tables of a shop's own: `kpis/<name>.yaml` and `kpis/<name>.sql` in the folder of contracts.

What the SQL means is checked where there is a database (`adapters/duckdb/own_sql.py`): a function has none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import yaml

from takings.contracts.model import Contracts
from takings.contracts.yaml_nodes import LONGEST, Entry, read_document, suggestion
from takings.errors import ContractError
from takings.kpis.columns import KINDS, KpiColumn
from takings.kpis.declared_checks import DeclaredCheck, parse_check
from takings.kpis.definitions import KpiTable, OwnTable
from takings.kpis.own_views import DAY, ITEMS, ORDERS, OwnViews, own_views

FOLDER: Final = "kpis"
KEYS: Final = ("table", "key", "columns", "checks")
DESCRIPTIVE: Final = ("description",)
#: what stands beside the first measure, by kind
_BESIDE: Final = {"count": ("less",), "money": ("less",), "percent": ("of", "less"), "average": ("per", "less")}
_NEEDED: Final = {"percent": "of", "average": "per"}
_TABLE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
_COLUMN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
#: what readers find beside a row's columns
_RESERVED: Final = frozenset(
    {"commit", "batch_id", "computed_at", "definition", "unfinished", "incomplete", "stale", "warning"}
    | {"kpi_table", "table_day", "grain", "parts", "row_count"}
)
_TAKEN: Final = ("OrderKPIs", "CategoryKPIs", "ProcessedFiles", "PendingBatches", "OwnKPIs")


def load_own_tables(folder: Path | None, contracts: Contracts) -> tuple[KpiTable, ...]:
    """Return the tables of a folder of contracts, by name; none for the shipped contracts, or without a folder `kpis`.

    ContractError, with file, line and remedy, where one cannot be used.
    """
    kpis = None if folder is None else folder / FOLDER
    if kpis is None or not kpis.is_dir():
        return ()
    views = own_views(contracts)
    tables: dict[str, tuple[KpiTable, Entry]] = {}
    for path in _files(kpis):
        table, place = _load(path, views)
        if table.name.lower() in {taken.lower() for taken in _TAKEN}:
            raise place.error(f"'{table.name}' is a table of Takings. Give this one another name.")
        _, other = tables.setdefault(table.name.lower(), (table, place))
        if other is not place:
            raise place.error(f"'{table.name}' is the table of {other.source} already; case makes no difference.")
    return tuple(table for _, (table, _) in sorted(tables.items()))


def _files(folder: Path) -> Iterator[Path]:
    """Yield each YAML file that has SQL beside it; refuse one without the other."""
    names = sorted(path for path in folder.iterdir() if path.suffix in {".yaml", ".sql"} and path.name[0] != ".")
    for path in names:
        other = path.with_suffix(".sql" if path.suffix == ".yaml" else ".yaml")
        if not other.is_file():
            needed = "the SQL of its measures" if path.suffix == ".yaml" else "the definition of its columns"
            raise ContractError(f"{path}:1: {other.name} is missing. Write {needed} beside it, or remove {path.name}.")
        if path.suffix == ".yaml":
            yield path


def _load(path: Path, views: OwnViews) -> tuple[KpiTable, Entry]:
    document = read_document(_text(path), str(path))
    fields = document.fields(KEYS, DESCRIPTIVE)
    for needed in ("table", "key", "columns"):
        if needed not in fields:
            raise document.error(f"the table lacks '{needed}'. Add it, as docs/kpis.md shows.")
    name = fields["table"].text()
    if not _TABLE.fullmatch(name):
        raise fields["table"].error(f"a table cannot be called '{name}'. Use letters, digits and '_'; a letter first.")
    key = _key(fields["key"], views)
    entries = _members(fields["columns"])
    columns = tuple(_column(entry) for entry in entries)
    _check_names(entries, key)
    lines = {entry.name: entry.line for entry in entries} | {"key": fields["key"].line}
    table = KpiTable(
        name=name,
        key=key,
        columns=columns,
        sql=_text(sql := path.with_suffix(".sql")),
        own=OwnTable(
            sql_file=str(sql),
            yaml_file=str(path),
            lines=lines,
            views=views,
            checks=_checks(fields.get("checks"), key, columns),
        ),
    )
    return table, fields["table"]


def _key(entry: Entry, views: OwnViews) -> tuple[str, ...]:
    """Return the grain, the day last: readers sort by it, as they do for categories."""
    items = entry.entries("column")
    names = [item.text() for item in items]
    known = views.columns[ORDERS] | views.columns[ITEMS]
    for item, name in zip(items, names, strict=True):
        if name.lower() not in known:
            raise item.error(
                f"neither '{ORDERS}' nor '{ITEMS}' has a column '{name}'.{suggestion(name, known)} Name one that they have, or"
                " add yours to the contract of its file (docs/contracts.md)."
            )
        if name.lower() in _RESERVED or names.count(name) > 1:
            raise item.error(f"'{name}' cannot be a part of the grain here. Name each column once.")
    if DAY not in names:
        raise entry.error(f"the grain lacks '{DAY}': every table is of days. Add it.")
    return (*(name for name in names if name != DAY), DAY)


def _members(entry: Entry) -> list[Entry]:
    """Return the values of a mapping whose keys are names of the shop's own."""
    if not isinstance(entry.node, yaml.MappingNode) or not entry.node.value:
        raise entry.error(f"'{entry.name}' must hold lines such as 'revenue: {{money: revenue}}'.")
    return [
        Entry(source=entry.source, name=str(key.value), line=key.start_mark.line + 1, node=value)
        for key, value in entry.node.value
    ]


def _check_names(entries: list[Entry], key: tuple[str, ...]) -> None:
    seen: dict[str, int] = {}
    for entry in entries:
        name = entry.name.lower()
        if not _COLUMN.fullmatch(entry.name):
            raise entry.error(f"a column cannot be called '{entry.name}'. Use letters, digits and '_'.")
        if name in _RESERVED or name in {part.lower() for part in key}:
            raise entry.error(f"the name '{entry.name}' is taken in every row. Give the column another one.")
        if name in seen:
            raise entry.error(f"'{entry.name}' stands in line {seen[name]} already; case makes no difference.")
        seen[name] = entry.line


def _column(entry: Entry) -> KpiColumn:
    fields = entry.fields((*KINDS, "of", "per", "less"))
    kinds = [kind for kind in KINDS if kind in fields]
    if len(kinds) != 1:
        raise entry.error(f"'{entry.name}' must be one of {', '.join(KINDS)}, such as {{money: revenue}}.")
    kind = kinds[0]
    allowed = (kind, *_BESIDE.get(kind, ("less",)))
    for name, field in fields.items():
        if name not in allowed:
            raise field.error(f"'{name}' has no meaning beside '{kind}'. Known here: {', '.join(allowed)}.")
    needed = _NEEDED.get(kind)
    if needed is not None and needed not in fields:
        raise entry.error(f"'{entry.name}' lacks '{needed}': what '{kind}' divides by. Add a measure.")
    return KpiColumn(
        name=entry.name,
        kind=kind,
        measure=fields[kind].text(),
        per=None if needed is None else fields[needed].text(),
        less=tuple(item.text() for item in fields["less"].entries("measure")) if "less" in fields else (),
        is_bounded=False,
    )


def _checks(entry: Entry | None, key: tuple[str, ...], columns: tuple[KpiColumn, ...]) -> tuple[DeclaredCheck, ...]:
    return tuple(_check(item, key, columns) for item in (entry.entries("check") if entry else ()))


def _check(item: Entry, key: tuple[str, ...], columns: tuple[KpiColumn, ...]) -> DeclaredCheck:
    """Read `revenue >= 0`, or `{warn: revenue >= 0}` for one that does not keep the table from being published."""
    warns = not item.is_scalar()
    place = item.fields(("warn",)).get("warn") if warns else item
    if place is None:
        raise item.error("a check is a line such as 'revenue >= 0', or {warn: revenue >= 0}.")
    known = {column.name for column in columns} | {measure for column in columns for measure in column.measures}
    check = parse_check(place.text(), line=place.line, only_warns=warns, known=known)
    if check is None:
        raise place.error(
            f"'{place.text()}' is no check. Write 'revenue >= 0', or 'sum revenue over category ="
            " OrderKPIs.total_revenue'; what is summed can be left out where it is called 'total_revenue' or 'revenue'."
        )
    if check.is_sum and check.table is None and not check.right.lstrip("-")[0].isdigit():
        raise place.error("a day's sum is compared with a number, or with a column of a table by day.")
    if check.table is not None and not check.is_sum:
        raise place.error("a column of another table is compared with a day's sum. Write 'sum … over …'.")
    grain = set(key) - {DAY}
    if check.is_sum and check.over and set(check.over) != grain:
        raise place.error(f"a sum goes over the whole grain beside the day: over {', '.join(sorted(grain))}.")
    return check


def _text(path: Path) -> str:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ContractError(f"{path}:{line}: the file is not UTF-8. Save it as UTF-8.") from error
    except OSError as error:
        raise ContractError(f"{path}:1: the file cannot be read ({error.strerror}). Mend that or remove it.") from error
    if len(text) > LONGEST:
        raise ContractError(f"{path}:1: the file is larger than {LONGEST:,} characters. Write what the table needs.")
    return text


__all__ = ["FOLDER", "load_own_tables"]
