"""Read the text of one field as its column's type, in plain Python: numbers and times exactly, without guessing.

docs/contracts.md says what is accepted. A field that is empty or cannot be read is None, which makes rules on it unknown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, assert_never

from takings.contracts.forms import BLANKS
from takings.contracts.model import MAX_TEXT_BYTES, Column, ColumnType
from takings.time_zones import BusinessTime
from takings.time_zones import business_time as zone_of

#: an instant is a number of microseconds since 1970
Value = int | Decimal | str
Reader = Callable[[str], Value | None]

_IDENTIFIER: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_INTEGER: Final = re.compile(r"(-?)0*([0-9]{1,19})")
_MONEY: Final = re.compile(r"(-?)0*([0-9]{1,12})(?:\.([0-9]{1,16})0*)?")
_INSTANT: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}[T ](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9])"
    r"(?:\.([0-9]{1,9}))?"
    r"( UTC| ?(?:[Zz]|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?))?"
)
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_CAPITALS: Final = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


def reader_of(column: Column, business_time: BusinessTime) -> Reader:
    """Return the function that reads the fields of a column."""
    match column.type:
        case ColumnType.IDENTIFIER:
            return read_identifier
        case ColumnType.INTEGER:
            return read_integer
        case ColumnType.MONEY:
            return read_money
        case ColumnType.TIMESTAMP:
            times = zone_of(column.time_zone) if column.time_zone else business_time
            return lambda text: read_instant(text, times)
        case ColumnType.TEXT if column.values is None:
            return read_text
        case ColumnType.TEXT:
            values = column.values
            return lambda text: read_listed(text, values)
        case _:
            assert_never(column.type)


def is_blank(text: str) -> bool:
    """Return whether a field counts as empty."""
    return not text.strip(BLANKS)


def is_too_long(text: str) -> bool:
    """Return whether a field has more bytes than a text may have."""
    return len(text) * 4 > MAX_TEXT_BYTES and len(text.encode()) > MAX_TEXT_BYTES


def read_identifier(text: str) -> int | None:
    """Read `0` or digits without a leading zero, up to 2^63-1."""
    if not _IDENTIFIER.fullmatch(text):
        return None
    number = int(text)
    return number if number <= _LARGEST else None


def read_integer(text: str) -> int | None:
    """Read `-?[0-9]+` within 64 bits."""
    written = _INTEGER.fullmatch(text)
    if not written:
        return None
    number = int(written[1] + written[2])
    return number if _SMALLEST <= number <= _LARGEST else None


def read_money(text: str) -> Decimal | None:
    r"""Read `-?[0-9]+(\.[0-9]+)?` if 12 digits before the point and 16 after it hold all of it."""
    written = _MONEY.fullmatch(text)
    return Decimal(f"{written[1]}{written[2]}.{written[3] or '0'}") if written else None


def read_instant(text: str, business_time: BusinessTime) -> int | None:
    """Read an ISO date and time of the years 1 to 9999; without a zone it is the business time zone's."""
    written = _INSTANT.fullmatch(text)
    if not written:
        return None
    wall_clock, fraction, zone = written.groups(default="")
    try:
        local = datetime.fromisoformat(wall_clock)
        instant = local.replace(tzinfo=UTC) - _offset(zone) if zone else business_time.instant_of(local)
    except (ValueError, OverflowError):
        return None
    return microseconds(instant) + int(fraction[:6].ljust(6, "0"))


def microseconds(instant: datetime) -> int:
    """Return an instant as its number of microseconds since 1970."""
    return (instant - _EPOCH) // _MICROSECOND


def _offset(zone: str) -> timedelta:
    """Return how far a clock is ahead of UTC whose time ends with `Z`, ` UTC`, `+02:00`, ` +0200` or `+02`."""
    zone = zone.lstrip(" ")
    if zone in ("Z", "z", "UTC"):
        return timedelta(0)
    ahead = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:].removeprefix(":") or 0))
    return -ahead if zone[0] == "-" else ahead


def read_text(text: str) -> str | None:
    """Read up to 1,024 bytes of text, unchanged."""
    return None if is_blank(text) or is_too_long(text) else text


def read_listed(text: str, values: Mapping[str, str]) -> str | None:
    """Read one of a column's values, in any case of A-Z only; return what is stored for it."""
    return None if is_blank(text) or is_too_long(text) else values.get(text.translate(_CAPITALS))
