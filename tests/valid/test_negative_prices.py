"""A contract may allow negative prices, for refunds as separate lines. Their sums are published as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

import takings.contracts
from tests.shop import csv_of, drop, expected, item, order, product, published, run


@pytest.fixture
def contracts(tmp_path: Path) -> str:
    """Return the shipped contracts without the lower bound of sale_price."""
    folder = tmp_path / "contracts"
    folder.mkdir()
    for file in Path(takings.contracts.__file__).parent.glob("*.odcs.yaml"):
        text = file.read_text(encoding="utf-8")
        if file.name.startswith("order_items"):
            text = text.replace("        logicalTypeOptions:\n          exclusiveMinimum: 0\n", "")
        (folder / file.name).write_text(text, encoding="utf-8")
    return str(folder)


@pytest.mark.parametrize("engine", ["duckdb", "pandas"])
def test_a_refund_line_may_exceed_the_days_revenue(root: Path, contracts: str, engine: str) -> None:
    """Revenue and net of day and category are negative, and so are their averages."""
    drop(root, "products/a.csv", csv_of(product(1, "Jeans"), product(2, "Swim")))
    drop(root, "orders/a.csv", csv_of(order(1, "2025-01-01T00:27:47")))
    drop(root, "order-items/a.csv", csv_of(item(1, 1, 1, "10.00"), item(2, 1, 2, "-20.00")))
    run(root, contracts=contracts, validation_engine=engine)
    by_day, by_category = published(root, contracts=contracts)
    assert by_day.splitlines()[1:] == ["2025-01-01,1,-10.00,2,0.00,1,-10.00,0.00,0.00,-10.00"]
    assert by_category.splitlines()[1:] == [
        "Jeans,2025-01-01,10.00,10.00,0.00,1,1,0.00,0.00,10.00",
        "Swim,2025-01-01,-20.00,-20.00,0.00,1,1,0.00,0.00,-20.00",
    ]
    assert expected(root) == (by_day, by_category)


def test_returned_and_cancelled_refunds_are_taken_off_with_their_sign(root: Path, contracts: str) -> None:
    """Net is revenue less both, even if they are negative; half a cent is rounded away from zero."""
    drop(root, "products/a.csv", csv_of(product(1, "Jeans")))
    drop(root, "orders/a.csv", csv_of(order(1), order(2, user_id=8), order(3, user_id=8)))
    drop(
        root,
        "order-items/a.csv",
        csv_of(
            item(1, 1, 1, "5.00"),
            item(2, 2, 1, "-7.005", status="returned"),
            item(3, 3, 1, "-0.50", status="cancelled"),
        ),
    )
    run(root, contracts=contracts)
    by_day, by_category = published(root, contracts=contracts)
    assert by_day.splitlines()[1:] == ["2025-03-30,3,-2.51,3,0.00,2,-0.84,-7.01,-0.50,5.00"]
    assert by_category.splitlines()[1:] == ["Jeans,2025-03-30,-2.51,-0.84,33.33,3,3,-7.01,-0.50,5.00"]
    assert expected(root) == (by_day, by_category)
