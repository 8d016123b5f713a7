"""Describe what a dataset must look like: its columns and rules, as values that every engine compiles.

A contract is loaded from Open Data Contract Standard YAML (see `takings.contracts.load`). A rule is *valid*, *invalid*
or *unknown* for a row: if a field is empty or could not be read, the rules on it are unknown, never invalid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Any, Final, TypeVar, get_args

from takings.contracts.datasets import Dataset as Dataset
from takings.contracts.datasets import DropKind
from takings.contracts.file_format import USUAL, FileFormat
from takings.contracts.origins import Origin
from takings.contracts.sources import NO_SOURCES, Sources
from takings.contracts.worth import AMOUNT, Role, Worth
from takings.contracts.written import Written

#: no text is longer, in UTF-8
MAX_TEXT_BYTES: Final = 1024


class ColumnType(StrEnum):
    """How the text of a field is read. A field that does not fit breaks `column|type` and no other rule."""

    #: `0|[1-9][0-9]{0,18}`, at most 2^63-1; BIGINT
    IDENTIFIER = "identifier"
    #: `-?[0-9]+` within 64 bits; BIGINT
    INTEGER = "integer"
    #: `-?[0-9]+(\.[0-9]+)?`, exactly representable with 12 integer and 16 fraction digits; DECIMAL(28,16)
    MONEY = "money"
    #: ISO date and time, see docs/contracts.md; an instant in UTC
    TIMESTAMP = "timestamp"
    #: UTF-8 of at most 1,024 bytes
    TEXT = "text"


class Severity(StrEnum):
    """What a violation does: an error refuses the row or its file; a warning is only reported."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, kw_only=True)
class Column:
    """One named column of a dataset."""

    name: str
    type: ColumnType
    #: the header must contain the column
    is_mandatory: bool
    #: an empty field is a violation of `column|required`
    is_required: bool
    #: accepted spelling, its A-Z in lower case -> what the lake stores; None if any text is allowed
    values: Mapping[str, str] | None = None
    #: what the column means, for people
    description: str = ""
    #: what it says about an item's worth
    role: Role | None = None
    #: its names in a header, the usual one first; empty: the column's own
    header_names: tuple[str, ...] = ()
    #: what it is made of, where no field of the file holds it
    origin: Origin | None = None
    #: stands for an empty text and for a column that the file lacks; None: nothing does
    default: str | None = None
    #: the date pattern of its texts
    format: str | None = None
    #: its texts are days, each of which is its first instant
    is_day: bool = False
    #: of times without a zone; None: the business time zone
    time_zone: str | None = None
    #: what may stand before or behind an amount
    currencies: tuple[str, ...] = ()
    #: how its texts are written, as follows from the above and from the file's format; None: as usual
    written: Written | None = None

    @property
    def known_as(self) -> tuple[str, ...]:
        """Return the header texts that name the column."""
        return self.header_names or (self.name,)


@dataclass(frozen=True, kw_only=True)
class Required:
    """The field is not empty."""


@dataclass(frozen=True, kw_only=True)
class Typed:
    """The field can be read as its column's type."""


@dataclass(frozen=True, kw_only=True)
class OneOf:
    """The field is one of the column's `values`; upper and lower case are the same for A-Z, not for other letters."""


@dataclass(frozen=True, kw_only=True)
class Unique:
    """No other record of the file has the same value and different content."""


@dataclass(frozen=True, kw_only=True)
class Matches:
    """The whole field matches a regular expression that means the same in RE2 and in Python (with `re.ASCII`)."""

    pattern: str


@dataclass(frozen=True, kw_only=True)
class MaxLength:
    """The text has at most this many characters."""

    characters: int


@dataclass(frozen=True, kw_only=True)
class InDataset:
    """The value is a primary key of another dataset; a row without its parent is an orphan, not an invalid row."""

    dataset: Dataset
    column: str


@dataclass(frozen=True, kw_only=True)
class OtherColumn:
    """A bound in another column of the same row."""

    name: str


@dataclass(frozen=True, kw_only=True)
class Now:
    """A bound relative to the manifest's instant."""

    plus: timedelta = timedelta(0)


@dataclass(frozen=True, kw_only=True)
class StartOfDay:
    """A bound at the first instant of a day in the business time zone."""

    day: date


Bound = Decimal | OtherColumn | Now | StartOfDay


class Operator(StrEnum):
    """The relation of a field to its bound if the rule holds."""

    LESS = "<"
    AT_MOST = "<="
    GREATER = ">"
    AT_LEAST = ">="


@dataclass(frozen=True, kw_only=True)
class Compared:
    """The field has this relation to a number, to another column, to now or to the start of a day."""

    operator: Operator
    bound: Bound


@dataclass(frozen=True, kw_only=True)
class PresentWhen:
    """The field is not empty in rows where another column holds this stored value."""

    column: str
    value: str


