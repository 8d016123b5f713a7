"""Write the business time zone as SQL: its step functions as binary searches, which every engine computes alike.

A cast of the engine's own would call its time zone library for every row, and each engine has another.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from takings.time_zones import BusinessTime, OffsetChange

_MICROSECOND: Final = timedelta(microseconds=1)
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - steps are of naive UTC instants and of wall clocks


def wall_clock_micros(micros: str, business_time: BusinessTime) -> str:
    """Return the SQL of what the business wall clock shows, in microseconds, at an instant in microseconds since 1970.

    A wall clock before year 1 or after 9999 counts on the calendar's first or last day.
    """
    if business_time.is_utc:
        return micros
    shown = f"{micros} + {offset_micros(micros, business_time.by_instant, business_time.first_offset)}"
    first, last = ((end - _EPOCH) // _MICROSECOND for end in (datetime.min, datetime.max))  # noqa: DTZ901 - wall clocks
    return f"least(greatest({shown}, {first}), {last})"


def offset_micros(at: str, changes: Sequence[OffsetChange], first: timedelta) -> str:
    """Return the offset in microseconds by a binary search over the changes: about log2(n) comparisons per row."""
    if not changes:
        return str(first // _MICROSECOND)
    middle = len(changes) // 2
    change = changes[middle]
    since = (change.since - _EPOCH) // _MICROSECOND
    before = offset_micros(at, changes[:middle], first)
    after = offset_micros(at, changes[middle + 1 :], change.offset)
    return f"case when {at} < {since} then {before} else {after} end"
