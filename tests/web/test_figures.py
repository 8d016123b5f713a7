"""What the overview computes, and how CSV is made safe for spreadsheets."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from takings.entrypoints.spreadsheets import neutralised, neutralised_csv
from takings.entrypoints.web.figures import Period, change, overview, usual_period
from takings.entrypoints.web.periods import quick_periods, read_period
from takings.entrypoints.web.rendering import told
from takings.errors import UsageError
from takings.kpis import KpiRow, load_kpi_tables
from takings.lake import Commit
from takings.layout import BatchId
from takings.queries.published_kpis import PublishedKpis

FIRST = date(2025, 3, 1)
DAYS = [FIRST + timedelta(days=number) for number in range(14)]


def row(*key: object, **values: object) -> KpiRow:
    """Return a published row."""
    return KpiRow(
        key=key,
        values=values,  # type: ignore[arg-type]  # numbers, as a test writes them
        commit=1,
        batch_id="b",
        computed_at=datetime(2025, 3, 14, 12, tzinfo=UTC),
        definition="d",
    )


def by_category(name: str, day: date, revenue: str, orders: int) -> KpiRow:
    """Return a category's row with no returns."""
    return row(
        *(name, day),
        daily_revenue=Decimal(revenue),
        net_revenue=Decimal(revenue),
        returned_value=Decimal(0),
        cancelled_value=Decimal(0),
        total_orders=orders,
        items_sold=orders,
        avg_return_rate=Decimal("50.00"),
    )


def published(*rows: KpiRow) -> PublishedKpis:
    """Return published numbers: two orders of 10.00 a day, one with a return, and these rows by category."""
    site = (
        row(
            day,
            total_orders=3,
            total_revenue=Decimal("30.00"),
            net_revenue=Decimal("20.00"),
            returned_value=Decimal("10.00"),
            cancelled_value=Decimal("0.00"),
            total_items_sold=3,
            return_rate=Decimal("33.33"),
        )
        for day in DAYS
    )
    return PublishedKpis(
        tables=load_kpi_tables(),
        rows_of={"OrderKPIs": tuple(site), "CategoryKPIs": rows},
        commit=Commit(number=1, batch_id=BatchId("b"), versions={}),
        time_zone="UTC",
        last_commit=1,
    )


def test_a_period_is_summed_and_compared_with_the_one_before() -> None:
    """Counts of returned orders are computed back from published rates, so a week's rate is exact."""
    shown = overview(published(), Period(first=DAYS[7], last=DAYS[13]), ())
    assert (shown.totals.revenue, shown.totals.orders, shown.totals.average) == (
        Decimal("210.00"),
        21,
        Decimal("10.00"),
    )
    assert shown.totals.return_rate == Decimal("33.33")
    assert shown.before == shown.totals
    assert [day.day for day in shown.days if day.is_unfinished] == [DAYS[13]]


def test_nothing_is_compared_with_days_before_the_first() -> None:
    """Half of the previous period would look like growth."""
    assert overview(published(), Period(first=DAYS[6], last=DAYS[13]), ()).before is None


def test_several_categories_have_no_number_of_orders() -> None:
    """One order may hold items of more than one."""
    state = published(by_category("Toys", DAYS[9], "5.00", 2), by_category("Books", DAYS[9], "7.00", 1))
    week = Period(first=DAYS[7], last=DAYS[13])
    both, one = overview(state, week, ["Toys", "Books"]), overview(state, week, ["Toys"])
    totals = both.totals
    assert (str(totals.revenue), totals.items, totals.orders, totals.average) == ("12.00", 3, None, None)
    assert (str(one.totals.revenue), one.totals.orders, str(one.totals.average)) == ("5.00", 2, "2.50")
    assert [(found.name, str(found.revenue)) for found in both.categories] == [("Books", "7.00"), ("Toys", "5.00")]


def test_what_is_shown_first_has_as_much_before_it() -> None:
    """A week if there are two; otherwise, all ten days."""
    assert usual_period(DAYS) == Period(first=DAYS[7], last=DAYS[13])
    assert usual_period(DAYS[:10]) == Period(first=DAYS[0], last=DAYS[9])
    assert [label for label, _ in quick_periods(DAYS)] == ["7 days", "All"]


def test_a_range_is_read_from_an_address() -> None:
    """A missing end is filled in; the wrong order is refused."""
    assert read_period(DAYS, "2025-03-02", None) == Period(first=DAYS[1], last=DAYS[13])
    assert read_period(DAYS, None, "2025-03-02") == Period(first=DAYS[0], last=DAYS[1])
    with pytest.raises(UsageError, match="is after"):
        read_period(DAYS, "2025-03-02", "2025-03-01")
    with pytest.raises(UsageError, match="not a date"):
        read_period(DAYS, "monday", None)


@pytest.mark.parametrize(("now", "before", "percent"), [(110, 100, "10.0"), (Decimal("0.5"), 2, "-75.0"), (3, 0, None)])
def test_change_is_percent_of_what_was(now: Decimal, before: int, percent: str | None) -> None:
    """Without an earlier number, there is no change."""
    assert change(now, before) == (None if percent is None else Decimal(percent))


def test_commands_in_a_sentence_are_code() -> None:
    """Everything else is escaped."""
    assert told("a <b> is blocked. Run `takings unblock <i>`.") == (
        "A &lt;b&gt; is blocked. Run <code>takings unblock &lt;i&gt;</code>."
    )


@pytest.mark.parametrize("cell", ["=1+1", "+1 (2)", "-cmd()", "@SUM(A1)", "\t=1", "\r=1", "  =1", "＝1", "-", "+-5"])
def test_formulas_become_texts(cell: str) -> None:
    """Whatever a spreadsheet would run as one."""
    assert neutralised(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["-5", "+5.25", "5", "", "a=b", "2025-03-30", "Jeans & more"])
def test_numbers_and_texts_stay(cell: str) -> None:
    """As they are."""
    assert neutralised(cell) == cell


def test_lines_are_quoted_as_csv() -> None:
    """With commas, quotes and empty values."""
    assert list(neutralised_csv([["=a", None, 'say "x", y']])) == ['\'=a,,"say ""x"", y"\r\n']
