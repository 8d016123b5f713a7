"""Validate every row of a file with pandas, chunk by chunk: the second engine, with the same verdicts as the first.

It shares neither reader, typing nor rules with the DuckDB engine, so that each verifies the other.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from csv import QUOTE_MINIMAL
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby, pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
import pandas as pd

from takings.adapters import scanned_file
from takings.adapters.pandas.kept_records import KeptRecords
from takings.adapters.pandas.rules import Rules, TypedColumn
from takings.adapters.pandas.texts import fields_of, texts_in
from takings.contracts.file_format import USUAL, FileFormat
from takings.contracts.model import Contract, Rule, SameWithin, Unique
from takings.ports import BusinessTime, ScannedFile
from takings.validation.collecting import CHUNK, Tally, broken_record, faulty_record, in_order, report_chunks
from takings.validation.findings import SAMPLES_PER_CHUNK, FaultyRecord, Findings
from takings.validation.mended import contract_of, extra_columns
from takings.validation.structure.scan import Structure
from takings.validation.texts import ColumnText, texts_of

#: long records make smaller chunks, so that a chunk fits into memory
_MOST_CHUNK_BYTES: Final = 32 << 20


class PandasValidation:
    """The validation engine of the original brief: pandas in chunks of 10,000 records."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, business_time: BusinessTime, *, chunk_size: int = CHUNK
    ) -> None:
        self._connection = connection
        self._business_time = business_time
        self._chunk_size = chunk_size

    @property
    def workers(self) -> int:
        """Return 1: pandas' memory does not follow the setting, so one file is read at a time."""
        return 1

    def interrupt(self) -> None:
        """Do nothing: no other thread works with it."""

    def read_structure(
        self, path: Path, workspace: Path, file: FileFormat = USUAL, on_block: Callable[[], None] = lambda: None
    ) -> Structure:
        """Read the structure of a file; its broken records are kept in the workspace."""
        return scanned_file.read_structure(path, workspace, file, on_block)

    def broken_records(self, workspace: Path) -> Iterator[FaultyRecord]:
        """Yield the broken records that `read_structure` found, in the order of the file."""
        return map(broken_record, scanned_file.broken_records(workspace))

    def validate(
        self, path: Path, structure: Structure, contract: Contract, *, now: datetime, workspace: Path, staged: Path
    ) -> Findings:
        """Validate every sound record of a file, and write those without an error to the Parquet file `staged`."""
        header = structure.header or ()
        kept_contract = contract_of(contract, header)
        chunked_pass = _ChunkedPass(
            path=path,
            structure=structure,
            header=header,
            contract=kept_contract,
            texts=texts_of(kept_contract, header),
            workspace=workspace,
            chunk_size=_fitting(self._chunk_size, structure),
            kept=KeptRecords(self._connection.cursor(), kept_contract),
        )
        chunked_pass.type_records(Rules(kept_contract, header, now=now, business_time=self._business_time))
        chunked_pass.find_repeated_values()
        chunked_pass.kept.stage(staged)
        return chunked_pass.findings()

    def validate_together(
        self, files: Sequence[ScannedFile], contract: Contract, *, now: datetime, workspace: Path
    ) -> Sequence[Findings | None]:
        """Return None for each file, so that it is validated alone: a chunk belongs to one file."""
        return [None] * len(files)


