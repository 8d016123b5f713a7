"""What an item is worth, from the drop to the rows behind a number; and what a change of its order's status restates."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from takings.errors import ContractError
from takings.queries.incomplete import find_incomplete
from takings.queries.verification import explain, verify
from takings.runs.restate import restate
from tests.shop import Fields, csv_of, drop, drop_all, expected, item, new_store, opened, order, product, published, run
from tests.worths import ROLES, contracts_of_worth

SUNDAY, MONDAY = "2025-03-30", "2025-03-31"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a new store."""
    return new_store(tmp_path / "shop")


def affected(root: Path) -> dict[str, Any]:
    """Return what the newest batch may have changed."""
    newest = max((root / "batches").iterdir())
    found: dict[str, Any] = json.loads((newest / "affected.json").read_text(encoding="utf-8"))
    return {name: found[name] for name in ("everything", "days", "category_days")}


# Status from the order


class TestAnOrdersStatus:
    @pytest.fixture
    def contracts(self, tmp_path: Path) -> str:
        """Return contracts in which an item's status is optional."""
        return contracts_of_worth(tmp_path / "contracts", {}, optional=("status",))

    def take(self, root: Path, contracts: str | None) -> None:
        """Drop and take orders on three days; the second has items of two categories and one that waits."""
        drop(root, "products/a.csv", csv_of(product(1, "Books"), product(2, "Toys")))
        drop(
            root,
            "orders/a.csv",
            csv_of(order(1), order(2, "2025-03-31T09:00:00"), order(3, "2025-04-01T09:00:00"), order(4)),
        )
        places = ((1, 1, 1), (2, 2, 1), (3, 2, 2), (4, 3, 2), (5, 2, 404), (6, 4, 2))
        own: dict[str, Any] = {} if contracts is None else {"status": ""}
        drop(
            root,
            "order-items/a.csv",
            csv_of(*(item(id_, order_id, product_id, **own) for id_, order_id, product_id in places)),
        )
        run(root, contracts=contracts)

    def test_a_change_restates_the_categories_of_its_items(self, root: Path, contracts: str) -> None:
        """On their day only; an order that changes in another way restates only its day."""
        self.take(root, contracts)
        changed = order(2, "2025-03-31T09:00:00", status="returned")
        drop(root, "orders/b.csv", csv_of(changed, order(1, user_id=8)))
        run(root, contracts=contracts)
        assert affected(root) == {
            "everything": False,
            "days": [SUNDAY, MONDAY],
            "category_days": [["Books", MONDAY], ["Toys", MONDAY]],
        }
        by_day, by_category = published(root, contracts=contracts)
        assert (by_day, by_category) == expected(root)
        assert by_day.splitlines()[2] == f"{MONDAY},1,20.00,2,100.00,1,20.00,20.00,0.00,0.00"

    def test_a_row_that_loses_restates_nothing(self, root: Path, contracts: str) -> None:
        """An older status that comes late changes nothing, nor does a newer row with the same one."""
        self.take(root, contracts)
        before = published(root, contracts=contracts)
        older = csv_of(order(2, "2025-03-31T09:00:00", status="returned"))
        drop(root, "orders/older.csv", older, written_at=datetime(2025, 3, 31, tzinfo=UTC))
        run(root, contracts=contracts)
        assert affected(root) == {"everything": False, "days": [], "category_days": []}
        drop(root, "orders/newer.csv", csv_of(order(2, "2025-03-31T09:00:00", num_of_item=2)))
        run(root, contracts=contracts)
        assert affected(root) == {"everything": False, "days": [MONDAY], "category_days": []}
        assert published(root, contracts=contracts) == before == expected(root)

    def test_with_a_status_of_their_own_items_do_not_ask(self, root: Path) -> None:
        """The shipped contracts restate the order's day, but no category."""
        self.take(root, None)
        drop(root, "orders/b.csv", csv_of(order(2, "2025-03-31T09:00:00", status="returned")))
        run(root)
        assert affected(root) == {"everything": False, "days": [MONDAY], "category_days": []}
        assert published(root) == expected(root)

    def test_nothing_is_stored_of_it(self, root: Path, contracts: str) -> None:
        """The rows behind a number show the order's status; the lake keeps the item's own, which is null."""
        self.take(root, contracts)
        with opened(root, contracts=contracts) as shop:
            rows = explain(shop.ports, date(2025, 3, 31)).rows
            assert [(row.item_id, row.status, row.counted_as) for row in rows] == [
                (2, "shipped", "net"),
                (3, "shipped", "net"),
            ]
        drop(root, "orders/b.csv", csv_of(order(2, "2025-03-31T09:00:00", status="cancelled")))
        run(root, contracts=contracts)
        with opened(root, contracts=contracts) as shop:
            rows = explain(shop.ports, date(2025, 3, 31)).rows
            assert [(row.item_id, row.status, row.counted_as, row.key) for row in rows] == [
                (2, "cancelled", "cancelled", "raw-data/order-items/a.csv"),
                (3, "cancelled", "cancelled", "raw-data/order-items/a.csv"),
            ]
            assert verify(shop.ports).differences == ()


# Roles


@pytest.fixture
def contracts(tmp_path: Path) -> str:
    """Return contracts with all roles."""
    return contracts_of_worth(tmp_path / "contracts")


def sold(id_: int, order_id: int, product_id: int = 1, price: str = "10.00", **other: Any) -> Fields:
    """Return an item with a column for each role."""
    worth: dict[str, Any] = {name: other.pop(role, "") for role, name in ROLES.items()}
    return item(id_, order_id, product_id, price, **other, **worth)


