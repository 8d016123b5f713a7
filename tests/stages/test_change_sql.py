"""The SQL that compares a batch with the lake, on literal rows: how rows are counted, and what looks wrong."""

from __future__ import annotations

import pytest

from takings.adapters.merging.rows import sql
from tests.stages.literal_lake import Lake

VERSIONED = "key, _version, _source, _line, _content"
AT_NOON = "timestamp '2025-03-30 12:00:00' + {} * interval '1 second'"


def test_rows_are_new_changed_unchanged_or_older(lake: Lake) -> None:
    """By version, then file, then line; the same row with the same content is unchanged."""
    lake.table(
        "staged_things",
        VERSIONED,
        *("(1, 2, 'm', 1, 'x')", "(2, 2, 'm', 1, 'x')", "(3, 5, 'm', 1, 'x')", "(4, 1, 'm', 2, 'x')"),
        *("(5, 5, 'm', 2, 'x')", "(6, 5, 'm', 2, 'x')", "(7, 5, 'm', 1, 'x')", "(8, 5, 'm', 1, 'x')"),
        *("(9, 2, 'm', 1, 'x')", "(10, 2, 'n', 1, 'x')"),
    )
    lake.table(
        "prior_things",
        VERSIONED,
        *("(2, 1, 'z', 2, 'y')", "(3, 5, 'a', 2, 'x')", "(4, 2, 'a', 1, 'x')", "(5, 5, 'z', 1, 'y')"),
        *(
            "(6, 5, 'm', 1, 'y')",
            "(7, 5, 'm', 2, 'y')",
            "(8, 5, 'm', 1, 'x')",
            "(9, 1, 'm', 1, 'y')",
            "(10, 1, 'n', 1, 'x')",
        ),
    )
    places = {"table": "things", "key": "key", "content": "s._content", "instant_of_s": "", "instant_of_p": ""}
    assert sorted(lake.run(sql("row_changes", **places))) == [("m", 1, 3, 2, 3), ("n", 0, 0, 1, 0)]


def test_lines_are_counted_by_their_delivery(lake: Lake) -> None:
    """A line that an older delivery lacks is new; those of a delivery that the lake has newer are all older."""
    lines = "unit, key, _version, _source, _content"
    lake.table(
        "staged_things",
        lines,
        *("(1, 1, 2, 'm', 'x')", "(1, 2, 2, 'm', 'x')", "(1, 3, 2, 'm', 'x')", "(2, 1, 1, 'm', 'x')"),
        *(
            "(2, 9, 1, 'm', 'x')",
            "(3, 1, 5, 'm', 'x')",
            "(4, 1, 5, 'm', 'x')",
            "(5, 1, 1, 'm', 'x')",
            "(6, 7, 5, 'm', 'x')",
        ),
        *("(7, 1, 2, 'n', 'x')", "(4, 2, 5, 'm', 'x')"),
    )
    lake.table(
        "prior_things",
        lines,
        *("(1, 1, 1, 'z', 'x')", "(1, 2, 1, 'z', 'y')", "(2, 1, 2, 'a', 'x')", "(3, 1, 5, 'a', 'y')"),
        *("(4, 1, 5, 'z', 'y')", "(6, 1, 5, 'm', 'x')", "(6, 2, 5, 'm', 'x')"),
    )
    places = {"table": "things", "unit": "unit", "key": "key", "content": "s._content"}
    query = sql("line_changes", **places, instant="", instant_of_s="", instant_of_d="")
    assert sorted(lake.run(query)) == [("m", 3, 2, 1, 4), ("n", 1, 0, 0, 0)]


def test_another_order_has_another_customer_and_another_time(lake: Lake) -> None:
    """Where only one differs, it is a correction."""
    lake.table(
        "changed_orders",
        "order_id, user_id, created_at, _source, _line",
        *(
            "(1, 7, 30, 'a', 1)",
            "(2, 7, 31, 'a', 2)",
            "(3, 8, 30, 'a', 3)",
            "(4, 7, 30, 'a', 4)",
            "(5, null, 30, 'a', 5)",
        ),
    )
    lake.table(
        "prior_orders",
        "order_id, user_id, created_at",
        *("(1, 8, 31)", "(2, 8, 31)", "(3, 8, 31)", "(5, 8, null)", "(6, 7, 1)"),
    )
    assert sorted(lake.run(sql("another_order"))) == [(1, "a", 1), (5, "a", 5)]


def test_an_item_of_another_order_had_another_one_before(lake: Lake) -> None:
    """A new item had none."""
    lake.table(
        "changed_order_items", "id, order_id, _source, _line", "(1, 1, 'a', 1)", "(2, 1, 'a', 2)", "(3, 1, 'a', 3)"
    )
    lake.table("prior_order_items", "id, order_id", "(1, 1)", "(2, 2)", "(4, 2)")
    assert lake.run(sql("item_of_another_order")) == [(2, "a", 2)]


def test_an_item_is_in_two_orders_of_the_batch_or_in_one_and_the_lakes(lake: Lake) -> None:
    """Not if the batch replaces the lake's order."""
    lake.table(
        "changed_order_items",
        "id, order_id, _source, _line",
        *("(1, 1, 'a', 1)", "(1, 2, 'a', 2)", "(2, 1, 'a', 3)", "(3, 1, 'a', 4)", "(4, 2, 'a', 5)"),
    )
    lake.table("lake_order_items", "id, order_id", "(2, 9)", "(3, 2)", "(8, 9)")
    assert sorted(lake.run(sql("item_in_two_orders"))) == [(1, "a", 1), (1, "a", 2), (2, "a", 3)]


