"""docs/operations.md is true: it lists every reason for a blocked batch, and erasing a customer leaves the numbers."""

from __future__ import annotations

import ast
import csv
import re
from pathlib import Path

import duckdb
import pytest

from takings.entrypoints.task_size import too_large
from takings.errors import InvariantBreach
from takings.kpis import check_invariants
from takings.runs.steps import MOST_ATTEMPTS
from tests.cli.terminal import Takings
from tests.shop import csv_of, drop_all, new_store, published, run

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text()


def blocking() -> set[str]:
    """Return the reason that each call to block a batch gives, as source."""
    calls = (
        node
        for path in sorted((ROOT / "src" / "takings").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "block"
    )
    return {ast.unparse(call.args[0]) for call in calls}


def test_every_reason_of_a_blocked_batch_stands_on_the_page() -> None:
    """A new way to block a batch needs a new row for whoever is on call."""
    assert blocking() == {
        "str(breach)",
        "f'{attempt} attempts have failed; the last one with: {cause}.'",
        "blocked_for",  # a batch for which no disk of a task is large enough
    }
    rows = re.findall(r"^\| `([^`…]+)…` ", PAGE, re.MULTILINE)
    assert rows == [
        "KPIs of ",
        f"{MOST_ATTEMPTS} attempts have failed; the last one with: ",
        too_large("shop").partition(",")[0].removesuffix(",") + " ",
        f"{MOST_ATTEMPTS} attempts ended without reporting a result ",  # the detector's, for a batch that nobody owns
    ]

    impossible = {"category": "Books", "order_date": "2025-03-30", "orders": 1, "returned_orders": 2}
    with pytest.raises(InvariantBreach) as breach:
        check_invariants([], [impossible | dict.fromkeys(("revenue", "items"), 0)])
    assert str(breach.value).startswith(rows[0])


def customers_of(root: Path) -> set[int]:
    """Return every customer in any file of the lake, including files that no table names any more."""
    places = [str(root / "lake" / table / "**" / "*.parquet") for table in ("orders", "order_items")]
    with duckdb.connect() as connection:
        return {
            customer
            for place in places
            for (customer,) in connection.execute(f"select distinct user_id from read_parquet('{place}')").fetchall()
        }


def test_a_customer_is_erased_by_a_rebuild_from_changed_originals(takings: Takings, tmp_path: Path) -> None:
    """As the page says: another number in the originals gives the same KPIs, from a lake that never knew the old one."""
    root, new = drop_all(new_store(tmp_path / "shop")), tmp_path / "new"
    run(root)
    right = published(root)
    assert customers_of(root) == {7, 8}

    for path in sorted((root / "processed").rglob("*.csv")):
        rows = list(csv.DictReader(path.read_text().splitlines()))
        if "user_id" in rows[0]:
            path.write_bytes(csv_of(*(row | {"user_id": row["user_id"].replace("7", "900")} for row in rows)))

    assert takings("rebuild", root, new).code == 0
    assert (published(new), customers_of(new)) == (right, {900, 8})
    assert takings("verify", new).code == 0
