"""Look at files that a shop exports, with DuckDB: how each column's values look, and which columns refer to which."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import duckdb

from takings.adapters import scanned_file
from takings.adapters.duckdb.sql import literal
from takings.adapters.duckdb.typing import blank
from takings.adapters.duckdb.validation import csv_source
from takings.adapters.inflation import text_blocks
from takings.adoption.format_guess import guess_format
from takings.adoption.forms import TIMES, patterns
from takings.adoption.looks import NEARLY_ALL, ColumnLook, FileLook
from takings.contracts.file_format import FileFormat
from takings.errors import UsageError
from takings.validation.structure.scan import Structure

#: enough for a header below a page of titles
_HEAD_BYTES: Final = 1 << 16
#: the commonest values of a column that has so few are remembered
_MOST_VALUES: Final = 40
#: a file's first columns; pairs of them may be keys together
_MOST_PAIRED: Final = 12
#: different values of a column that are held against every form
_MOST_EXAMINED: Final = 5_000
_DAY_AND_MONTH: Final = "^([0-9]{1,2})[/.-]([0-9]{1,2})[/.-][0-9]{2}"


@dataclass(frozen=True, kw_only=True)
class _File:
    path: Path
    format: FileFormat
    structure: Structure
    workspace: Path


def look_at(
    connection: duckdb.DuckDBPyConnection, files: Sequence[Path], workspace: Path
) -> tuple[list[FileLook], dict[tuple[int, int, int, int], float]]:
    """Return what is seen in the files, those with one header and format together, and how their columns refer to each other.

    UsageError for a file that is not a CSV file with any delimiter.
    """
    alike: dict[tuple[FileFormat, tuple[str, ...]], list[_File]] = defaultdict(list)
    for file in _in_one_encoding([_scan(path, workspace / str(place)) for place, path in enumerate(files)]):
        alike[file.format, file.structure.header or ()].append(file)
    looks = []
    for at, same in enumerate(alike.values()):
        _load(connection, at, same)
        looks.append(_look(connection, at, same))
    return looks, dict(_containments(connection, looks))


def _scan(path: Path, workspace: Path) -> _File:
    with path.open("rb") as source:
        head = source.read(_HEAD_BYTES)
    if path.name.endswith(".gz"):
        head = scanned_file.first_bytes(path)
    format_ = guess_format(head, is_whole=len(head) < _HEAD_BYTES)
    structure = scanned_file.read_structure(path, workspace, format_)
    if structure.fault is not None and format_.encoding == "utf-8" and structure.broken:
        format_ = replace(format_, encoding="windows-1252")
        structure = scanned_file.read_structure(path, workspace, format_)
    if b"\0" in head and format_.encoding != "utf-16":
        raise UsageError(f"{path}: it is not text. Export it as CSV.")
    if structure.fault is not None:
        raise UsageError(f"{path}: {structure.fault.reason}")
    if structure.records == 0:
        raise UsageError(
            f"{path}: it holds no record, only a header. Export some rows: their values show how to read them."
        )
    return _File(path=path, format=format_, structure=structure, workspace=workspace)


def _in_one_encoding(files: Sequence[_File]) -> Iterator[_File]:
    """Yield the files; those that hold only ASCII, which says nothing, in the one encoding of the others that is not UTF-8."""
    others = {file.format.encoding for file in files} - {"utf-8", "utf-16"}
    for file in files:
        if len(others) == 1 and file.format.encoding == "utf-8" and _is_ascii(file.path):
            yield replace(file, format=replace(file.format, encoding=next(iter(others))))
        else:
            yield file


def _is_ascii(path: Path) -> bool:
    return all(block.isascii() for block in text_blocks(path))


def _load(connection: duckdb.DuckDBPyConnection, at: int, files: Sequence[_File]) -> None:
    """Load the different records of files with one header into the table look_<at>, as text; blank fields are NULL."""
    header = files[0].structure.header or ()
    sources = [csv_source(scanned_file.normal_csv(file.path, file.structure, file.workspace), header) for file in files]
    fields = ", ".join(
        f"case when not {blank(f'_r{place}')} then _r{place} end as c{place}" for place in range(len(header))
    )
    query = " union all ".join(f"select {fields} from {source}" for source in sources)
    connection.execute(f"create or replace temp table look_{at} as select distinct * from ({query})")


def _look(connection: duckdb.DuckDBPyConnection, at: int, files: Sequence[_File]) -> FileLook:
    header = files[0].structure.header or ()
    forms = _forms(connection, at, len(header))
    look = FileLook(
        names=tuple(file.path.name for file in files),
        format=files[0].format,
        records=sum(file.structure.records for file in files),
        broken=sum(file.structure.broken for file in files),
        columns=tuple(_column(connection, at, place, name, *forms[place]) for place, name in enumerate(header)),
        different=_one(connection, f"select count(*) from look_{at}")[0],
    )
    return replace(look, unique_pairs=tuple(_unique_pairs(connection, at, look)))


def _column(
    connection: duckdb.DuckDBPyConnection, at: int, place: int, header: str, examined: int, seen: dict[str, int]
) -> ColumnLook:
    filled, distinct, longest = _one(
        connection,
        f"select count(c{place}), count(distinct c{place}), coalesce(max(strlen(c{place})), 0) from look_{at}",
    )
    values: list[tuple[str]] = []
    if distinct <= _MOST_VALUES:
        values = connection.execute(
            f"select c{place} from look_{at} where c{place} is not null group by all order by count(*) desc, c{place}"
        ).fetchall()
    has_doubt = any(form.other and form.name in seen for form in TIMES)
    return ColumnLook(
        header=header,
        filled=filled,
        distinct=distinct,
        longest=longest,
        forms=seen,
        examined=examined,
        values=tuple(value for (value,) in values),
        largest_parts=_largest_parts(connection, at, place) if has_doubt else (0, 0),
    )


def _forms(connection: duckdb.DuckDBPyConnection, at: int, columns: int) -> list[tuple[int, dict[str, int]]]:
    """Return, for each column, how many different values were examined, and how many of them have each form.

    One query asks for all columns, because to prepare the forms takes longer than to hold values against them.
    """
    forms = patterns()
    counts = ", ".join(f"count(*) filter (where regexp_full_match(v, {literal(each)}))" for each in forms.values())
    values = " union all ".join(
        f"(select distinct {place} as place, c{place} as v from look_{at} where c{place} is not null"
        f" limit {_MOST_EXAMINED})"
        for place in range(columns)
    )
    rows = connection.execute(f"select place, count(*), {counts} from ({values}) group by place").fetchall()
    by_column = {
        place: (examined, {form: count for form, count in zip(forms, found, strict=True) if count})
        for place, examined, *found in rows
    }
    return [by_column.get(place, (0, {})) for place in range(columns)]


def _largest_parts(connection: duckdb.DuckDBPyConnection, at: int, place: int) -> tuple[int, int]:
    """Return the largest first and second number of dates that begin with day and month, in either order."""
    first, second = (
        f"max(try_cast(regexp_extract(c{place}, {literal(_DAY_AND_MONTH)}, {group}) as integer))" for group in (1, 2)
    )
    one, other = _one(connection, f"select coalesce({first}, 0), coalesce({second}, 0) from look_{at}")
    return int(one), int(other)


def _unique_pairs(connection: duckdb.DuckDBPyConnection, at: int, look: FileLook) -> Iterator[tuple[int, int]]:
    """Yield pairs of filled columns, neither of them unique, that together are different in every record."""
    sound = look.sound
    filled = [
        place for place, column in enumerate(look.columns) if column.filled == sound and not look.is_unique(place)
    ]
    for first, second in combinations(filled[:_MOST_PAIRED], 2):
        if look.columns[first].distinct * look.columns[second].distinct >= sound:
            (pairs,) = _one(connection, f"select count(*) from (select distinct c{first}, c{second} from look_{at})")
            if 100 * pairs >= NEARLY_ALL * sound:
                yield first, second


def _containments(
    connection: duckdb.DuckDBPyConnection, looks: Sequence[FileLook]
) -> Iterator[tuple[tuple[int, int, int, int], float]]:
    """Yield, for each pair of columns whose second is unique in another file, the share of the first's values in it."""
    keys = [
        (of, target) for of, look in enumerate(looks) for target in range(len(look.columns)) if look.is_unique(target)
    ]
    for at, look in enumerate(looks):
        for place, column in enumerate(look.columns):
            if column.distinct < 2:
                continue
            for of, target in keys:
                if of != at:
                    (found,) = _one(
                        connection,
                        f"select count(*) from (select distinct c{place} as v from look_{at} where c{place} is not null)"
                        f" where v in (select c{target} from look_{of})",
                    )
                    if found:
                        yield (at, place, of, target), found / column.distinct


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    row = connection.execute(query).fetchone()
    assert row is not None, query
    return row
