"""Keep the typed records of a pandas pass in a DuckDB table, which spills to disk, until they are validated and staged.

pandas has no decimals, and needs another package for Parquet.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from takings.adapters.duckdb.sql import SQL_TYPES, literal, name
from takings.adapters.pandas.rules import TypedColumn
from takings.contracts.model import ColumnType, Contract
from takings.validation.collecting import CHUNK, error_mask

#: the same as the DuckDB engine's
_STAGING: Final = "(format parquet, parquet_version v2)"
#: an instant is kept as microseconds since 1970
_KEPT_TYPES: Final = SQL_TYPES | {ColumnType.TIMESTAMP: "bigint"}
_WHOLE_NUMBERS: Final = (ColumnType.IDENTIFIER, ColumnType.INTEGER, ColumnType.TIMESTAMP)


class KeptRecords:
    """The typed records of one file with their masks of broken rules."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, contract: Contract) -> None:
        self._cursor = cursor
        self._contract = contract
        self._errors = f"{error_mask(contract)}::ubigint"
        self._columns = [name(column.name) for column in contract.columns]
        kept = ", ".join(f"{name(column)} {_KEPT_TYPES[type_]}" for column, type_ in contract.stored.items())
        cursor.execute(
            "create or replace temp table typed"
            f" (_record bigint, _line bigint, _mask ubigint, _duplicate boolean, {kept})"
        )

    def add(self, chunk: pd.DataFrame, typed: Mapping[str, TypedColumn], mask: NDArray[np.uint64]) -> None:
        """Keep a chunk of records, given their places, values and masks."""
        frame = {"_record": chunk["_record"], "_line": chunk["_line"], "_mask": mask}
        selected = ["_record", "_line", "_mask", "false"]
        for place, (column, type_) in enumerate(self._contract.stored.items()):
            value = "null"
            if column in typed:
                frame[f"c{place}"] = _for_duckdb(type_, typed[column])
                value = f"c{place}" if type_ in _WHOLE_NUMBERS else f"nullif(c{place}, '')"
            selected.append(f"cast({value} as {_KEPT_TYPES[type_]})")
        self._with(pd.DataFrame(frame), f"insert into typed select {', '.join(selected)} from given")

    def add_violation(self, bit: int, records: Collection[int]) -> None:
        """Record that records break one more rule."""
        self._change(f"_mask = _mask | {1 << bit}::ubigint", records)

    def mark_duplicates(self, records: Collection[int]) -> None:
        """Mark records without an error that only repeat an earlier one."""
        self._change(f"_duplicate = (_mask & {self._errors}) = 0", records)

    def contents(self, columns: Sequence[str], records: Collection[int]) -> Iterator[tuple[Any, ...]]:
        """Yield the columns' value, the record's number and all that counts as its content, by value and number."""
        content = ", ".join(self._columns)
        value = name(columns[0]) if len(columns) == 1 else f"row({', '.join(map(name, columns))})"
        return self._with(
            pd.DataFrame({"record": np.asarray(records, np.int64)}),
            f"select {value}, _record, _mask, {content} from typed"
            f" where _record in (select record from given) order by 1, 2",
        )

    def values(self, within: str, column: str) -> Iterator[tuple[Any, ...]]:
        """Yield a column's value, the record's number and another column's value, by the first; only where both are known."""
        first, second = name(within), name(column)
        return self._rows(
            f"select {first}, _record, {second} from typed"
            f" where {first} is not null and {second} is not null order by 1, 2"
        )

    def masks(self) -> Iterator[tuple[int, int, int]]:
        """Yield chunk number, mask and how many of the chunk's records have this mask, without sound records."""
        return self._rows(f"select _record // {CHUNK}, _mask, count(*) from typed where _mask <> 0 group by all")

    def duplicates(self) -> int:
        """Return how many records only repeat an earlier one."""
        return sum(count for (count,) in self._rows("select count(*) from typed where _duplicate"))

    def with_violations(self, most_per_chunk: int | None = None) -> Iterator[tuple[int, int]]:
        """Yield number and mask of the records that break rules, or of the first ones in each chunk."""
        place = f"row_number() over (partition by _record // {CHUNK} order by _record)"
        limit = "" if most_per_chunk is None else f"qualify {place} <= {most_per_chunk}"
        return self._rows(f"select _record, _mask from typed where _mask <> 0 {limit} order by _record")

    def stage(self, staged: Path) -> None:
        """Write the records without an error, in the file's order."""
        columns = ", ".join(_staged(column, type_) for column, type_ in self._contract.stored.items())
        staged.parent.mkdir(parents=True, exist_ok=True)
        self._cursor.execute(
            f"copy (select {columns}, _line from typed"
            f" where (_mask & {self._errors}) = 0 and not _duplicate order by _record)"
            f" to {literal(str(staged))} {_STAGING}"
        )

    def _change(self, change: str, records: Collection[int]) -> None:
        if records:
            given = pd.DataFrame({"record": np.asarray(records, np.int64)})
            self._with(given, f"update typed set {change} where _record in (select record from given)")

    def _with(self, given: pd.DataFrame, statement: str) -> Iterator[tuple[Any, ...]]:
        """Run a statement that reads a frame as the table `given`."""
        self._cursor.register("given", given)
        return self._rows(statement)

    def _rows(self, statement: str) -> Iterator[tuple[Any, ...]]:
        result = self._cursor.execute(statement)
        return (row for rows in iter(lambda: result.fetchmany(1000), []) for row in rows)


def _for_duckdb(type_: ColumnType, typed: TypedColumn) -> pd.Series[Any]:
    """Return a column's values in a form that DuckDB takes exactly: whole numbers, or texts, empty where unknown.

    DuckDB guesses the type of other objects from a sample, and the sample may miss the few values that are not None.
    """
    if type_ in _WHOLE_NUMBERS:
        numbers = np.fromiter((0 if value is None else int(value) for value in typed.values), np.int64)
        return pd.Series(pd.arrays.IntegerArray(numbers, typed.is_unknown))
    return pd.Series(["" if value is None else str(value) for value in typed.values], dtype=object)


def _staged(column: str, type_: ColumnType) -> str:
    if type_ is ColumnType.TIMESTAMP:
        return f"make_timestamptz({name(column)}) as {name(column)}"
    return name(column)
