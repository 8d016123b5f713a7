"""Validate many small files with the same header in one typed DuckDB pass.

A pass costs some 30 ms (200 ms in a time zone whose offset changes), and a row next to nothing. The findings are the same as
those of one pass per file; a file with a repeated unique value needs a separate pass.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Final

import duckdb

from takings.adapters import scanned_file
from takings.adapters.duckdb.rules import told_apart, typed_query
from takings.adapters.duckdb.sql import literal, name
from takings.contracts.model import Contract, SameWithin, Unique
from takings.ports import BusinessTime, ScannedFile
from takings.validation.collecting import Tally, error_mask, faulty_record, in_order, report_chunks
from takings.validation.findings import SAMPLES_PER_CHUNK, FaultyRecord, Findings
from takings.validation.mended import extra_columns
from takings.validation.texts import ColumnText, texts_of

#: a record's number among all files is its file's place times this, plus its own number
_SPAN: Final = 10**6
#: at most this many faulty records are kept in memory; a file with more needs a separate pass
_MOST_FAULTY: Final = 1_000

#: record, line, mask and raw fields
_Faulty = tuple[int, int, int, list[str | None]]


@dataclass(frozen=True, kw_only=True)
class ValidatedTogether:
    """One pass over small files."""

    cursor: duckdb.DuckDBPyConnection
    files: Sequence[ScannedFile]
    #: the header of the files
    contract: Contract
    #: the table function that reads the fields of `csv`
    source: str
    #: the file for the records of all files in normal form
    csv: Path

    @property
    def _header(self) -> tuple[str, ...]:
        return self.files[0].structure.header or ()

    @cached_property
    def _texts(self) -> Mapping[str, ColumnText]:
        return texts_of(self.contract, self._header)

    def type_records(self, now: datetime, business_time: BusinessTime) -> None:
        """Write all records into one file and type them."""
        with self.csv.open("wb") as target:
            for place, file in enumerate(self.files):
                target.write(scanned_file.normalised(file.path, file.structure, first_record=place * _SPAN))
        fields = "".join(f"_r{place}, " for place in range(len(self._header)))
        query = typed_query(
            self.contract, self._header, self.source, now, business_time, keep=f"_record, _line, {fields}"
        )
        self.cursor.execute(f"create or replace temp table together as {query}")

    def findings(self) -> Sequence[Findings | None]:
        """Stage every file's good rows and return its findings; None for a file that has to be validated alone."""
        counted = dict(self._run(f"select _record // {_SPAN}, count(*) from together group by all").fetchall())
        masks: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for place, mask, count in self._run(
            f"select _record // {_SPAN}, _mask, count(*) from together where _mask <> 0 group by all"
        ).fetchall():
            masks[place].append((mask, count))
        alone = self._with_repeated_values()
        alone |= {place for place, found in masks.items() if sum(count for _, count in found) > _MOST_FAULTY}
        faulty = self._faulty(alone) if masks else {}
        return [
            None
            if place in alone
            else self._findings(place, counted.get(place, 0), masks[place], faulty.get(place, []))
            for place in range(len(self.files))
        ]

    def _with_repeated_values(self) -> set[int]:
        """Return the places of files in which two records share a unique value, or differ where all must be the same."""
        found: set[int] = set()
        for rule in self.contract.rules:
            if isinstance(rule.check, Unique) and rule.column in self._texts:
                columns = told_apart(self.contract, rule)
                suspects = (
                    f"select _record // {_SPAN} as place, {', '.join(columns)} from together"
                    f" where {' and '.join(f'{column} is not null' for column in columns)} group by all having count(*) > 1"
                )
            elif isinstance(rule.check, SameWithin):
                column, within = name(rule.column), name(rule.check.column)
                suspects = (
                    f"select _record // {_SPAN} as place, {within} from together"
                    f" group by all having min({column}) <> max({column})"
                )
            else:
                continue
            repeated = self._run(f"select distinct place from ({suspects})")
            found |= {place for (place,) in repeated.fetchall()}
        return found

    def _faulty(self, alone: set[int]) -> dict[int, list[_Faulty]]:
        """Return the records that break rules, in order, by the places of their files."""
        faulty: dict[int, list[_Faulty]] = defaultdict(list)
        fields = ", ".join(f"_r{place}" for place in range(len(self._header)))
        rows = self._run(
            f"select _record // {_SPAN}, _record % {_SPAN}, _line, _mask, [{fields}] from together"
            f" where _mask <> 0 and _record // {_SPAN} not in (select unnest({sorted(alone)}::bigint[])) order by _record"
        )
        while batch := rows.fetchmany(1000):
            for place, record, line, mask, values in batch:
                faulty[place].append((record, line, mask, values))
        return faulty

    def _findings(self, place: int, read: int, masks: Sequence[tuple[int, int]], faulty: Sequence[_Faulty]) -> Findings:
        file = self.files[place]
        structure = file.structure
        if read != structure.records - structure.broken:
            raise AssertionError(
                f"{file.path}: the scan found {structure.records - structure.broken} sound records, the reader {read}"
            )
        self._stage(place, file.staged)
        tally = Tally(self.contract)
        for mask, count in masks:
            tally.add(0, mask, count)
        if structure.broken:
            tally.add_broken(scanned_file.broken_records(file.workspace))
        tally.add_warnings_of_file(extra_columns(self.contract, self._header), has_records=structure.records > 0)

        def faulty_records(most: int | None = None) -> Iterator[FaultyRecord]:
            return in_order(scanned_file.broken_records(file.workspace), self._described(faulty[:most]))

        samples = faulty_records(SAMPLES_PER_CHUNK) if tally.per_chunk else iter(())
        return Findings(
            read=structure.records,
            violating=tally.violating,
            identical_duplicates=0,
            errors=dict(tally.errors),
            warnings=dict(tally.warnings),
            chunks=report_chunks(structure.records, tally.per_chunk, samples),
            faulty_records=faulty_records,
        )

    def _described(self, faulty: Sequence[_Faulty]) -> Iterator[FaultyRecord]:
        return (
            faulty_record(self.contract, self._header, self._texts, record, line, mask, values)
            for record, line, mask, values in faulty
        )

    def _stage(self, place: int, staged: Path) -> None:
        """Write a file's records without an error."""
        staged.parent.mkdir(parents=True, exist_ok=True)
        columns = ", ".join(name(column) for column in self.contract.stored)
        good = f"(_mask & {error_mask(self.contract)}::ubigint) = 0"
        self._run(
            f"copy (select {columns}, _line from together where {good} and _record >= {place * _SPAN}"
            f" and _record < {(place + 1) * _SPAN} order by _record) to {literal(str(staged))} (format parquet)"
        )

    def _run(self, statement: str) -> duckdb.DuckDBPyConnection:
        return self.cursor.execute(statement)