def test_an_order_in_two_files_is_shown_in_the_newest(lake: Lake) -> None:
    """At its first line there."""
    rows = ("(1, 'a', 5)", "(1, 'b', 9)", "(1, 'b', 7)", "(1, 'a', 4)", "(2, 'a', 1)", "(2, 'a', 2)")
    lake.table("every_order_items", "order_id, _source, _line", *rows)
    assert lake.run(sql("order_in_two_files")) == [(1, "b", 7)]


def test_an_order_has_more_items_than_it_says_in_lake_and_batch_together(lake: Lake) -> None:
    """A replaced item counts once; however many parts the orders are counted in."""
    lake.table(
        "stated_items", "order_id, num_of_item, _source, _line", "(1, 1, 'a', 1)", "(2, 2, 'a', 2)", "(3, 1, 'a', 3)"
    )
    lake.table("changed_order_items", "id, order_id", "(11, 1)", "(12, 1)", "(21, 2)", "(91, 9)")
    lake.table("lake_order_items", "id, order_id", "(22, 2)", "(11, 1)", "(31, 3)", "(32, 3)", "(41, 4)", "(42, 4)")
    for parts in (1, 2, 3):
        found = [
            row for part in range(parts) for row in lake.run(sql("more_items_than_stated", parts=parts, part=part))
        ]
        assert sorted(found) == [(1, "a", 1, 1, 2), (3, "a", 3, 1, 2)]


def test_touched_orders_say_what_the_newest_row_says(lake: Lake) -> None:
    """Touched by a row of their own, even an older one, or by an item."""
    lake.table("changed_orders", "order_id, num_of_item, _source, _line", "(1, 2, 'b', 1)")
    lake.table(
        "lake_orders",
        "order_id, num_of_item, _source, _line",
        *("(1, 9, 'a', 1)", "(2, 3, 'a', 2)", "(3, 1, 'a', 3)", "(4, 1, 'a', 4)"),
    )
    lake.table("staged_orders", "order_id", "(1)", "(2)")
    lake.table("staged_order_items", "order_id", "(3)", "(9)")
    lake.run(sql("stated_items"))
    assert lake.run("from stated_items order by order_id") == [(1, 2, "b", 1), (2, 3, "a", 2), (3, 1, "a", 3)]


def written(key: int, seconds: float, source: str, line: int, content: int) -> str:
    """Return a row that was written some seconds after noon."""
    return f"({key}, {AT_NOON.format(seconds)}, '{source}', {line}, {content})"


@pytest.mark.parametrize("instant", [False, True])
def test_contents_that_follow_each_other_within_seconds_are_shown_at_the_newest(lake: Lake, *, instant: bool) -> None:
    """Not the same content, nor one that is later by more; with instants of their own, rows of different ones are apart."""
    lake.table(
        "every_things",
        VERSIONED,
        *(written(1, 10, "a", 1, 1), written(1, 11, "b", 9, 2), written(1, 60, "c", 3, 3)),
        *(written(2, 10, "a", 1, 1), written(2, 11, "b", 2, 1)),
        written(3, 10, "a", 1, 1),
        *(written(4, 10, "a", 1, 1), written(4, 13, "b", 2, 2)),
        *(written(5, 10, "a", 1, 1), written(5, 12, "b", 2, 2)),
        *(written(6, 12, "c", 7, 1), written(6, 10, "a", 1, 1), written(6, 11, "b", 2, 2)),
        *(written(7, 10, "b", 2, 2), written(7, 10, "a", 1, 1)),
    )
    places: dict[str, object] = {"table": "things", "key": "key", "content": "s._content", "seconds": 2}
    places |= (
        {"instant": ", s._content as instant", "and_instant": ", instant"}
        if instant
        else {"instant": "", "and_instant": ""}
    )
    assert sorted(lake.run(sql("same_time", **places))) == (
        [] if instant else [(1, "b", 9), (5, "b", 2), (6, "c", 7), (7, "b", 2)]
    )


def test_deliveries_that_follow_each_other_within_seconds_are_shown_at_the_newest(lake: Lake) -> None:
    """In other files and with other lines; the first line is shown, in whatever order the lines came."""
    lake.table(
        "every_things",
        VERSIONED,
        *(written(1, 10, "a", 2, 1), written(1, 10, "a", 1, 4), written(1, 11, "b", 9, 2), written(1, 11, "b", 8, 1)),
        *(written(2, 10, "a", 1, 1), written(2, 10, "a", 2, 2), written(2, 11, "b", 1, 2), written(2, 11, "b", 2, 1)),
        *(written(3, 10, "a", 1, 1), written(3, 10, "a", 2, 2)),
        *(written(4, 10, "a", 1, 1), written(4, 13, "b", 2, 2)),
        *(written(5, 10, "a", 1, 1), written(5, 12, "b", 2, 2)),
        *(written(6, 12, "c", 7, 1), written(6, 10, "a", 1, 1), written(6, 11, "b", 2, 2)),
        *(written(7, 10, "b", 2, 2), written(7, 10, "a", 1, 1)),
    )
    places = {"table": "things", "unit": "key", "content": "s._content", "seconds": 2}
    query = sql("same_time_deliveries", **places, instant="", and_instant="", and_column="")
    assert sorted(lake.run(query)) == [(1, "b", 8), (5, "b", 2), (6, "c", 7), (7, "b", 2)]
