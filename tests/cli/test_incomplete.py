"""The command line marks incomplete days, reports what a batch's rows replaced, and warns of suspicious changes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.terminal import Takings
from tests.shop import csv_of, drop, drop_all, item, new_store, order, product, run

GIFT = "order-items/i.csv of this day was refused"


@pytest.fixture
def waiting(tmp_path: Path) -> Path:
    """Return a store without products, after its first run."""
    root = new_store(tmp_path / "shop")
    drop(root, "orders/o.csv", csv_of(order(1), order(2, "2025-03-31T09:00:00")))
    drop(root, "order-items/i.csv", csv_of(item(1, 1), item(2, 2, 2, "12.50"), item(3, 99, 2, "1.00")))
    return root


def test_run_says_which_days_are_incomplete(takings: Takings, waiting: Path) -> None:
    """Below the batch's summary; a run without a batch prints nothing about it."""
    ended = takings("run", waiting, "--now")
    assert (ended.code, ended.err) == (0, "")
    assert [line for line in ended.out.splitlines() if "incomplete" in line] == [
        "incomplete 2025-03-30: 1 item worth 10.00 waits for its product",
        "incomplete 2025-03-31: 1 item worth 12.50 waits for its product",
        "incomplete 1 item worth 1.00 waits for its order",
    ]
    assert "incomplete" not in takings("run", waiting, "--now").out


def test_kpis_marks_the_days_of_a_table(takings: Takings, waiting: Path) -> None:
    """And says below what is missing, for the days asked for."""
    run(waiting)
    lines = takings("kpis", waiting, "--from", "2025-03-31").out.splitlines()
    (row,) = (line.split() for line in lines if line.startswith(" 2025"))
    assert row == ["2025-03-31", "*", "1", "0.00", "0", "0.00", "1", "0.00", "0.00", "0.00", "0.00"]
    assert lines[-2:] == [
        "* incomplete 2025-03-31: 1 item worth 12.50 waits for its product",
        "* incomplete 1 item worth 1.00 waits for its order",
    ]
    assert takings("kpis", waiting, "--by", "category", "--to", "2025-03-30").out.splitlines()[1:] == [
        "incomplete 2025-03-30: 1 item worth 10.00 waits for its product",
        "incomplete 1 item worth 1.00 waits for its order",
    ]


def test_kpis_as_csv_stay_as_they_are(takings: Takings, waiting: Path) -> None:
    """What is missing is on stderr."""
    run(waiting)
    ended = takings("kpis", waiting, "--format", "csv", "--to", "2025-03-30")
    assert ended.out.splitlines()[1:] == ["2025-03-30,1,0.00,0,0.00,1,0.00,0.00,0.00,0.00"]
    assert ended.err.splitlines() == [
        "incomplete 2025-03-30: 1 item worth 10.00 waits for its product",
        "incomplete 1 item worth 1.00 waits for its order",
    ]


def test_kpis_as_json_say_what_is_missing(takings: Takings, tmp_path: Path) -> None:
    """Only in rows of incomplete days, so the others are unchanged."""
    root = drop_all(new_store(tmp_path / "shop"))
    drop(root, "orders/o.csv", csv_of(order(9, "2025-04-01T09:00:00")))
    drop(root, "order-items/i.csv", csv_of(item(9, 9), item(8, 9, 404, "2.50"), item(7, 9, sale_price="0.00")))
    assert takings("run", root, "--now").code == 1
    for by in ("day", "category"):
        rows = json.loads(takings("kpis", root, "--by", by, "--format", "json").out)
        assert {row["order_date"] for row in rows if "incomplete" in row} <= {"2025-04-01"}
    assert json.loads(takings("kpis", root, "--format", "json", "--from", "2025-04-01").out)[0]["incomplete"] == {
        "sentence": f"1 order has no item; {GIFT}",
        "waiting_items": 0,
        "waiting_worth": "0.00",
        "orders_without_items": 1,
        "refused": ["raw-data/order-items/i.csv"],
    }


def test_status_says_which_days_are_incomplete(takings: Takings, waiting: Path) -> None:
    """As text, and as JSON with all of them."""
    run(waiting)
    drop(waiting, "orders/none.csv", b"")
    run(waiting)
    out = takings("status", waiting).out
    assert "  incomplete 2025-03-30: 1 item worth 10.00 waits for its product\n" in out
    assert "  incomplete orders/none.csv was refused, and its days are not known\n" in out
    document = json.loads(takings("status", waiting, "--json").out)
    assert [day["day"] for day in document["incomplete"]["days"]] == ["2025-03-30", "2025-03-31"]
    assert document["incomplete"]["notes"] == [
        "1 item worth 1.00 waits for its order",
        "orders/none.csv was refused, and its days are not known",
    ]


def test_many_incomplete_days_are_cut_short(takings: Takings, tmp_path: Path) -> None:
    """Ten are printed."""
    root = new_store(tmp_path / "shop")
    drop(root, "orders/o.csv", csv_of(*(order(n, f"2025-03-{n:02}T09:00:00") for n in range(1, 14))))
    run(root)
    lines = takings("kpis", root, "--format", "csv").err.splitlines()
    assert lines[9:] == [
        "incomplete 2025-03-10: 1 order has no item",
        "incomplete … and 3 days more; `takings status --json` lists them",
    ]


def test_run_and_batches_tell_what_rows_replaced(takings: Takings, tmp_path: Path) -> None:
    """With the warning that another order came with the same number."""
    root = new_store(tmp_path / "shop")
    drop(root, "products/p.csv", csv_of(product(1)))
    drop(root, "orders/a.csv", csv_of(order(1001)))
    drop(root, "order-items/a.csv", csv_of(item(1, 1001)))
    run(root)
    drop(root, "orders/b.csv", csv_of(order(1001, "2025-04-05T11:00:00", user_id=77), order(5)))
    drop(root, "order-items/b.csv", csv_of(item(1, 1001), item(2, 5)))
    out = takings("run", root, "--now").out.splitlines()
    warning = (
        "  warning 1 order changes both user_id and created_at: another order with the same number is not a correction;"
        " give each shop its own numbers (1001: orders/b.csv line 2)"
    )
    assert out[1:3] == [
        "  order_items  2 records read, 2 accepted (1 new, 1 unchanged)",
        "  orders       2 records read, 2 accepted (1 new, 1 changed)",
    ]
    assert warning in out
    *_, newest = sorted(path.name for path in (root / "batches").iterdir())
    shown = takings("batches", root, newest).out.splitlines()
    assert warning in shown
    assert "            1 new, 1 unchanged compared with the lake before" in shown
    document = json.loads(takings("batches", root, newest, "--json").out)
    assert document["rows"] == {"new": 2, "changed": 1, "unchanged": 1, "older": 0}
    assert document["changes"]["warnings"][0]["examples"] == [
        {"id": 1001, "key": "raw-data/orders/b.csv", "line": 2, "stated": None, "items": None}
    ]
