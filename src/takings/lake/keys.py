"""Hold the affected keys: the days and (category, day) pairs whose KPIs a batch may change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

CategoryDay = tuple[str, date]


@dataclass(frozen=True, kw_only=True)
class Affected:
    """The keys to publish again."""

    #: every key, present or past, because the lake was empty or a definition changed
    is_everything: bool = False
    days: frozenset[date] = frozenset()
    category_days: frozenset[CategoryDay] = frozenset()
    #: days on which every key is affected, whatever its category
    whole_days: frozenset[date] = frozenset()
    #: table of the shop's own -> days on which it changes beside `days`
    own_days: Mapping[str, frozenset[date]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the content of affected.json, with the keys in order."""
        return {
            "everything": self.is_everything,
            "days": [day.isoformat() for day in sorted(self.days)],
            "category_days": [[category, day.isoformat()] for category, day in sorted(self.category_days)],
            **({"own_days": {table: _written(days) for table, days in self.own_days.items()}} if self.own_days else {}),
        }

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> Affected:
        """Read what `to_json` wrote."""
        return Affected(
            is_everything=document["everything"],
            days=frozenset(date.fromisoformat(day) for day in document["days"]),
            category_days=frozenset((category, date.fromisoformat(day)) for category, day in document["category_days"]),
            own_days={
                table: frozenset(map(date.fromisoformat, days)) for table, days in document.get("own_days", {}).items()
            },
        )


def _written(days: frozenset[date]) -> list[str]:
    return [day.isoformat() for day in sorted(days)]


def everything() -> Affected:
    """Return all keys as affected: for a first batch, or after a changed definition."""
    return Affected(is_everything=True)
