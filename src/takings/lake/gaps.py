"""Hold what days lack as of a commit: items that wait for their order or product, and orders without any item."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Final


@dataclass(frozen=True, kw_only=True)
class Gap:
    """What one day lacks, or what belongs to no day."""

    waiting_items: int = 0
    #: the sum of the waiting items
    waiting_worth: Decimal = Decimal(0)
    #: orders without any item, even a waiting one
    orders_without_items: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the gap as in gaps.json."""
        return {
            "waiting_items": self.waiting_items,
            "waiting_worth": f"{self.waiting_worth:f}",
            "orders_without_items": self.orders_without_items,
        }

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> Gap:
        """Read what `to_json` wrote."""
        return Gap(
            waiting_items=document["waiting_items"],
            waiting_worth=Decimal(document["waiting_worth"]),
            orders_without_items=document["orders_without_items"],
        )


NO_GAP: Final = Gap()


@dataclass(frozen=True, kw_only=True)
class Gaps:
    """What the lake lacks as of a commit."""

    #: only days that lack something
    days: Mapping[date, Gap] = field(default_factory=dict)
    #: items whose order is not in the lake
    undated: Gap = NO_GAP

    @property
    def waiting_days(self) -> frozenset[date]:
        """Return the days of waiting items."""
        return frozenset(day for day, gap in self.days.items() if gap.waiting_items)

    def followed_by(self, later: Gaps, looked_at: Collection[date]) -> Gaps:
        """Return the gaps at a later commit, for which only `looked_at` and all days with waiting items were examined."""
        kept = {day: gap for day, gap in self.days.items() if day not in looked_at and day not in later.days}
        return Gaps(days=dict(sorted((kept | dict(later.days)).items())), undated=later.undated)

    def to_json(self) -> dict[str, Any]:
        """Return the content of gaps.json."""
        return {
            "days": [{"day": day.isoformat(), **gap.to_json()} for day, gap in sorted(self.days.items())],
            "undated": self.undated.to_json(),
        }

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> Gaps:
        """Read what `to_json` wrote."""
        return Gaps(
            days={date.fromisoformat(each["day"]): Gap.from_json(each) for each in document["days"]},
            undated=Gap.from_json(document["undated"]),
        )
