"""Convert between the shop's wall clock and instants, in a way that every engine can repeat from two small tables.

A wall-clock time in a gap takes the offset before the gap; a repeated one means its first occurrence (PEP 495's fold=0).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from takings.errors import SettingsError

_FIRST: Final = datetime(1890, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(2200, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class OffsetChange:
    """From `since` on, the wall clock is ahead of UTC by `offset`."""

    #: without a zone: an instant in UTC, or a wall-clock time
    since: datetime
    offset: timedelta


@dataclass(frozen=True, kw_only=True)
class BusinessTime:
    """A business time zone as two step functions; `first_offset` applies before the first change."""

    name: str
    first_offset: timedelta
    #: steps over instants: gives the wall clock of an instant
    by_instant: tuple[OffsetChange, ...]
    #: steps over wall-clock times: gives the instant of a wall-clock time
    by_wall_clock: tuple[OffsetChange, ...]

    @property
    def is_utc(self) -> bool:
        """Return whether the wall clock shows UTC."""
        return not self.by_instant and not self.first_offset

    def instant_of(self, wall_clock: datetime) -> datetime:
        """Return the instant at which the wall clock shows a time without a zone."""
        return (wall_clock - _offset_at(self.by_wall_clock, self.first_offset, wall_clock)).replace(tzinfo=UTC)

    def start_of(self, day: date) -> datetime:
        """Return the instant at which a business day begins."""
        return self.instant_of(datetime(day.year, day.month, day.day))  # noqa: DTZ001 - a wall-clock time

    def day_of(self, instant: datetime) -> date:
        """Return the business day of an instant; outside the calendar (0001 to 9999), its first or last day."""
        naive = instant.astimezone(UTC).replace(tzinfo=None)
        offset = _offset_at(self.by_instant, self.first_offset, naive)
        try:
            return (naive + offset).date()
        except OverflowError:
            return date.min if offset < timedelta(0) else date.max


def _offset_at(changes: tuple[OffsetChange, ...], first: timedelta, at: datetime) -> timedelta:
    low, high = 0, len(changes)
    while low < high:
        middle = (low + high) // 2
        if changes[middle].since <= at:
            low = middle + 1
        else:
            high = middle
    return changes[low - 1].offset if low else first


def read_zone(name: str) -> ZoneInfo:
    """Read an IANA time zone; raise SettingsError if there is none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as unknown:
        raise SettingsError(
            f"time_zone: '{name}' is not a time zone. Use an IANA name such as 'UTC' or 'Europe/Berlin'."
        ) from unknown


@cache
def business_time(name: str) -> BusinessTime:
    """Find the steps of an IANA time zone; raise SettingsError if there is none of that name."""
    zone = read_zone(name)
    offset = first = _utc_offset(zone, _FIRST)
    by_instant: list[OffsetChange] = []
    by_wall_clock: list[OffsetChange] = []
    # Most stores use UTC, and a walk through all days takes a tenth of a second.
    for moment in () if name == "UTC" else _changes(zone):
        before, offset = offset, _utc_offset(zone, moment)
        naive = moment.replace(tzinfo=None)
        by_instant.append(OffsetChange(since=naive, offset=offset))
        by_wall_clock.append(OffsetChange(since=naive + max(before, offset), offset=offset))
    return BusinessTime(name=name, first_offset=first, by_instant=tuple(by_instant), by_wall_clock=tuple(by_wall_clock))


def _utc_offset(zone: ZoneInfo, instant: datetime) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta(0)


def _changes(zone: ZoneInfo) -> list[datetime]:
    """Find every instant at which the offset changes, to the second: day by day, then by bisection."""
    found = []
    day, offset = _FIRST, _utc_offset(zone, _FIRST)
    while day < _LAST:
        following = day + timedelta(days=1)
        next_offset = _utc_offset(zone, following)
        if next_offset != offset:
            low, high = day, following
            while high - low > timedelta(seconds=1):
                middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
                low, high = (middle, high) if _utc_offset(zone, middle) == offset else (low, middle)
            found.append(high)
        day, offset = following, next_offset
    return found
