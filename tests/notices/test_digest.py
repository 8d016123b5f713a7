"""What a digest says of a day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import takings
from takings.queries import digest_text
from takings.queries.digest import find_digest
from tests.shop import csv_of, drop, drop_all, item, opened, order, product, run


def test_the_text_of_a_day(root: Path) -> None:
    """Numbers beside those of a week before, 14 days as bars, categories, and what waits."""
    drop_all(root)
    drop(root, "orders/b.csv", csv_of(order(9, "2025-03-24T08:00:00")))
    drop(root, "order-items/b.csv", csv_of(item(9, 9, 2, "8.50"), item(10, 404)))
    run(root)
    found = takings.Shop(root).digest("2025-03-31")
    assert digest_text.title(found, "shop") == "shop: 4.25 of revenue on Monday, 2025-03-31"
    assert digest_text.as_text(found).splitlines() == [
        "                    Mon 31 Mar   a week before",
        "Revenue                   4.25            8.50",
        "Net revenue               0.00            8.50",
        "Orders                       1               1",
        "Average order             4.25            8.50",
        "Customers                    1               1",
        "Return rate             0.00 %          0.00 %",
        "",
        "Revenue, 2025-03-18 to 2025-03-31:",
        "      ▂     █▁",
        "  Toys                                    4.25",
        "",
        "1 item waits for their order or product.",
    ]


def test_a_day_without_numbers_says_so(root: Path) -> None:
    """An empty store has a digest."""
    found = takings.Shop(root).digest("2025-03-31")
    assert digest_text.title(found, "shop") == "shop: no order on Monday, 2025-03-31"
    assert "No number of 2025-03-31 is published." in digest_text.as_text(found)
    assert digest_text.as_html(found).count('height="0"') == 14


def test_yesterday_is_a_business_day(root: Path) -> None:
    """In Berlin it is already the 31st at 23:30 UTC on the 30th of March, so yesterday is the 30th."""
    moment = datetime(2025, 3, 30, 23, 30, tzinfo=UTC)
    with opened(root, later=moment - datetime.now(UTC), time_zone="Europe/Berlin") as shop:
        assert find_digest(shop.ports).day == date(2025, 3, 30)
    with opened(root, later=moment - datetime.now(UTC)) as shop:
        assert find_digest(shop.ports).day == date(2025, 3, 29)


def test_text_from_the_shop_is_no_markup(root: Path) -> None:
    """A category may be called anything."""
    drop(root, "products/a.csv", csv_of(product(1, "<b>Toys</b>")))
    drop(root, "orders/a.csv", csv_of(order(1, "2025-03-31T09:00:00")))
    drop(root, "order-items/a.csv", csv_of(item(1, 1)))
    run(root)
    html = digest_text.as_html(takings.Shop(root).digest("2025-03-31"))
    assert "&lt;b&gt;Toys&lt;/b&gt;" in html
    assert "<b>Toys" not in html


def test_what_is_usual_stands_below(root: Path) -> None:
    """Where enough days of the weekday are known."""
    days = [date(2025, 3, 31) - timedelta(weeks=week) for week in range(5)]
    drop(root, "products/a.csv", csv_of(product(1)))
    drop(root, "orders/a.csv", csv_of(*(order(place, f"{day}T09:00:00") for place, day in enumerate(days))))
    drop(root, "order-items/a.csv", csv_of(*(item(place, place, 1, "10.00") for place in range(5))))
    run(root)
    text = digest_text.as_text(takings.Shop(root).digest("2025-03-31"))
    assert "The last 4 Mondays had a median of 10.00, and usually lie between 8.00 and 12.00." in text