def _fitting(chunk_size: int, structure: Structure) -> int:
    """Return the chunk size, reduced if that many of the file's records might not fit into memory."""
    starts = [chunk.offset for chunk in structure.chunks]
    longest = max((after - before for before, after in pairwise(starts)), default=0)
    largest = max(longest, structure.size - starts[-1] if starts else 0, 1)
    return max(1, min(chunk_size, CHUNK * _MOST_CHUNK_BYTES // largest))


def _together(columns: Sequence[TypedColumn]) -> Sequence[object]:
    """Return each record's value in these columns; None where any is unknown."""
    if len(columns) == 1:
        return columns[0].values
    values = zip(*(column.values for column in columns), strict=True)
    return [None if None in value else value for value in values]


@dataclass(kw_only=True)
class _Repeated:
    """The records that share a value with another record."""

    #: records whose content differs from another's with the same value
    different: array[int] = field(default_factory=lambda: array("q"))
    #: records that repeat an earlier record
    copies: array[int] = field(default_factory=lambda: array("q"))

    def add(self, same: Iterator[tuple[int, tuple[Any, ...]]]) -> None:
        """Add all records with one value, each with its content."""
        first, content = next(same)
        records, is_identical = array("q"), True
        for record, other in same:
            records.append(record)
            is_identical = is_identical and other == content
        if is_identical:
            self.copies.extend(records)
        else:
            self.different.append(first)
            self.different.extend(records)


@dataclass(kw_only=True)
class _ChunkedPass:
    """The validation of one file."""

    path: Path
    structure: Structure
    header: tuple[str, ...]
    contract: Contract
    workspace: Path
    chunk_size: int
    kept: KeptRecords
    #: how the text of each column is made
    texts: Mapping[str, ColumnText]
    #: bit of a rule `unique` -> hashes of the column's values under their records, chunk by chunk
    hashes: dict[int, list[pd.Series[int]]] = field(default_factory=dict)

    def type_records(self, rules: Rules) -> None:
        """Type and check the records, chunk by chunk."""
        wanted = {field for text in self.texts.values() for field in fields_of(text)}
        csv = scanned_file.plain_csv(self.path, self.structure, self.workspace)
        read = 0
        for chunk in self._chunks(csv, wanted):
            typed = rules.type_chunk({column: texts_in(chunk, text) for column, text in self.texts.items()})
            self.kept.add(chunk, typed, rules.broken(typed, len(chunk)))
            self._note_hashes(chunk, typed)
            read += len(chunk)
        if read != self._sound:
            raise AssertionError(f"{self.path}: the scan found {self._sound} sound records, the reader {read}")

    @property
    def _sound(self) -> int:
        return self.structure.records - self.structure.broken

    def _chunks(self, csv: scanned_file.PlainCsv, wanted: set[str]) -> Iterator[pd.DataFrame]:
        """Read the wanted fields (`r0`, `r1` …) of a plain CSV file unchanged, with `_record` and `_line`."""
        if not self._sound:
            return
        places = [] if csv.has_header else ["_record", "_line"]
        fields = [f"r{place}" for place in range(len(self.header))]
        with pd.read_csv(
            csv.path,
            sep=csv.delimiter,
            header=None,
            skiprows=int(csv.has_header),
            names=places + fields,
            usecols=[*places, *(column for column in fields if column in wanted)],
            index_col=False,
            # Use Python's str: pandas' own text type differs with and without pyarrow.
            dtype=dict.fromkeys(places, "int64") | dict.fromkeys(fields, "object"),
            na_filter=False,
            skip_blank_lines=False,
            quoting=QUOTE_MINIMAL,
            # For CRLF, only pandas' own recognition works; such a file has no CR anywhere else.
            lineterminator="\n" if csv.newline == "\n" else None,
            encoding="utf-8",
            compression=None,
            chunksize=self.chunk_size,
        ) as chunks:
            for chunk in chunks:
                if csv.has_header:
                    chunk["_record"] = chunk.index.to_numpy(np.int64)
                    chunk["_line"] = chunk["_record"] + 2
                yield chunk.reset_index(drop=True)

    def _note_hashes(self, chunk: pd.DataFrame, typed: Mapping[str, TypedColumn]) -> None:
        for bit, rule in enumerate(self.contract.rules):
            if isinstance(rule.check, Unique) and rule.column in typed:
                columns = [typed[column] for column in self._told_apart(rule)]
                is_known = ~np.logical_or.reduce([column.is_unknown for column in columns])
                hashes = [hash(value) for value in _together(columns) if value is not None]
                records = chunk["_record"].to_numpy()[is_known]
                self.hashes.setdefault(bit, []).append(pd.Series(hashes, index=records, dtype="int64"))

    def _told_apart(self, rule: Rule) -> Sequence[str]:
        """Return the columns whose values no two records may share."""
        return self.contract.unique_in_file if rule.column == self.contract.primary_key else (rule.column,)

    def find_repeated_values(self) -> None:
        """Find records with the same value in a unique column: identical ones count once, others break `unique`.

        And those that differ where all with the same value in another column must be the same.
        """
        repeated = {bit: self._repeated(bit) for bit in self.hashes}
        for bit, rule in enumerate(self.contract.rules):
            if isinstance(rule.check, SameWithin):
                self.kept.add_violation(bit, list(self._differing(rule.column, rule.check.column)))
        for bit, records in repeated.items():
            self.kept.add_violation(bit, records.different)
        for bit, records in repeated.items():
            if self.contract.rules[bit].column == self.contract.primary_key:
                self.kept.mark_duplicates(records.copies)

    def _repeated(self, bit: int) -> _Repeated:
        """Compare the records whose values have the same hash."""
        hashes = pd.concat(self.hashes[bit])
        suspects = hashes.index[hashes.duplicated(keep=False)].to_numpy(np.int64)
        repeated = _Repeated()
        if suspects.size:
            contents = self.kept.contents(self._told_apart(self.contract.rules[bit]), suspects)
            for _, same in groupby(contents, key=itemgetter(0)):
                repeated.add((record, tuple(content)) for _, record, *content in same)
        return repeated

    def _differing(self, column: str, within: str) -> Iterator[int]:
        """Yield the records whose value differs from another one's with the same value of the column `within`."""
        for _, same in groupby(self.kept.values(within, column), key=itemgetter(0)):
            records = [(record, value) for _, record, value in same]
            if len({value for _, value in records}) > 1:
                yield from (record for record, _ in records)

    def findings(self) -> Findings:
        """Count what was found, per rule and per 10,000 records."""
        tally = Tally(self.contract)
        for chunk, mask, count in self.kept.masks():
            tally.add(chunk, mask, count)
        tally.add_broken(scanned_file.broken_records(self.workspace))
        tally.add_warnings_of_file(extra_columns(self.contract, self.header), has_records=self.structure.records > 0)
        samples = self._faulty_records(SAMPLES_PER_CHUNK) if tally.per_chunk else iter(())
        return Findings(
            read=self.structure.records,
            violating=tally.violating,
            identical_duplicates=self.kept.duplicates(),
            errors=dict(tally.errors),
            warnings=dict(tally.warnings),
            chunks=report_chunks(self.structure.records, tally.per_chunk, samples),
            faulty_records=self._faulty_records,
        )

    def _faulty_records(self, most_per_chunk: int | None = None) -> Iterator[FaultyRecord]:
        """Yield every faulty record, in the file's order."""
        return in_order(scanned_file.broken_records(self.workspace), self._records_with_violations(most_per_chunk))

    def _records_with_violations(self, most_per_chunk: int | None) -> Iterator[FaultyRecord]:
        """Yield the sound records that break rules, with their raw fields from the file's normal form."""
        wanted = {f"r{place}" for place in range(len(self.header))}
        faulty = self.kept.with_violations(most_per_chunk)
        following = next(faulty, None)
        if following is None:
            return
        chunks = self._chunks(scanned_file.normal_csv(self.path, self.structure, self.workspace), wanted)
        for record, line, *fields in (row for chunk in chunks for row in chunk.itertuples(index=False, name=None)):
            if record == following[0]:
                values = [value or None for value in fields]
                yield faulty_record(self.contract, self.header, self.texts, record, line, following[1], values)
                following = next(faulty, None)
                if following is None:
                    return
