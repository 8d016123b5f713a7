"""Load sources: `sources/<name>/source.yaml` and its SQL files in the folder of contracts.

What the SQL means is checked where there is a database (`adapters/duckdb/source_sql.py`): a function has none.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from takings.contracts.datasets import Dataset, SourceName, is_source_name
from takings.contracts.model import Contract
from takings.contracts.read_file_format import read_file_format
from takings.contracts.sources import LINE, NO_SOURCES, RECORD, Source, SourceQuery, Sources
from takings.contracts.yaml_nodes import LONGEST, Entry, read_document, suggestion
from takings.errors import ContractError

FOLDER: Final = "sources"
FILE: Final = "source.yaml"
KEYS: Final = ("rawData", "takingsFile", "columns", "optionalColumns", "datasets", "standIns")
DESCRIPTIVE: Final = ("description",)
_NO_COLUMNS: Final = (RECORD, LINE, "rowid")
#: one part of a key that is neither hidden nor spelt otherwise on some system
_RAW_FOLDER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_ .-]{0,98}[A-Za-z0-9_-]|[A-Za-z0-9_]")
_TAKEN: Final = ("products", "orders", "order-items", "order_items")
_SQL: Final = ".sql"


def load_sources(contracts: Path | None, by_dataset: Mapping[Dataset, Contract]) -> Sources:
    """Return the sources of a folder whose contracts were read; none for the shipped one, or without a folder `sources`."""
    folder = None if contracts is None else contracts / FOLDER
    if folder is None or not folder.is_dir():
        return NO_SOURCES
    names = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    versioned = {dataset for dataset, contract in by_dataset.items() if contract.version_column is not None}
    by_name: dict[SourceName, Source] = {}
    places: dict[str, Entry] = {}
    for path in names:
        source, place = _load(path, versioned)
        other = places.setdefault(source.folder.lower(), place)
        if other is not place:
            raise place.error(
                f"raw-data/{source.folder} is already the folder of {other.source}. Give each source its own 'rawData'."
            )
        by_name[source.name] = source
    return Sources(by_name)


def _load(folder: Path, versioned: Collection[Dataset]) -> tuple[Source, Entry]:
    path = folder / FILE
    if not is_source_name(folder.name):
        raise ContractError(
            f"{path}:1: a source cannot be called '{folder.name}'. Name its folder with lower-case letters, digits,"
            " '-' and '_', beginning with a letter, and not as a dataset."
        )
    if not path.is_file():
        raise ContractError(f"{path}:1: the source has no {FILE}. Add it, or remove the folder.")
    document = read_document(_text(path), str(path))
    fields = document.fields(KEYS, DESCRIPTIVE)
    for key in ("columns", "datasets"):
        if key not in fields:
            raise document.error(f"the source lacks '{key}'. Add it.")
    place = fields.get("rawData", document)
    columns = _columns(fields["columns"], {})
    optional = _columns(fields["optionalColumns"], columns) if "optionalColumns" in fields else {}
    source = Source(
        name=SourceName(folder.name),
        folder=_raw_folder(fields.get("rawData"), folder.name),
        columns=(*columns.values(), *optional.values()),
        optional=tuple(optional.values()),
        file=read_file_format(fields.get("takingsFile")),
        queries=_queries(fields["datasets"], fields.get("standIns"), folder, versioned),
    )
    return source, place


def _raw_folder(entry: Entry | None, name: str) -> str:
    if entry is None:
        return name
    folder = entry.text().removeprefix("raw-data/").removesuffix("/")
    if folder.lower() in _TAKEN:
        raise entry.error(f"raw-data/{folder} holds the files of a dataset. Name another folder.")
    if not _RAW_FOLDER.fullmatch(folder):
        raise entry.error(
            f"'{folder}' cannot be a folder under raw-data/. Name one folder, with letters, digits, '_', '-', '.' and"
            " spaces."
        )
    return folder


def _columns(entry: Entry, others: Mapping[str, str]) -> dict[str, str]:
    """Return lower-case name -> name of the columns that the SQL may use; those that a database takes for one are refused."""
    lines: dict[str, int] = {}
    names: dict[str, str] = {}
    for item in entry.entries("column"):
        name = item.text()
        if name.lower() in lines or name.lower() in others:
            place = f"on line {lines[name.lower()]}" if name.lower() in lines else "under 'columns'"
            raise item.error(f"the column '{name}' is already {place}; case makes no difference in SQL. Keep one.")
        if name.lower() in _NO_COLUMNS:
            raise item.error(f"'{name}' has a meaning of its own. Rename the column in the file.")
        lines[name.lower()] = item.line
        names[name.lower()] = name
    if not names:
        raise entry.error(f"'{entry.name}' is empty. Name the columns of the file's header that the SQL uses.")
    return names


def _queries(
    entry: Entry, stand_ins: Entry | None, folder: Path, versioned: Collection[Dataset]
) -> tuple[SourceQuery, ...]:
    """Return the SQL of each dataset; a file of SQL that no dataset names is refused."""
    files = entry.fields(list(Dataset))
    if not files:
        raise entry.error("'datasets' is empty. Write a line 'orders: orders.sql' for each dataset.")
    marked = _stand_ins(stand_ins, files, versioned)
    queries = tuple(
        _query(files[dataset], dataset, folder, is_stand_in=dataset in marked)
        for dataset in Dataset
        if dataset in files
    )
    used = {files[query.dataset].text() for query in queries}
    unused = sorted(
        path.name for path in folder.iterdir() if path.name.lower().endswith(_SQL) and path.name not in used
    )
    if unused:
        raise entry.error(f"{folder / unused[0]} is the SQL of no dataset here. Name it, or remove it.")
    return queries


def _stand_ins(entry: Entry | None, files: Mapping[str, Entry], versioned: Collection[str]) -> set[str]:
    """Return the datasets of stand-ins; none may have takingsVersion, by which a row's own instant decides first."""
    marked = set()
    for item in entry.entries("dataset") if entry else []:
        if item.text() not in files:
            raise item.error(f"the source yields no '{item.text()}'.{suggestion(item.text(), files)}")
        if item.text() in versioned:
            raise item.error(
                f"the contract of '{item.text()}' has takingsVersion: the instant in a row decides which is newer, so a"
                " stand-in could outrank a real row. Remove it here, or takingsVersion there."
            )
        marked.add(item.text())
    return marked


def _query(entry: Entry, dataset: Dataset, folder: Path, *, is_stand_in: bool) -> SourceQuery:
    name = entry.text()
    path = folder / name
    if "/" in name or "\\" in name or not name.endswith(_SQL):
        raise entry.error(f"'{name}' cannot hold SQL. Name a file next to {FILE} that ends in {_SQL}.")
    if not path.is_file():
        raise entry.error(f"there is no {path}. Add the SQL that selects the rows of '{dataset}' from 'rows'.")
    return SourceQuery(dataset=dataset, sql=_text(path), place=str(path), is_stand_in=is_stand_in)


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ContractError(f"{path}:{line}: the file is not UTF-8. Save it as UTF-8.") from error
    except OSError as error:
        raise ContractError(f"{path}:1: the file cannot be read ({error.strerror}). Fix that or remove it.") from error
    if len(text) > LONGEST:
        raise ContractError(f"{path}:1: the file is larger than {LONGEST:,} characters. Write what its rows need.")
    return text
