"""Read which values a column allows: the standard's `enum` and `logicalTypeOptions`, as checks in their fixed order."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from string import ascii_lowercase, ascii_uppercase

from takings.contracts.custom import read_custom
from takings.contracts.model import (
    MAX_TEXT_BYTES,
    Check,
    Column,
    ColumnType,
    Compared,
    InDataset,
    Matches,
    MaxLength,
    OneOf,
    Operator,
    Required,
    Typed,
    Unique,
)
from takings.contracts.patterns import pattern_fault
from takings.contracts.yaml_nodes import Entry, suggestion

ENUM_DESCRIPTIVE = ("label", "id", "description", "authoritativeDefinitions", "tags")
OPTIONS: Mapping[ColumnType, tuple[str, ...]] = {
    ColumnType.IDENTIFIER: ("exclusiveMinimum", "minimum", "exclusiveMaximum", "maximum"),
    ColumnType.INTEGER: ("exclusiveMinimum", "minimum", "exclusiveMaximum", "maximum"),
    ColumnType.MONEY: ("exclusiveMinimum", "minimum", "exclusiveMaximum", "maximum"),
    ColumnType.TIMESTAMP: ("format", "defaultTimezone"),
    ColumnType.TEXT: ("maxLength", "pattern"),
}
BOUNDS = {
    "exclusiveMinimum": Operator.GREATER,
    "minimum": Operator.AT_LEAST,
    "exclusiveMaximum": Operator.LESS,
    "maximum": Operator.AT_MOST,
}
#: A-Z only: for other letters, databases and Python disagree on lower case.
LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
LARGEST = {ColumnType.MONEY: 10**12, ColumnType.INTEGER: 2**63, ColumnType.IDENTIFIER: 2**63}


def read_values(entry: Entry) -> dict[str, str]:
    """Return each accepted spelling, in lower case, with what is stored for it."""
    values: dict[str, str] = {}
    stored_as: dict[str, Entry] = {}
    for item in entry.entries("value"):
        fields = item.fields(("value", "customProperties"), ENUM_DESCRIPTIVE)
        if "value" not in fields:
            raise item.error("an entry of 'enum' has no 'value'. Write '- value: ...'.")
        spelling = fields["value"].text()
        lowered = spelling.translate(LOWER)
        if lowered in values:
            raise fields["value"].error(f"the value '{spelling}' is listed twice; case makes no difference. Keep one.")
        if len(spelling.encode()) > MAX_TEXT_BYTES:
            raise fields["value"].error(
                f"no text is longer than {MAX_TEXT_BYTES:,} bytes. Shorten the value or leave it out."
            )
        values[lowered] = spelling
        custom = read_custom(fields.get("customProperties"), "an enum value")
        if "takingsStoredAs" in custom:
            stored_as[lowered] = custom["takingsStoredAs"]
    if not values:
        raise entry.error("'enum' is empty. Add a value or leave it out.")
    return _stored(values, stored_as)


def _stored(values: Mapping[str, str], stored_as: Mapping[str, Entry]) -> dict[str, str]:
    """Return the values, with spellings replaced that are stored as another value of the same list."""
    kept = [value for spelling, value in values.items() if spelling not in stored_as]
    for spelling, place in stored_as.items():
        if place.text() not in kept:
            raise place.error(
                f"'{values[spelling]}' is stored as '{place.text()}', which is not a value of this enum."
                f"{suggestion(place.text(), kept)}"
            )
    return {**values, **{spelling: place.text() for spelling, place in stored_as.items()}}


def read_checks(
    column: Column, fields: Mapping[str, Entry], *, is_unique: bool, target: InDataset | None
) -> list[Check]:
    """Return the checks of the standard's keys, in the order of every report."""
    checks: list[Check] = [Required()] if column.is_required else []
    checks.append(Typed())
    if column.values is not None:
        if column.type is not ColumnType.TEXT:
            raise fields["enum"].error(f"'enum' goes with text. Write 'logicalType: string' for '{column.name}'.")
        checks.append(OneOf())
    if "logicalTypeOptions" in fields:
        checks += _options(column, fields["logicalTypeOptions"])
    if is_unique:
        checks.append(Unique())
    if target:
        checks.append(target)
    return checks


def _options(column: Column, entry: Entry) -> list[Check]:
    fields = entry.fields(OPTIONS[column.type])
    checks: list[Check] = []
    if "maxLength" in fields:
        checks.append(MaxLength(characters=_length(fields["maxLength"])))
    if "pattern" in fields:
        pattern = fields["pattern"].text()
        fault = pattern_fault(pattern)
        if fault:
            raise fields["pattern"].error(
                f"the pattern of '{column.name}' cannot be used: {fault}. Write it differently."
            )
        checks.append(Matches(pattern=pattern))
    for key, operator in BOUNDS.items():
        if key in fields:
            checks.append(Compared(operator=operator, bound=read_bound(column, fields[key])))
    return checks


def read_bound(column: Column, entry: Entry) -> Decimal:
    """Return the number that a column is compared with; the column itself must be able to hold it."""
    number = entry.number()
    if column.type is not ColumnType.MONEY and number != number.to_integral_value():
        raise entry.error(f"'{column.name}' holds whole numbers. Write '{entry.name}' as one.")
    if abs(number) >= LARGEST[column.type]:
        raise entry.error(f"'{entry.name}' is larger than any value of '{column.name}'. Write a smaller number.")
    return number


def _length(entry: Entry) -> int:
    length = entry.whole()
    if not 1 <= length <= MAX_TEXT_BYTES:
        raise entry.error(f"'maxLength' must be from 1 to {MAX_TEXT_BYTES:,}: text is never longer.")
    return length
