"""Compare a batch's rows with the lake before its first merge: new, changed, unchanged or older; and what looks wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

#: how many examples a warning shows
MOST_EXAMPLES: Final = 3
#: if contents of one key are this close in time, the times come from a bulk copy, not from the shop
CLOSE: Final = timedelta(seconds=2)


@dataclass(frozen=True, kw_only=True)
class RowChanges:
    """How a file's accepted rows compare with the lake."""

    #: the lake has no row with this key
    new: int = 0
    #: the row replaces one with other content
    changed: int = 0
    #: the lake has the same content
    unchanged: int = 0
    #: a newer row with this key is in the lake or in the batch
    older: int = 0

    def __add__(self, other: RowChanges) -> RowChanges:
        return RowChanges(
            new=self.new + other.new,
            changed=self.changed + other.changed,
            unchanged=self.unchanged + other.unchanged,
            older=self.older + other.older,
        )

    @property
    def rows(self) -> int:
        """Count the rows."""
        return self.new + self.changed + self.unchanged + self.older

    @property
    def counts(self) -> dict[str, int]:
        """Return the four counts by name."""
        return asdict(self)

    @property
    def described(self) -> str:
        """Return the counts that are not zero, for people."""
        return ", ".join(f"{count:,} {name}" for name, count in self.counts.items() if count)


class Doubt(StrEnum):
    """What may be wrong about a replacement."""

    #: an order's user_id and created_at both changed
    ANOTHER_ORDER = "another_order"
    #: an item's order_id changed
    ITEM_OF_ANOTHER_ORDER = "item_of_another_order"
    #: two orders have an item with the same id, where the lines of an order are replaced together
    ITEM_IN_TWO_ORDERS = "item_in_two_orders"
    #: two files of a batch have lines of the same order, where these are replaced together
    ORDER_IN_TWO_FILES = "order_in_two_files"
    #: an order has more items than its num_of_item says
    MORE_ITEMS_THAN_STATED = "more_items_than_stated"
    #: a batch holds several contents of one key whose times are close
    SAME_TIME = "same_time"


@dataclass(frozen=True, kw_only=True)
class Example:
    """One row that a warning is about."""

    #: the row's primary key
    id: int | str
    #: the arrival's key
    key: str
    line: int
    #: what num_of_item says, and how many items there are
    stated: int | None = None
    items: int | None = None


@dataclass(frozen=True, kw_only=True)
class ChangeWarning:
    """A doubt, how many rows raise it, and the first of them."""

    doubt: Doubt
    count: int
    examples: tuple[Example, ...]

    @property
    def sentence(self) -> str:
        """Return the warning as a sentence for people."""
        one, several, follows = _SENTENCES[self.doubt]
        what = one if self.count == 1 else f"{self.count:,} {several}"
        more = ", …" if self.count > len(self.examples) else ""
        return f"{what} {follows} ({'; '.join(_shown(example) for example in self.examples)}{more})"

    def to_json(self) -> dict[str, Any]:
        """Return the warning as in changes.json."""
        return {
            "warning": self.doubt.value,
            "count": self.count,
            "sentence": self.sentence,
            "examples": [asdict(example) for example in self.examples],
        }


#: a doubt's words for one row, for several rows, and for what follows
_SENTENCES: Final = {
    Doubt.ANOTHER_ORDER: (
        "1 order changes",
        "orders change",
        "both user_id and created_at: another order with the same number is not a correction; give each shop its own numbers",
    ),
    Doubt.ITEM_OF_ANOTHER_ORDER: (
        "1 item moves",
        "items move",
        "to another order: another item with the same number is not a correction, and replaces the first",
    ),
    Doubt.ITEM_IN_TWO_ORDERS: (
        "1 item has",
        "items have",
        "the id of an item of another order: both count; give each item a number of its own",
    ),
    Doubt.ORDER_IN_TWO_FILES: (
        "1 order has",
        "orders have",
        "lines in several files of the batch: only those of the newest file count; keep an order's lines in one file",
    ),
    Doubt.MORE_ITEMS_THAN_STATED: (
        "1 order has",
        "orders have",
        (
            "more items than num_of_item says: a file without an item does not remove it; cancel it by its status, or write"
            " takingsReplaces into the contract of order_items"
        ),
    ),
    Doubt.SAME_TIME: (
        "1 key has",
        "keys have",
        "several contents within 2 seconds: copying files gives them a new time; keep the old one with `cp -p` or `rsync -t`",
    ),
}


def _shown(example: Example) -> str:
    place = f"{example.key.removeprefix('raw-data/')} line {example.line}"
    if example.stated is None:
        return f"{example.id}: {place}"
    return f"{example.id} says {example.stated} and has {example.items}: {place}"


@dataclass(frozen=True, kw_only=True)
class BatchChanges:
    """How a batch's accepted rows compared with the lake before its first merge."""

    #: per arrival's key
    files: Mapping[str, RowChanges] = field(default_factory=dict)
    warnings: tuple[ChangeWarning, ...] = ()

    @property
    def in_all(self) -> RowChanges:
        """Return the sums of the counts over all files."""
        return sum(self.files.values(), RowChanges())

    def accounted(self, accepted: Mapping[str, int]) -> BatchChanges:
        """Count each file's remaining accepted rows as older: the batch has a newer row with the same key."""
        files = {}
        for key, rows in accepted.items():
            known = self.files.get(key, RowChanges())
            files[key] = replace(known, older=known.older + rows - known.rows)
        return replace(self, files=files)

    def to_json(self) -> dict[str, Any]:
        """Return what changes.json and the outcome show."""
        return {
            "files": [{"key": key, **counts.counts} for key, counts in sorted(self.files.items())],
            "warnings": [warning.to_json() for warning in self.warnings],
        }

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> BatchChanges:
        """Read what `to_json` wrote."""
        return BatchChanges(
            files={
                file["key"]: RowChanges(**{name: file[name] for name in ("new", "changed", "unchanged", "older")})
                for file in document["files"]
            },
            warnings=tuple(
                ChangeWarning(
                    doubt=Doubt(warning["warning"]),
                    count=warning["count"],
                    examples=tuple(Example(**example) for example in warning["examples"]),
                )
                for warning in document["warnings"]
            ),
        )
