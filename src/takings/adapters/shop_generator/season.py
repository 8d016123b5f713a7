"""Decide when orders happen and how many items they hold, so that charts look like those of a real shop."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import accumulate

from takings.adapters.shop_generator.draws import pick

#: sixteen orders hold 48 items: three on average, one to seven each
COUNTS_OF_A_BLOCK = (1, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 6, 7)
ARRANGEMENTS = 64

_BY_HOUR = (5, 3, 2, 1, 1, 2, 4, 8, 12, 15, 17, 18, 20, 18, 16, 16, 17, 19, 22, 25, 26, 22, 16, 9)
_BY_WEEKDAY = (94, 88, 90, 97, 112, 131, 118)
_BY_MONTH = (88, 84, 93, 97, 103, 98, 92, 90, 99, 105, 124, 137)
#: more points than this would not be visible
_MOST_SLOTS = 20_000
_NOISE, _ARRANGEMENT = 120, 121


@dataclass(frozen=True, kw_only=True)
class Arrangements:
    """The sixteen counts in 64 orders: for each place, its items and the items before it in its block."""

    counts: tuple[int, ...]
    before: tuple[int, ...]


def curve_of(first_day: date, days: int, seed_word: int) -> list[int]:
    """Return the seconds since 1970 at which equal shares of the orders have been placed, from 0 to 100 %."""
    weights = [weight for day in range(days) for weight in _weights_of(first_day + timedelta(days=day), day, seed_word)]
    reached = list(accumulate(weights, initial=0))
    slots = min(len(weights), _MOST_SLOTS)
    start = int(datetime.combine(first_day, time(), UTC).timestamp())
    curve = []
    for slot in range(slots):
        share = reached[-1] * slot // slots
        hour = bisect_right(reached, share) - 1
        curve.append(start + hour * 3600 + (share - reached[hour]) * 3600 // weights[hour])
    return [*curve, start + days * 86_400]


def arrangements_of(seed_word: int) -> Arrangements:
    """Shuffle the counts of a block in 64 ways."""
    counts: list[int] = []
    before: list[int] = []
    for arrangement in range(ARRANGEMENTS):
        block = sorted(
            range(len(COUNTS_OF_A_BLOCK)),
            key=lambda place: pick(seed_word, _ARRANGEMENT, arrangement * 16 + place, 1 << 32),
        )
        shuffled = [COUNTS_OF_A_BLOCK[place] for place in block]
        counts += shuffled
        before += list(accumulate(shuffled, initial=0))[:-1]
    return Arrangements(counts=tuple(counts), before=tuple(before))


def _weights_of(day: date, number: int, seed_word: int) -> list[int]:
    """Return the weights of a day's hours: weekday, month, a trend of a fifth per year, and the day's random factor."""
    luck = 92 + pick(seed_word, _NOISE, number, 17)
    trend = 1000 + 200 * number // 365
    return [hour * _BY_WEEKDAY[day.weekday()] * _BY_MONTH[day.month - 1] * luck * trend for hour in _BY_HOUR]
