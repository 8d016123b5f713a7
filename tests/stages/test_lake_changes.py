"""What a batch changes in the lake and what days lack: counted, said in a sentence, kept and read again."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from takings.lake.changes import BatchChanges, ChangeWarning, Doubt, Example, RowChanges
from takings.lake.gaps import NO_GAP, Gap, Gaps
from takings.lake.stand_ins import FIRST_REAL, stand_in_version

SATURDAY, SUNDAY, MONDAY = date(2025, 3, 29), date(2025, 3, 30), date(2025, 3, 31)
SOME = RowChanges(new=1, changed=20, unchanged=300, older=4000)


def test_counts_are_added_one_by_one() -> None:
    """In all, they are the file's rows."""
    assert RowChanges(new=5, changed=6, unchanged=7, older=8) + SOME == RowChanges(
        new=6, changed=26, unchanged=307, older=4008
    )
    assert SOME.rows == 4321
    assert SOME.counts == {"new": 1, "changed": 20, "unchanged": 300, "older": 4000}


def test_only_what_there_is_is_described() -> None:
    """In the order new, changed, unchanged, older."""
    assert SOME.described == "1 new, 20 changed, 300 unchanged, 4,000 older"
    assert RowChanges(changed=2).described == "2 changed"


def test_the_rest_of_a_files_rows_is_older() -> None:
    """A file that nothing is known of has older rows only; one that was not accepted is not counted."""
    changes = BatchChanges(files={"a": RowChanges(new=1, changed=2, older=3), "refused": SOME})
    assert changes.accounted({"a": 10, "b": 4, "none": 0}) == BatchChanges(
        files={"a": RowChanges(new=1, changed=2, older=7), "b": RowChanges(older=4), "none": RowChanges()}
    )
    assert changes.in_all == RowChanges(new=2, changed=22, unchanged=300, older=4003)
    assert BatchChanges().in_all == RowChanges()


EXAMPLES = (
    Example(id=7, key="raw-data/orders/a.csv", line=2),
    Example(id="x-8", key="raw-data/orders/a.csv", line=3, stated=1, items=2),
)


@pytest.mark.parametrize(
    ("doubt", "one", "several"),
    [
        (
            Doubt.ANOTHER_ORDER,
            (
                "1 order changes both user_id and created_at: another order with the same number is not a correction; give each"
                " shop its own numbers"
            ),
            (
                "2,000 orders change both user_id and created_at: another order with the same number is not a correction; give"
                " each shop its own numbers"
            ),
        ),
        (
            Doubt.ITEM_OF_ANOTHER_ORDER,
            "1 item moves to another order: another item with the same number is not a correction, and replaces the first",
            "2,000 items move to another order: another item with the same number is not a correction, and replaces the first",
        ),
        (
            Doubt.ITEM_IN_TWO_ORDERS,
            "1 item has the id of an item of another order: both count; give each item a number of its own",
            "2,000 items have the id of an item of another order: both count; give each item a number of its own",
        ),
        (
            Doubt.ORDER_IN_TWO_FILES,
            (
                "1 order has lines in several files of the batch: only those of the newest file count; keep an order's lines in"
                " one file"
            ),
            (
                "2,000 orders have lines in several files of the batch: only those of the newest file count; keep an order's"
                " lines in one file"
            ),
        ),
        (
            Doubt.MORE_ITEMS_THAN_STATED,
            (
                "1 order has more items than num_of_item says: a file without an item does not remove it; cancel it by"
                " its status, or write takingsReplaces into the contract of order_items"
            ),
            (
                "2,000 orders have more items than num_of_item says: a file without an item does not remove it; cancel it by"
                " its status, or write takingsReplaces into the contract of order_items"
            ),
        ),
        (
            Doubt.SAME_TIME,
            (
                "1 key has several contents within 2 seconds: copying files gives them a new time; keep the old one with"
                " `cp -p` or `rsync -t`"
            ),
            (
                "2,000 keys have several contents within 2 seconds: copying files gives them a new time; keep the old one with"
                " `cp -p` or `rsync -t`"
            ),
        ),
    ],
)
def test_a_doubt_is_said_in_a_sentence(doubt: Doubt, one: str, several: str) -> None:
    """With the first rows that raise it, and … where there are more."""
    (first, _) = EXAMPLES
    assert ChangeWarning(doubt=doubt, count=1, examples=(first,)).sentence == f"{one} (7: orders/a.csv line 2)"
    assert ChangeWarning(doubt=doubt, count=2000, examples=EXAMPLES).sentence == (
        f"{several} (7: orders/a.csv line 2; x-8 says 1 and has 2: orders/a.csv line 3, …)"
    )