def test_the_rows_behind_a_number_add_up(root: Path, contracts: str) -> None:
    """Pieces, amounts, returned and cancelled values of a day; an order without items has none of these."""
    drop(root, "products/a.csv", csv_of(product(1)))
    drop(root, "orders/a.csv", csv_of(order(1), order(2)))
    items = csv_of(
        sold(1, 1, quantity="3", discount="2.505"),
        sold(2, 1, refund="4", quantity="1"),
        sold(3, 1, status="cancelled", refund="1.25"),
        sold(4, 1, status="returned", quantity="2"),
        sold(5, 1, quantity="0"),
    )
    drop(root, "order-items/a.csv", items)
    run(root, contracts=contracts)
    with opened(root, contracts=contracts) as shop:
        found = explain(shop.ports, date(2025, 3, 30))
        assert verify(shop.ports).differences == ()
    rows = [
        (row.item_id, row.counted_as, row.pieces, row.amount, row.returned_value, row.cancelled_value)
        for row in found.rows
    ]
    assert rows == [
        (1, "net", 3, Decimal("27.495"), Decimal(0), Decimal(0)),
        (2, "returned", 1, Decimal(10), Decimal(4), Decimal(0)),
        (3, "returned", 1, Decimal(10), Decimal("1.25"), Decimal("8.75")),
        (4, "returned", 2, Decimal(20), Decimal(20), Decimal(0)),
        (5, "net", 0, Decimal(0), Decimal(0), Decimal(0)),
        (None, "order without items", None, None, None, None),
    ]
    assert (found.has_roles, found.revenue) == (True, Decimal("67.495"))
    by_day, _ = published(root, contracts=contracts)
    assert by_day.splitlines()[1:] == [f"{SUNDAY},2,67.50,7,0.00,1,33.75,25.25,8.75,33.50"]


def test_a_waiting_item_is_worth_its_amount(root: Path, contracts: str) -> None:
    """In what a day is missing."""
    drop(root, "products/a.csv", csv_of(product(1)))
    drop(root, "orders/a.csv", csv_of(order(1)))
    drop(root, "order-items/a.csv", csv_of(sold(1, 1, 404, quantity="3", discount="0.50"), sold(2, 9, quantity="2")))
    run(root, contracts=contracts)
    with opened(root, contracts=contracts) as shop:
        found = find_incomplete(shop.ports)
    assert [each.sentence for each in found.days.values()] == ["1 item worth 29.50 waits for its product"]
    assert found.notes == ("1 item worth 20.00 waits for its order",)


def test_a_lake_gains_roles(root: Path, contracts: str) -> None:
    """Earlier rows count by their price; every day is published again, with another definition; maintenance keeps both."""
    run(drop_all(root))
    before = published(root)
    drop(root, "order-items/b.csv", csv_of(sold(4, 3, quantity="3", discount="1")))
    run(root, contracts=contracts)
    assert affected(root)["everything"] is True
    by_day, by_category = published(root, contracts=contracts)
    assert by_day.splitlines()[:2] == before[0].splitlines()[:2]
    assert by_day.splitlines()[2] == f"{MONDAY},1,33.25,4,0.00,1,33.25,0.00,4.25,29.00"
    assert (by_day, by_category) == expected(root, ROLES)
    with opened(root, contracts=contracts) as shop:
        assert verify(shop.ports).differences == ()
        restate(shop.ports)
        shown = {
            (row.item_id, row.pieces, row.amount)
            for day in (30, 31)
            for row in explain(shop.ports, date(2025, 3, day)).rows
        }
    assert shown == {(1, 1, Decimal(10)), (2, 1, Decimal("20.25")), (3, 1, Decimal("4.25")), (4, 3, Decimal(29))}
    assert published(root, contracts=contracts) == (by_day, by_category)


def test_a_lake_does_not_forget_amounts(root: Path, contracts: str) -> None:
    """Without a role, revenue would silently count single pieces."""
    drop_all(root)
    run(root, contracts=contracts)
    drop(root, "order-items/b.csv", csv_of(item(4, 3)))
    plain = contracts_of_worth(root.parent / "plain")
    text = Path(plain, "order_items.odcs.yaml").read_text(encoding="utf-8")
    without = re.sub(
        r"        customProperties:\n          - property: takingsRole\n            value: \w+\n", "", text
    )
    Path(plain, "order_items.odcs.yaml").write_text(without, encoding="utf-8")
    with pytest.raises(ContractError, match="the lake keeps what items are worth by the columns with a 'takingsRole'"):
        run(root, contracts=plain)


def test_a_mended_row_has_an_amount(root: Path, contracts: str) -> None:
    """Policy "row" sets a wrong quantity aside; corrected, it counts."""
    options: dict[str, Any] = {"contracts": contracts, "policy": "row", "max_rejected": "60"}
    drop_all(root)
    drop(root, "order-items/b.csv", csv_of(sold(4, 1, quantity="1000000000"), sold(5, 1, quantity="2")))
    run(root, **options)
    (aside,) = (path for path in (root / "quarantine").rglob("b.csv"))
    drop(root, "order-items/mended.csv", aside.read_bytes().replace(b"1000000000", b"10"))
    run(root, **options)
    by_day, _ = published(root, **options)
    assert by_day.splitlines()[1].startswith(f"{SUNDAY},2,150.25,14,")
    assert published(root, **options) == expected(root, ROLES)
