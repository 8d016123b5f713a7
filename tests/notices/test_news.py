"""What there is to tell of a store, and since when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from takings.ports import Ports
from takings.queries.news import News, NewsRules, find_news
from takings.settings import NewsKind
from tests.shop import ShiftedClock, csv_of, drop, drop_all, item, opened, order, product, run

EVER = datetime(2000, 1, 1, tzinfo=UTC)
RULES = NewsRules(kinds=frozenset(NewsKind), quiet=timedelta(days=2), orphans=timedelta(days=2))


def news(root: Path, *, later: timedelta = timedelta(0), since: datetime = EVER, **rules: object) -> Sequence[News]:
    """Return what there is to tell, `later` by the clock."""
    with opened(root, later=later) as shop:
        return list(find_news(shop.ports, replace(RULES, **rules), since))  # type: ignore[arg-type]


def told(found: Sequence[News]) -> list[tuple[str, str]]:
    """Return kinds and titles."""
    return [(each.kind.value, each.title) for each in found]


def test_a_sound_store_has_no_news(root: Path) -> None:
    """Nothing refused, nothing late."""
    run(drop_all(root))
    assert news(root) == []


def test_refused_files_and_rows_are_told_with_their_reason(root: Path) -> None:
    """One message for a batch; it names the batch, so that the next one is another message."""
    drop_all(root)
    drop(root, "orders/bad.csv", csv_of(order(9, num_of_item=0)))
    (batch,) = run(root).batches
    (found,) = news(root)
    assert (found.kind, found.id, found.title) == (NewsKind.REJECTED, batch.batch_id, "A file was refused")
    assert found.text.startswith("raw-data/orders/bad.csv: 1 of 1 records refused. ")


def test_what_was_refused_before_there_was_anybody_to_tell_is_no_news(root: Path) -> None:
    """Nor is what could not be told for three days."""
    drop(drop_all(root), "orders/bad.csv", csv_of(order(9, num_of_item=0)))
    run(root)
    assert news(root, since=datetime.now(UTC) + timedelta(seconds=1)) == []
    assert news(root, later=timedelta(days=4), kinds=frozenset({NewsKind.REJECTED})) == []


def test_a_blocked_batch_is_told_with_the_way_on(root: Path) -> None:
    """Each attempt that is blocked has its own message."""
    run(drop_all(root))
    drop(root, "orders/b.csv", csv_of(order(9)))
    with opened(root) as shop:
        gate = shop.ports.ledger.gate().claimed("20261123T121600123456Z-4f2a", shop.ports.owners.me(), EVER)  # type: ignore[arg-type]
        gate = shop.ports.ledger.change_gate(gate)
        shop.ports.ledger.change_gate(gate.blocked("revenue contradicts itself."))
    (found,) = news(root)
    assert (found.kind, found.id) == (NewsKind.BLOCKED, "20261123T121600123456Z-4f2a-1")
    assert found.text == (
        "batch 20261123T121600123456Z-4f2a is blocked: revenue contradicts itself. Then run `takings unblock STORE`."
    )


def test_silence_is_told_after_its_limit(root: Path) -> None:
    """Whatever waits is named; the next batch ends the silence."""
    run(drop_all(root))
    assert told(news(root, later=timedelta(hours=47))) == []
    drop(root, "orders/b.csv", csv_of(order(9)))
    (found,) = news(root, later=timedelta(hours=49))
    assert found.kind is NewsKind.QUIET
    assert "No batch was formed for 2 days. 1 file is pending" in found.text


def test_a_new_store_is_quiet_from_the_first_check_on(root: Path) -> None:
    """A store without any batch is told of, too."""
    assert told(news(root, since=datetime.now(UTC))) == []
    assert [kind for kind, _ in told(news(root, later=timedelta(days=3), since=datetime.now(UTC)))] == ["quiet"]


def test_an_old_orphan_is_told(root: Path) -> None:
    """Once for the oldest."""
    drop(drop_all(root), "order-items/b.csv", csv_of(item(9, 404)))
    run(root)
    assert told(news(root, quiet=timedelta(days=99))) == []
    found = news(root, later=timedelta(days=3), quiet=timedelta(days=99))
    assert [each.kind for each in found] == [NewsKind.ORPHANS]
    assert found[0].text.startswith("1 item is in no figure")


def weekly(root: Path, newest: datetime, *revenue: str) -> None:
    """Drop orders of one item each, a week apart, the newest last."""
    days = [newest - timedelta(weeks=back) for back in reversed(range(len(revenue)))]
    orders = [order(place, f"{day:%Y-%m-%d}T09:00:00") for place, day in enumerate(days)]
    items = [item(place, place, 1, price) for place, price in enumerate(revenue)]
    drop(root, "products/a.csv", csv_of(product(1)))
    drop(root, "orders/a.csv", csv_of(*orders))
    drop(root, "order-items/a.csv", csv_of(*items))


def test_an_unusual_day_is_told_six_hours_after_its_end(root: Path) -> None:
    """With what is usual, and not while its last drops may still come."""
    day = datetime(2025, 3, 30, tzinfo=UTC)
    weekly(root, day, "100", "100", "110", "90", "100", "10")
    run(root)
    kinds = frozenset({NewsKind.UNUSUAL})
    after = day + timedelta(days=1) - datetime.now(UTC)
    assert news(root, later=after + timedelta(hours=5), kinds=kinds) == []
    (found,) = news(root, later=after + timedelta(hours=7), kinds=kinds)
    assert (found.id, found.title) == ("2025-03-30", "Sunday, 2025-03-30: 10.00 of revenue, much less than usual")
    assert "The last 5 Sundays had a median of 100.00, and usually lie between 80.00 and 120.00." in found.text
    assert news(root, later=after + timedelta(days=5), kinds=kinds) == []


def test_the_clock_is_the_ports_own(root: Path) -> None:
    """A moved clock moves every limit."""
    with opened(root) as shop:
        moved: Ports = replace(shop.ports, clock=ShiftedClock(timedelta(days=3)))
        assert told(list(find_news(moved, RULES, datetime.now(UTC)))) != []
