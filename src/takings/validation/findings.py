"""Describe what validation found in a file: violations, chunk reports, counts and the verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum

from takings.contracts.datasets import Dataset, DropKind

#: how many violations a chunk report shows
SAMPLES_PER_CHUNK = 100


class Verdict(StrEnum):
    """What validation decided about a file."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, kw_only=True)
class Violation:
    """One broken rule at one place; it never holds the value itself."""

    rule: str
    #: 0-based among the file's data records; None for a fault of the whole file
    record: int | None
    #: the physical line on which the record begins, 1-based
    line: int | None
    column: str | None
    #: what was expected, as a phrase after the column's name
    reason: str
    #: the value's shape: digits as 9, letters as a, the rest unchanged, shortened
    shape: str | None = None


@dataclass(frozen=True, kw_only=True)
class Finding(Violation):
    """A violation, and what a person can do about it."""

    remedy: str

    @staticmethod
    def advised(violation: Violation, remedy: str) -> Finding:
        """Return a violation with its remedy."""
        found = {field.name: getattr(violation, field.name) for field in fields(Violation)}
        return Finding(**found, remedy=remedy)


@dataclass(frozen=True, kw_only=True)
class RecordCounts:
    """A file's row accounting: read = accepted + rejected + identical_duplicates."""

    read: int = 0
    accepted: int = 0
    rejected: int = 0
    identical_duplicates: int = 0

    def __post_init__(self) -> None:
        if self.read != self.accepted + self.rejected + self.identical_duplicates:
            raise AssertionError(f"the row accounting does not add up: {self}")


@dataclass(frozen=True, kw_only=True)
class ChunkReport:
    """What validation found in up to 10,000 records."""

    chunk: int
    first_record: int
    records: int
    #: rule id -> how many records break it
    counts: Mapping[str, int]
    #: the first violations, at most SAMPLES_PER_CHUNK
    samples: tuple[Violation, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FaultyRecord:
    """A record that breaks at least one rule, with its content for quarantine."""

    record: int
    #: the physical line on which it begins, 1-based
    line: int
    violations: tuple[Violation, ...]
    #: it breaks a rule of severity error
    is_rejected: bool
    #: the raw fields in the header's order, None if empty; None for a record that cannot be a CSV row
    fields: tuple[str | None, ...] | None = None
    #: the bytes of a record that cannot be a CSV row; None if there are too many
    raw: bytes | None = None


def no_faulty_records() -> Iterator[FaultyRecord]:
    """Yield nothing, for a file without violations."""
    return iter(())


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What an engine found in one file, before any policy is applied."""

    #: all data records, structurally broken ones included
    read: int
    #: records with at least one violation of severity error
    violating: int
    identical_duplicates: int
    #: rule id -> how many records break it (1 for a rule on the file itself)
    errors: Mapping[str, int]
    warnings: Mapping[str, int]
    chunks: tuple[ChunkReport, ...]
    #: every faulty record in the order of the file; may be called again
    faulty_records: Callable[[], Iterator[FaultyRecord]] = field(default=no_faulty_records, compare=False)


@dataclass(frozen=True, kw_only=True)
class MadeRows:
    """What was decided about the rows of one dataset that a source's file yields."""

    #: rows made = accepted + rejected + identical duplicates
    records: RecordCounts
    errors: Mapping[str, int] = field(default_factory=dict)
    warnings: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class FileReport:
    """What was decided about one file."""

    key: str
    dataset: DropKind
    file: str
    verdict: Verdict
    #: SHA-256 of the bytes
    fingerprint: str
    version: datetime
    size: int
    records: RecordCounts
    errors: Mapping[str, int] = field(default_factory=dict)
    warnings: Mapping[str, int] = field(default_factory=dict)
    #: one sentence for people; None if the file was taken without remark
    reason: str | None = None
    #: for a duplicate: the key of the file that it copies
    duplicate_of: str | None = None
    #: for a source's file: what was found in the rows that it yields; empty where no row was made
    made: Mapping[Dataset, MadeRows] = field(default_factory=dict)

    @property
    def rows_accepted(self) -> int:
        """Count the rows that the file brings into the lake."""
        if self.made:
            return sum(rows.records.accepted for rows in self.made.values())
        return self.records.accepted
