"""When a batch goes, and which files it takes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from takings.contracts.datasets import SourceName
from takings.contracts.model import Dataset
from takings.contracts.sources import Source, SourceQuery, Sources
from takings.intake.arrivals import ObjectInfo
from takings.intake.batching import BatchPolicy, Decision, Dispatch, Hold, NothingPending, WaitUntil, choose, decide
from takings.layout import Drop
from tests.shop import NOON, listed, pending

MINUTE = timedelta(minutes=1)
POLICY = BatchPolicy(
    batch_files=10,
    batch_wait=20 * MINUTE,
    require_every_dataset=False,
    batch_max_files=1000,
    batch_max_bytes=10**9,
)
EVERY = frozenset(Dataset)
ONE_OF_EACH = (pending("products/a.csv"), pending("orders/a.csv"), pending("order-items/a.csv"))
TEN_ORDERS = tuple(pending(f"orders/{number}.csv") for number in range(10))


def keys(decision: Decision | tuple[tuple[ObjectInfo, Drop], ...]) -> list[str]:
    """Return the keys of a batch without their common prefix."""
    drops = decision.drops if isinstance(decision, Dispatch) else decision
    assert isinstance(drops, tuple), drops
    return [info.key.removeprefix("raw-data/") for info, _ in drops]


def test_nothing_pending_starts_nothing() -> None:
    """Even if somebody asked for it, or a deadline has passed."""
    assert decide((), EVERY, POLICY, deadline=NOON, now=NOON, at_once=True) == NothingPending()


def test_a_missing_dataset_holds_the_batch() -> None:
    """Ten files of one dataset do not start a batch in a new store."""
    assert decide(TEN_ORDERS, (), POLICY, deadline=None, now=NOON) == Hold(
        missing=(Dataset.PRODUCTS, Dataset.ORDER_ITEMS)
    )


def test_a_missing_dataset_outweighs_a_deadline() -> None:
    """An earlier deadline does not change that."""
    assert decide(TEN_ORDERS[:1], {Dataset.PRODUCTS}, POLICY, deadline=NOON, now=NOON) == Hold(
        missing=(Dataset.ORDER_ITEMS,)
    )


def test_a_dataset_that_ever_landed_is_present() -> None:
    """A shop whose products seldom change does not wait forever."""
    landed = {Dataset.PRODUCTS, Dataset.ORDER_ITEMS}
    assert decide(TEN_ORDERS, landed, POLICY, deadline=None, now=NOON) == Dispatch(drops=TEN_ORDERS)


def test_the_briefs_literal_rule_asks_for_files_of_all_three() -> None:
    """With require_every_dataset only pending files count."""
    policy = replace(POLICY, require_every_dataset=True)
    assert decide(TEN_ORDERS, EVERY, policy, deadline=NOON, now=NOON) == Hold(
        missing=(Dataset.PRODUCTS, Dataset.ORDER_ITEMS)
    )
    assert isinstance(decide(ONE_OF_EACH, (), policy, deadline=None, now=NOON), WaitUntil)


def test_a_source_is_present_as_every_dataset_it_yields() -> None:
    """Its files count as files of each; those of a removed source count for none."""
    till = SourceName("till")
    queries = tuple(
        SourceQuery(dataset=dataset, sql="select", place="x.sql") for dataset in (Dataset.ORDERS, Dataset.ORDER_ITEMS)
    )
    sources = Sources({till: Source(name=till, folder="till", columns=("a",), queries=queries)})
    dropped = (listed("raw-data/till/a.csv"), Drop(dataset=till, file="a.csv"))
    assert decide([dropped], (), POLICY, deadline=None, now=NOON, sources=sources) == Hold(missing=(Dataset.PRODUCTS,))
    assert decide([dropped], (), POLICY, deadline=None, now=NOON) == Hold(missing=tuple(Dataset))
    both = [dropped, pending("products/a.csv")]
    assert decide(both, (), POLICY, deadline=None, now=NOON, sources=sources) == WaitUntil(deadline=NOON + 20 * MINUTE)
    literal = replace(POLICY, require_every_dataset=True)
    assert isinstance(decide(both, (), literal, deadline=None, now=NOON, sources=sources), WaitUntil)


def test_few_files_wait_for_more() -> None:
    """The deadline counts from the moment when every dataset is present."""
    assert decide(ONE_OF_EACH, (), POLICY, deadline=None, now=NOON) == WaitUntil(deadline=NOON + 20 * MINUTE)


def test_a_deadline_is_never_pushed_back() -> None:
    """More arrivals before it change nothing."""
    more = (*ONE_OF_EACH, *TEN_ORDERS[:6])
    assert decide(more, (), POLICY, deadline=NOON + MINUTE, now=NOON) == WaitUntil(deadline=NOON + MINUTE)


@pytest.mark.parametrize("late", [timedelta(0), MINUTE], ids=["on it", "after it"])
def test_a_deadline_dispatches(late: timedelta) -> None:
    """However few files there are."""
    decision = decide(ONE_OF_EACH, (), POLICY, deadline=NOON, now=NOON + late)
    assert keys(decision) == ["order-items/a.csv", "orders/a.csv", "products/a.csv"]


def test_ten_files_go_at_once() -> None:
    """A burst of drops does not wait for its deadline."""
    assert decide(TEN_ORDERS, EVERY, POLICY, deadline=NOON + MINUTE, now=NOON) == Dispatch(drops=TEN_ORDERS)
    assert decide(TEN_ORDERS[:9], EVERY, POLICY, deadline=NOON + MINUTE, now=NOON) == WaitUntil(deadline=NOON + MINUTE)


def test_asked_for_at_once_whatever_is_pending_goes() -> None:
    """`takings run --now` waits for no dataset and no deadline."""
    decision = decide(TEN_ORDERS[:1], (), POLICY, deadline=None, now=NOON, at_once=True)
    assert decision == Dispatch(drops=TEN_ORDERS[:1])


def test_the_oldest_files_go_first() -> None:
    """What exceeds the number of files waits for the next batch."""
    old, middle, new = (
        pending(f"orders/{name}.csv", at=NOON + wait)
        for name, wait in zip("cba", (0 * MINUTE, MINUTE, 2 * MINUTE), strict=True)
    )
    assert keys(choose((new, old, middle), replace(POLICY, batch_max_files=2))) == ["orders/c.csv", "orders/b.csv"]


@pytest.mark.parametrize("most", [0, 1])
def test_a_batch_has_one_file_at_least(most: int) -> None:
    """Otherwise nothing would ever go."""
    assert keys(choose(ONE_OF_EACH, replace(POLICY, batch_max_files=most))) == ["order-items/a.csv"]


def test_each_pending_dataset_is_represented() -> None:
    """A thousand old items do not delay a file of orders."""
    old_items = tuple(pending(f"order-items/{number}.csv", at=NOON - MINUTE) for number in range(5))
    new_order = pending("orders/a.csv")
    assert keys(choose((*old_items, new_order), replace(POLICY, batch_max_files=3))) == [
        "order-items/0.csv",
        "order-items/1.csv",
        "orders/a.csv",
    ]


def test_a_batch_has_at_most_so_many_bytes() -> None:
    """A smaller, younger file may replace one that no longer fits."""
    sizes = (("a", 60), ("b", 50), ("c", 40))
    drops = tuple(pending(f"orders/{name}.csv", size=size) for name, size in sizes)
    assert keys(choose(drops, replace(POLICY, batch_max_bytes=100))) == ["orders/a.csv", "orders/c.csv"]


def test_compressed_files_count_as_what_they_become() -> None:
    """Tenfold, and a source's threefold: or a batch could be formed that fits on no disk."""
    drops = (pending("orders/a.csv.gz", size=6), pending("orders/b.csv.gz", size=5), pending("orders/c.csv", size=40))
    assert keys(choose(drops, replace(POLICY, batch_max_bytes=100))) == ["orders/a.csv.gz", "orders/c.csv"]
    exports = [pending(f"orders/{name}.csv", size=20) for name in "abc"]
    of_till = [(info, replace(drop, dataset=SourceName("till"))) for info, drop in exports]
    assert keys(choose(of_till, replace(POLICY, batch_max_bytes=150))) == ["orders/a.csv", "orders/b.csv"]


def test_a_file_that_is_too_large_goes_alone() -> None:
    """Otherwise it would never go."""
    drops = (pending("orders/a.csv", size=500), pending("orders/b.csv", size=1))
    assert keys(choose(drops, replace(POLICY, batch_max_bytes=100))) == ["orders/a.csv"]


def test_two_spellings_of_one_name_never_share_a_batch() -> None:
    """order-items/a.csv and order_items/a.csv would be archived under one key; the younger goes with the next batch."""
    drops = (pending("order_items/a.csv", at=NOON - MINUTE), pending("order-items/a.csv"), pending("order-items/b.csv"))
    assert keys(choose(drops, POLICY)) == ["order_items/a.csv", "order-items/b.csv"]
