"""Validate every row of a file in one typed DuckDB pass, and stage the good ones as Parquet."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

import duckdb

from takings.adapters import scanned_file
from takings.adapters.duckdb.rules import told_apart, typed_query
from takings.adapters.duckdb.sql import literal, name, path_literal
from takings.adapters.duckdb.validation_together import ValidatedTogether
from takings.contracts.file_format import USUAL, FileFormat
from takings.contracts.model import Contract, SameWithin, Unique
from takings.ports import BusinessTime, ScannedFile
from takings.validation.collecting import (
    CHUNK,
    Tally,
    broken_record,
    error_mask,
    faulty_record,
    in_order,
    report_chunks,
)
from takings.validation.findings import SAMPLES_PER_CHUNK, FaultyRecord, Findings
from takings.validation.mended import contract_of, extra_columns
from takings.validation.structure.scan import Structure
from takings.validation.texts import ColumnText, texts_of

#: only DuckDB reads it, so take version 2 of the format, smaller and faster than version 1; a large dictionary costs more
#: than it saves
_STAGING = "(format parquet, parquet_version v2, dictionary_size_limit 1000)"


class DuckDbValidation:
    """The default validation engine."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, business_time: BusinessTime, *, workers: int = 1) -> None:
        self._connection = connection
        self._business_time = business_time
        self._workers = workers
        self._cursors: weakref.WeakSet[duckdb.DuckDBPyConnection] = weakref.WeakSet()
        #: a set that grows cannot be read at the same time
        self._lock = threading.Lock()

    @property
    def workers(self) -> int:
        """Return how many files may be validated side by side; they share the connection's memory and threads."""
        return self._workers

    def interrupt(self) -> None:
        """Break off the queries of other threads."""
        with self._lock:
            cursors = tuple(self._cursors)
        for cursor in cursors:
            cursor.interrupt()

    def read_structure(
        self, path: Path, workspace: Path, file: FileFormat = USUAL, on_block: Callable[[], None] = lambda: None
    ) -> Structure:
        """Read the structure of a file; its broken records are kept in the workspace."""
        return scanned_file.read_structure(path, workspace, file, on_block)

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        with self._lock:
            cursor = self._connection.cursor()
            self._cursors.add(cursor)
        return cursor

    def broken_records(self, workspace: Path) -> Iterator[FaultyRecord]:
        """Yield the broken records that `read_structure` found, in the order of the file."""
        return map(broken_record, scanned_file.broken_records(workspace))

    def validate(
        self, path: Path, structure: Structure, contract: Contract, *, now: datetime, workspace: Path, staged: Path
    ) -> Findings:
        """Validate every sound record of a file, and write those without an error to the Parquet file `staged`."""
        typed_pass = _TypedPass(
            cursor=self._cursor(),
            path=path,
            structure=structure,
            contract=contract_of(contract, structure.header or ()),
            workspace=workspace,
            staged=staged,
        )
        typed_pass.type_records(now, self._business_time)
        typed_pass.find_repeated_keys()
        typed_pass.stage()
        return typed_pass.findings()

    def validate_together(
        self, files: Sequence[ScannedFile], contract: Contract, *, now: datetime, workspace: Path
    ) -> Sequence[Findings | None]:
        """Check small files of one header and delimiter, at once; None for one that has to be checked alone."""
        header, csv = files[0].structure.header or (), workspace / "together.csv"
        workspace.mkdir(parents=True, exist_ok=True)
        with self._connection.cursor() as cursor:
            checked = ValidatedTogether(
                cursor=cursor,
                files=files,
                contract=contract_of(contract, header),
                source=csv_source(
                    scanned_file.PlainCsv(
                        path=csv,
                        has_header=False,
                        newline="\n",
                        delimiter=files[0].structure.format.delimiter,
                    ),
                    header,
                ),
                csv=csv,
            )
            checked.type_records(now, self._business_time)
            return checked.findings()