@dataclass(frozen=True, kw_only=True)
class AmountFits:
    """The field times a quantity, less a discount, is money: it has at most 12 digits before the point.

    Unknown where the quantity or the discount cannot be read, or the quantity has more than 9 digits.
    """

    #: the columns with these roles; None: one piece, no discount
    quantity: str | None
    discount: str | None


@dataclass(frozen=True, kw_only=True)
class SameWithin:
    """All records of the file with the same value in another column have the same value here."""

    column: str


Check = (
    Required
    | Typed
    | OneOf
    | Unique
    | Matches
    | MaxLength
    | InDataset
    | Compared
    | PresentWhen
    | AmountFits
    | SameWithin
)
CHECKS: Final[tuple[type[Any], ...]] = get_args(Check)
Answer = TypeVar("Answer")


def for_every_check(answers: Mapping[type[Any], Answer], *, by: str) -> Mapping[type[Any], Answer]:
    """Return the answers of the module `by`; NotImplementedError where it has none for a kind of check."""
    missing = [check.__name__ for check in CHECKS if check not in answers]
    if missing:
        raise NotImplementedError(f"{by} has no answer to {', '.join(missing)}. Add one to its table.")
    return answers


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One thing that must hold for a column; its id `column|kind` names it in every report."""

    column: str
    #: the kind's name, as in `cost|greater_than`
    kind: str
    severity: Severity
    check: Check
    #: what must hold, as a phrase after the column's name: "must be greater than 0"
    demand: str

    @property
    def id(self) -> str:
        """Return `column|kind`."""
        return f"{self.column}|{self.kind}"


@dataclass(frozen=True, kw_only=True)
class Contract:
    """What one dataset must look like."""

    dataset: Dataset
    version: str
    #: in the order of the contract, which is also that of the lake
    columns: tuple[Column, ...]
    primary_key: str
    #: every rule of every column; a rule's position is its bit in a row's mask of violations
    rules: tuple[Rule, ...]
    #: how the dataset's files are written
    file: FileFormat = USUAL
    #: the instant that decides which of two rows is newer, before the arrival's version does
    version_column: str | None = None
    #: the column whose rows of one file replace all former rows with its value together; None: each row replaces its own key
    replaces: str | None = None

    @property
    def unit(self) -> str:
        """Return the column of which one value is replaced as a whole."""
        return self.replaces or self.primary_key

    @property
    def identity(self) -> tuple[str, ...]:
        """Return the columns that tell the lake's rows apart."""
        return (self.primary_key,) if self.replaces is None else (self.replaces, self.primary_key)

    @property
    def unique_in_file(self) -> tuple[str, ...]:
        """Return the columns that tell a file's rows apart: it may hold several instants of a row, one of a delivery."""
        may_repeat = self.version_column is not None and self.replaces is None
        return (*self.identity, *([str(self.version_column)] if may_repeat else []))

    def column(self, name: str) -> Column:
        """Return the column of that name; raise KeyError if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @cached_property
    def worth(self) -> Worth:
        """Return what the KPIs read of an item."""
        columns = {column.name: column for column in self.columns}
        roles = {column.role: column.name for column in self.columns}
        status = columns.get("status")
        always = {rule.id for rule in self.rules if rule.severity is Severity.ERROR}
        return Worth(
            quantity=roles.get(Role.QUANTITY),
            discount=roles.get(Role.DISCOUNT),
            refund=roles.get(Role.REFUND),
            has_status=status is not None,
            may_lack_status=status is None or not status.is_mandatory or "status|required" not in always,
            has_returned_at="returned_at" in columns,
        )

    @property
    def stored(self) -> dict[str, ColumnType]:
        """Return the type of each column that is stored of a row: the contract's, and the amount of an item with roles."""
        types = {column.name: column.type for column in self.columns}
        has_amount = self.dataset is Dataset.ORDER_ITEMS and self.worth.has_roles
        return types | ({AMOUNT: ColumnType.MONEY} if has_amount else {})


@dataclass(frozen=True, kw_only=True)
class Contracts:
    """The contracts of a store, one per dataset, checked against each other."""

    by_dataset: Mapping[Dataset, Contract]
    #: SHA-256 over the contracts' meaning (not their comments or layout), in hex
    hash: str
    #: what yields rows of several datasets; no part of the hash
    sources: Sources = NO_SOURCES

    def __getitem__(self, dataset: Dataset) -> Contract:
        return self.by_dataset[dataset]

    @property
    def worth(self) -> Worth:
        """Return what the KPIs read of an item."""
        return self[Dataset.ORDER_ITEMS].worth

    def of(self, kind: DropKind) -> tuple[Contract, ...]:
        """Return the contracts by which a file is checked: its dataset's, or those of what its source yields."""
        yielded = self.sources.yielded([kind])
        return tuple(contract for dataset, contract in self.by_dataset.items() if dataset in yielded)
