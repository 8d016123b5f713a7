"""Merge the findings of the scan and of an engine about a file, in order. Pure; every engine uses it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from takings.contracts.model import Contract, Rule, Severity
from takings.validation.findings import SAMPLES_PER_CHUNK, ChunkReport, FaultyRecord, Violation
from takings.validation.header import shown_name
from takings.validation.structure.values import BrokenRecord
from takings.validation.texts import ColumnText
from takings.validation.windows_1252 import may_be_windows_1252

#: records per chunk report
CHUNK: Final = 10_000
#: characters of a value's shape
_LONGEST_SHAPE: Final = 40


def error_mask(contract: Contract) -> int:
    """Return the bits of the contract's rules of severity error."""
    return sum(1 << bit for bit, rule in enumerate(contract.rules) if rule.severity is Severity.ERROR)


def rules_of(contract: Contract, mask: int) -> list[Rule]:
    """Return the rules whose bits are set in a mask of violations."""
    return [rule for bit, rule in enumerate(contract.rules) if mask >> bit & 1]


def faulty_record(
    contract: Contract,
    header: Sequence[str],
    texts: Mapping[str, ColumnText],
    record: int,
    line: int,
    mask: int,
    fields: Sequence[str | None],
) -> FaultyRecord:
    """Describe a sound record that breaks rules; `texts` says which fields each column is made of."""
    violations = tuple(
        Violation(
            rule=rule.id,
            record=record,
            line=line,
            column=rule.column,
            reason=rule.demand + _in_header(rule.column, header, texts),
            shape=_shape_of_fields([fields[place] for place in texts[rule.column].places])
            if rule.column in texts
            else None,
        )
        for rule in rules_of(contract, mask)
    )
    return FaultyRecord(
        record=record,
        line=line,
        violations=violations,
        is_rejected=bool(mask & error_mask(contract)),
        fields=tuple(fields),
    )


def _in_header(column: str, header: Sequence[str], texts: Mapping[str, ColumnText]) -> str:
    """Return what the header calls a column, or what it is made of, where that differs."""
    names = [header[place] for place in texts[column].places] if column in texts else []
    if names in ([], [column]):
        return ""
    *before, last = (f"'{shown_name(name)}'" for name in names)
    return f" (made of {', '.join(before)} and {last})" if before else f" (its name in the header: {last})"


def _shape_of_fields(fields: Sequence[str | None]) -> str | None:
    """Show what the fields look like that a column is made of; None if all are empty."""
    shapes = [shape_of(field) for field in fields]
    return ", ".join(shape or "" for shape in shapes) if any(shapes) else None


def broken_record(broken: BrokenRecord) -> FaultyRecord:
    """Describe a record that cannot be a CSV row."""
    reason = broken.reason
    if broken.rule == "record|encoding" and broken.raw is not None and _may_be_windows_1252(broken.raw):
        reason += "; it may be windows-1252"
    violation = Violation(rule=broken.rule, record=broken.record, line=broken.line, column=None, reason=reason)
    return FaultyRecord(
        record=broken.record, line=broken.line, violations=(violation,), is_rejected=True, raw=broken.raw
    )


def _may_be_windows_1252(raw: bytes) -> bool:
    """Return whether a record makes sense as windows-1252; one of UTF-16 has NULs."""
    return b"\0" not in raw and may_be_windows_1252(raw)


def in_order(broken: Iterable[BrokenRecord], faulty: Iterator[FaultyRecord]) -> Iterator[FaultyRecord]:
    """Merge broken and faulty records by their place in the file; both inputs are in order."""
    following = next(faulty, None)
    for record in broken:
        while following is not None and following.record < record.record:
            yield following
            following = next(faulty, None)
        yield broken_record(record)
    if following is not None:
        yield following
        yield from faulty


def report_chunks(
    records: int, counts: Mapping[int, Mapping[str, int]], faulty: Iterable[FaultyRecord]
) -> tuple[ChunkReport, ...]:
    """Report on each 10,000 records: counts per rule, and the first violations of the given faulty records."""
    samples: dict[int, list[Violation]] = defaultdict(list)
    for record in faulty:
        shown = samples[record.record // CHUNK]
        shown.extend(record.violations[: SAMPLES_PER_CHUNK - len(shown)])
    return tuple(
        ChunkReport(
            chunk=first // CHUNK,
            first_record=first,
            records=min(CHUNK, records - first),
            counts=dict(sorted(counts.get(first // CHUNK, {}).items())),
            samples=tuple(samples.get(first // CHUNK, ())),
        )
        for first in range(0, records, CHUNK)
    )


class Tally:
    """Count violations per rule, in total and per chunk."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._errors = error_mask(contract)
        self.errors: Counter[str] = Counter()
        self.warnings: Counter[str] = Counter()
        self.per_chunk: dict[int, Counter[str]] = defaultdict(Counter)
        #: records with at least one violation of severity error
        self.violating = 0

    def add(self, chunk: int, mask: int, count: int) -> None:
        """Count the records of a chunk that break the same rules."""
        if mask & self._errors:
            self.violating += count
        for rule in rules_of(self._contract, mask):
            self.per_chunk[chunk][rule.id] += count
            (self.errors if rule.severity is Severity.ERROR else self.warnings)[rule.id] += count

    def add_broken(self, broken: Iterable[BrokenRecord]) -> None:
        """Count records that cannot be a CSV row."""
        for record in broken:
            self.per_chunk[record.record // CHUNK][record.rule] += 1
            self.errors[record.rule] += 1
            self.violating += 1

    def add_warnings_of_file(self, extra_columns: Iterable[str], *, has_records: bool) -> None:
        """Count the warnings about the file as a whole."""
        self.warnings.update({f"{column}|extra_column": 1 for column in extra_columns})
        if not has_records:
            self.warnings["file|no_records"] += 1


def shape_of(field: str | None) -> str | None:
    """Show what a value looks like without showing it; None for an empty field.

    Digits become 9, letters a or A, and other characters stay as they are. What is long is cut.
    """
    if not field:
        return None
    shown = "".join(_shape(character) for character in field[:_LONGEST_SHAPE])
    return f"{shown}… ({len(field):,} characters)" if len(field) > _LONGEST_SHAPE else shown


def _shape(character: str) -> str:
    if character.isdigit():
        return "9"
    if character.isalpha():
        return "A" if character.isupper() else "a"
    return character if character.isprintable() else "·"
