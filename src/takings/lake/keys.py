"""Hold the affected keys: the days and (category, day) pairs whose KPIs a batch may change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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

    def to_json(self) -> dict[str, Any]:
        """Return the content of affected.json, with the keys in order."""
        return {
            "everything": self.is_everything,
            "days": [day.isoformat() for day in sorted(self.days)],
            "category_days": [[category, day.isoformat()] for category, day in sorted(self.category_days)],
        }

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> Affected:
        """Read what `to_json` wrote."""
        return Affected(
            is_everything=document["everything"],
            days=frozenset(date.fromisoformat(day) for day in document["days"]),
            category_days=frozenset((category, date.fromisoformat(day)) for category, day in document["category_days"]),
        )


def everything() -> Affected:
    """Return all keys as affected: for a first batch, or after a changed definition."""
    return Affected(is_everything=True)
