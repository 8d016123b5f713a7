"""The shop's wall clock and instants, as two step functions that every engine can compute."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from takings.errors import SettingsError
from takings.time_zones import BusinessTime, business_time
from tests.depth import examples

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca")


def test_utc_has_no_changes() -> None:
    """Nothing has to be computed, and engines skip the arithmetic."""
    assert business_time("UTC") == BusinessTime(name="UTC", first_offset=timedelta(0), by_instant=(), by_wall_clock=())
    assert business_time("UTC").is_utc
    assert not business_time("Europe/London").is_utc


@pytest.mark.parametrize(
    ("zone", "wall_clock", "instant"),
    [
        ("UTC", "2025-03-30T02:30:00", "2025-03-30T02:30:00"),
        ("Europe/Berlin", "2025-03-30T01:59:59", "2025-03-30T00:59:59"),
        ("Europe/Berlin", "2025-03-30T02:00:00", "2025-03-30T01:00:00"),
        ("Europe/Berlin", "2025-03-30T02:30:00", "2025-03-30T01:30:00"),
        ("Europe/Berlin", "2025-03-30T03:00:00", "2025-03-30T01:00:00"),
        ("Europe/Berlin", "2025-10-26T02:00:00", "2025-10-26T00:00:00"),
        ("Europe/Berlin", "2025-10-26T02:59:59", "2025-10-26T00:59:59"),
        ("Europe/Berlin", "2025-10-26T03:00:00", "2025-10-26T02:00:00"),
        ("Australia/Lord_Howe", "2025-10-05T02:15:00", "2025-10-04T15:45:00"),
        ("Australia/Lord_Howe", "2025-10-05T02:30:00", "2025-10-04T15:30:00"),
        ("Australia/Lord_Howe", "2025-04-06T01:45:00", "2025-04-05T14:45:00"),
        ("Australia/Lord_Howe", "2025-04-06T02:00:00", "2025-04-05T15:30:00"),
    ],
    ids=[
        "UTC",
        "before the gap",
        "first second of the gap",
        "in the gap: the offset before it",
        "after the gap",
        "a repeated hour begins: its first occurrence",
        "its last second: still the first occurrence",
        "after the repeated hour",
        "in a gap of half an hour",
        "after it",
        "in a repeated half hour",
        "after that",
    ],
)
def test_a_wall_clock_time_is_one_instant(zone: str, wall_clock: str, instant: str) -> None:
    """A time in a gap takes the offset before it, a repeated one its first occurrence."""
    assert business_time(zone).instant_of(datetime.fromisoformat(wall_clock)) == datetime.fromisoformat(f"{instant}Z")


@pytest.mark.parametrize(
    ("zone", "instant", "day"),
    [
        ("UTC", "2025-03-29T23:30:00", date(2025, 3, 29)),
        ("Europe/Berlin", "2025-03-29T22:59:59", date(2025, 3, 29)),
        ("Europe/Berlin", "2025-03-29T23:00:00", date(2025, 3, 30)),
        ("Europe/Berlin", "2025-06-29T22:00:00", date(2025, 6, 30)),
        ("America/New_York", "2025-03-30T03:59:59", date(2025, 3, 29)),
        ("Pacific/Apia", "2011-12-30T09:59:59", date(2011, 12, 29)),
        ("Pacific/Apia", "2011-12-30T10:00:00", date(2011, 12, 31)),
    ],
    ids=["UTC", "winter", "a second later", "summer", "behind UTC", "before a lost day", "after it"],
)
def test_a_business_day_is_the_wall_clocks(zone: str, instant: str, day: date) -> None:
    """Late evening in one zone is tomorrow in another."""
    assert business_time(zone).day_of(datetime.fromisoformat(f"{instant}Z")) == day


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "/etc/passwd", "../UTC", "Europe"])
def test_an_unknown_zone_is_a_wrong_setting(name: str) -> None:
    """The message names the setting and what to write instead."""
    with pytest.raises(SettingsError) as unknown:
        business_time(name)
    assert str(unknown.value) == (
        f"time_zone: {name!r} is not a time zone. Use an IANA name such as 'UTC' or 'Europe/Berlin'."
    )


@given(
    zone=st.sampled_from(ZONES),
    moment=st.datetimes(
        min_value=datetime.fromisoformat("1900-01-01T00:00:00"), max_value=datetime.fromisoformat("2190-01-01T00:00:00")
    ),
)
@example(zone="Europe/Berlin", moment=datetime.fromisoformat("2025-03-30T02:00:00"))
@settings(max_examples=examples(100, 300), deadline=None)
def test_both_step_functions_agree_with_the_time_zone_database(zone: str, moment: datetime) -> None:
    """For any time between 1900 and 2190, read as wall-clock time and as an instant."""
    business = business_time(zone)
    assert business.instant_of(moment) == moment.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)
    instant = moment.replace(tzinfo=UTC)
    assert business.day_of(instant) == instant.astimezone(ZoneInfo(zone)).date()


@given(zone=st.sampled_from(ZONES), place=st.integers(min_value=0), seconds=st.integers(-7200, 7200))
@settings(max_examples=examples(100, 300), deadline=None)
def test_they_agree_around_every_change(zone: str, place: int, seconds: int) -> None:
    """Random times seldom hit one."""
    business = business_time(zone)
    if not business.by_instant:
        return
    near = business.by_instant[place % len(business.by_instant)].since + timedelta(seconds=seconds)
    assert business.day_of(near.replace(tzinfo=UTC)) == near.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).date()
    near = business.by_wall_clock[place % len(business.by_wall_clock)].since + timedelta(seconds=seconds)
    assert business.instant_of(near) == near.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)