@dataclass(kw_only=True)
class _TypedPass:
    """The validation of one file; its typed records are in a Parquet file of the workspace."""

    cursor: duckdb.DuckDBPyConnection
    path: Path
    structure: Structure
    contract: Contract
    workspace: Path
    staged: Path
    has_repeated_keys: bool = False

    def type_records(self, now: datetime, business_time: BusinessTime) -> None:
        """Write the typed records with their masks, in the file's order."""
        csv = scanned_file.plain_csv(self.path, self.structure, self.workspace)
        keep = "" if csv.has_header else "_record, _line, "
        query = typed_query(self.contract, self._header, self._source(csv), now, business_time, keep=keep)
        typed = self.workspace / "typed.parquet"
        self.cursor.execute(f"copy ({query}) to {literal(str(typed))} {_STAGING}")
        (read,) = self.cursor.fetchone() or (0,)
        sound = self.structure.records - self.structure.broken
        if read != sound:
            raise AssertionError(f"{self.path}: the scan found {sound} sound records, the reader {read}")
        self._view_typed(typed, has_places=not csv.has_header)

    @property
    def _header(self) -> tuple[str, ...]:
        return self.structure.header or ()

    @cached_property
    def _texts(self) -> Mapping[str, ColumnText]:
        return texts_of(self.contract, self._header)

    def _source(self, csv: scanned_file.PlainCsv) -> str:
        return csv_source(csv, self._header)

    def _view_typed(self, file: Path, *, has_places: bool) -> None:
        places = "" if has_places else ", file_row_number as _record, file_row_number + 2 as _line"
        self.cursor.execute(
            f"create or replace temp view typed as select *{places} from read_parquet({path_literal(file)})"
        )

    def find_repeated_keys(self) -> None:
        """Find records that share a unique value: identical records count once, others break `unique`."""
        self._run(
            "create or replace temp table repeated_records (_record bigint, unique_mask ubigint, is_duplicate bool)"
        )
        for bit, rule in enumerate(self.contract.rules):
            if isinstance(rule.check, Unique) and rule.column in self._texts:
                is_key = rule.column == self.contract.primary_key
                self._find_repeated(told_apart(self.contract, rule), 1 << bit, is_key=is_key)
            elif isinstance(rule.check, SameWithin):
                self._find_different(name(rule.column), name(rule.check.column), 1 << bit)
        self.has_repeated_keys = self._count("repeated_records") > 0
        if not self.has_repeated_keys:
            return
        # A record that breaks another rule is no mere repetition of a good one.
        self._run(f"""
            create or replace temp view checked as
            select
                t.* replace (t._mask | coalesce(r.unique_mask, 0) as _mask),
                coalesce(r.is_duplicate and (r.unique_mask & {error_mask(self.contract)}::ubigint) = 0, false) as _duplicate
            from typed t
            left join (
                select _record, bit_or(unique_mask) as unique_mask, bool_or(is_duplicate) as is_duplicate
                from repeated_records
                group by _record
            ) r using (_record)""")

    def _find_repeated(self, columns: Sequence[str], bit: int, *, is_key: bool) -> None:
        """Keep the records that share a unique value; the first of identical ones with the same key counts."""
        if len(columns) == 1 and self._rises(columns[0]):
            return
        column = columns[0] if len(columns) == 1 else f"row({', '.join(columns)})"
        is_known = " and ".join(f"{each} is not null" for each in columns)
        self._run(
            f"create or replace temp table repeated_values as"
            f" select {column} as value from typed where {is_known} group by {column} having count(*) > 1"
        )
        if not self._count("repeated_values"):
            return
        content = ", ".join(name(column.name) for column in self.contract.columns)
        self._run(f"""
            insert into repeated_records
            with candidates as (
                select _record, {column} as value, _mask, row({content}, _mask) as content
                from typed
                where {column} in (select value from repeated_values)
            ),
            compared as (
                select
                    *,
                    count(distinct content) over (partition by value) = 1 as is_identical,
                    row_number() over (partition by value order by _record) as place
                from candidates
            )
            select
                _record,
                case when is_identical then 0::ubigint else {bit}::ubigint end,
                {is_key} and is_identical and place > 1 and (_mask & {error_mask(self.contract)}::ubigint) = 0
            from compared""")

    def _rises(self, column: str) -> bool:
        """Return whether each value is larger than the one before it. Then none is repeated, and no grouping is needed.

        The order in which the values are read does not matter: no sequence that always rises holds a value twice.
        """
        before = f"lag({column}) over () as value_before"
        falls = f"(select {column}, {before} from typed where {column} is not null) where {column} <= value_before"
        return not self._count(f"(select 1 from {falls} limit 1)")

    def _find_different(self, column: str, within: str, bit: int) -> None:
        """Keep the records whose value differs from another one's with the same value of the column `within`."""
        self._run(f"""
            insert into repeated_records
            select _record, {bit}::ubigint, false
            from typed
            where {column} is not null and {within} in (
                select {within} from typed group by {within} having min({column}) <> max({column})
            )""")

    @property
    def _checked(self) -> str:
        return "checked" if self.has_repeated_keys else "(select *, false as _duplicate from typed)"

    def stage(self) -> None:
        """Write the records without an error to the staged file; for a clean regular file, take the typed file itself."""
        good = f"(_mask & {error_mask(self.contract)}::ubigint) = 0 and not _duplicate"
        self.staged.parent.mkdir(parents=True, exist_ok=True)
        if self.structure.is_regular and not self._count(f"{self._checked} where not ({good})"):
            (self.workspace / "typed.parquet").replace(self.staged)
            self._view_typed(self.staged, has_places=False)
            return
        columns = ", ".join(name(column) for column in self.contract.stored)
        self._run(
            f"copy (select {columns}, _line from {self._checked} where {good} order by _record)"
            f" to {literal(str(self.staged))} {_STAGING}"
        )

    def findings(self) -> Findings:
        """Count what was found, per rule and per chunk of 10,000 records."""
        tally = Tally(self.contract)
        masks = f"select _record // {CHUNK}, _mask, count(*) from {self._checked} where _mask <> 0 group by all"
        for chunk, mask, count in self._run(masks).fetchall():
            tally.add(chunk, mask, count)
        tally.add_broken(scanned_file.broken_records(self.workspace))
        tally.add_warnings_of_file(extra_columns(self.contract, self._header), has_records=self.structure.records > 0)
        first = f"row_number() over (partition by _record // {CHUNK} order by _record) <= {SAMPLES_PER_CHUNK}"
        samples = self._faulty_records(f"qualify {first}") if tally.per_chunk else iter(())
        return Findings(
            read=self.structure.records,
            violating=tally.violating,
            identical_duplicates=self._count(f"{self._checked} where _duplicate") if self.has_repeated_keys else 0,
            errors=dict(tally.errors),
            warnings=dict(tally.warnings),
            chunks=report_chunks(self.structure.records, tally.per_chunk, samples),
            faulty_records=self._faulty_records,
        )

    def _faulty_records(self, limit: str = "") -> Iterator[FaultyRecord]:
        """Yield every faulty record in the file's order; the raw fields come from the file's normal form."""
        return in_order(scanned_file.broken_records(self.workspace), self._records_with_violations(limit))

    def _records_with_violations(self, limit: str) -> Iterator[FaultyRecord]:
        fields = ", ".join(f"n._r{place}" for place in range(len(self._header)))
        raw = self._source(scanned_file.normal_csv(self.path, self.structure, self.workspace))
        rows = self._run(f"""
            select v._record, v._line, v._mask, [{fields}]
            from (select _record, _line, _mask from {self._checked} where _mask <> 0 {limit}) v
            join {raw} n on n._record = v._record
            order by v._record""")
        while batch := rows.fetchmany(1000):
            for record, line, mask, values in batch:
                yield faulty_record(self.contract, self._header, self._texts, record, line, mask, values)

    def _run(self, statement: str) -> duckdb.DuckDBPyConnection:
        return self.cursor.execute(statement)

    def _count(self, rows: str) -> int:
        (count,) = self._run(f"select count(*) from {rows}").fetchone() or (0,)
        return int(count)


def csv_source(csv: scanned_file.PlainCsv, header: Sequence[str]) -> str:
    """Return the table function that reads a plain CSV file's raw fields."""
    fields = {f"_r{place}": "varchar" for place in range(len(header))}
    columns = fields if csv.has_header else {"_record": "bigint", "_line": "bigint"} | fields
    spelled = ", ".join(f"{literal(column)}: {literal(kind)}" for column, kind in columns.items())
    # With new_line = '\\r\\n', strict mode and a skipped header, DuckDB 2.0 returns no rows; without it, it detects CRLF.
    newline = "" if csv.newline == "\r\n" else " new_line = '\\n',"
    return (
        f"read_csv({path_literal(csv.path)}, auto_detect = false, header = false, skip = {int(csv.has_header)},"
        f" delim = {literal(csv.delimiter)}, quote = '\"', escape = '\"',{newline} strict_mode = true,"
        f" null_padding = false, max_line_size = 4194304, compression = 'none', columns = {{{spelled}}})"
    )