def test_changes_are_read_as_they_were_written() -> None:
    """Files by their keys."""
    warning = ChangeWarning(doubt=Doubt.SAME_TIME, count=2, examples=EXAMPLES)
    changes = BatchChanges(files={"b": SOME, "a": RowChanges(new=1)}, warnings=(warning,))
    written: dict[str, Any] = {
        "files": [
            {"key": "a", "new": 1, "changed": 0, "unchanged": 0, "older": 0},
            {"key": "b", "new": 1, "changed": 20, "unchanged": 300, "older": 4000},
        ],
        "warnings": [
            {
                "warning": "same_time",
                "count": 2,
                "sentence": warning.sentence,
                "examples": [
                    {"id": 7, "key": "raw-data/orders/a.csv", "line": 2, "stated": None, "items": None},
                    {"id": "x-8", "key": "raw-data/orders/a.csv", "line": 3, "stated": 1, "items": 2},
                ],
            }
        ],
    }
    assert changes.to_json() == written
    assert BatchChanges.from_json(written) == changes


WAITING = Gap(waiting_items=2, waiting_worth=Decimal("30.2500"))
CHILDLESS = Gap(orders_without_items=3)


def test_gaps_are_read_as_they_were_written() -> None:
    """Days in order, and amounts with their digits, never as 0E-16."""
    gaps = Gaps(
        days={MONDAY: WAITING, SUNDAY: CHILDLESS},
        undated=Gap(waiting_items=1, waiting_worth=Decimal("0E-16"), orders_without_items=0),
    )
    written = {
        "days": [
            {"day": "2025-03-30", "waiting_items": 0, "waiting_worth": "0", "orders_without_items": 3},
            {"day": "2025-03-31", "waiting_items": 2, "waiting_worth": "30.2500", "orders_without_items": 0},
        ],
        "undated": {"waiting_items": 1, "waiting_worth": "0.0000000000000000", "orders_without_items": 0},
    }
    assert gaps.to_json() == written
    assert Gaps.from_json(written) == gaps


def test_only_days_with_waiting_items_wait() -> None:
    """An order without items waits for nothing that is there."""
    gaps = Gaps(days={SATURDAY: Gap(waiting_items=1), SUNDAY: CHILDLESS, MONDAY: WAITING})
    assert gaps.waiting_days == {SATURDAY, MONDAY}


def test_a_later_look_replaces_what_it_looked_at() -> None:
    """Days that it found, those that it looked at and found whole, and the items without a day; the rest stays, in order."""
    before = Gaps(days={SUNDAY: CHILDLESS, SATURDAY: WAITING, MONDAY: WAITING}, undated=WAITING)
    tuesday = MONDAY + timedelta(days=1)
    later = Gaps(days={tuesday: CHILDLESS, SUNDAY: WAITING}, undated=CHILDLESS)
    after = before.followed_by(later, {MONDAY})
    assert after == Gaps(days={SATURDAY: WAITING, SUNDAY: WAITING, tuesday: CHILDLESS}, undated=CHILDLESS)
    assert list(after.days) == [SATURDAY, SUNDAY, tuesday]
    assert before.followed_by(Gaps(), before.days) == Gaps(undated=NO_GAP)


@pytest.mark.parametrize(
    ("version", "of_stand_ins"),
    [
        (datetime(2025, 3, 30, 12, 0, 0, 7, tzinfo=UTC), datetime(125, 3, 30, 12, 0, 0, 7, tzinfo=UTC)),
        (datetime(1901, 1, 1, tzinfo=UTC), datetime(1, 1, 1, tzinfo=UTC)),
        (datetime(1700, 1, 1, tzinfo=UTC), datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_stand_in_is_older_than_every_real_row(version: datetime, of_stand_ins: datetime) -> None:
    """By 1,900 years, so that stand-ins keep their order; no earlier than any time there is."""
    assert stand_in_version(version) == of_stand_ins
    assert of_stand_ins < FIRST_REAL
