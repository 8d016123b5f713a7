"""A store merged with a contract's own order of versions needs that contract wherever rows are merged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.terminal import Takings
from tests.contract_options import write_contracts
from tests.shop import csv_of, drop, item, new_store, order, product


@pytest.fixture
def store(tmp_path: Path, takings: Takings) -> Path:
    """Return a store with an order that lost a line."""
    root, contracts = new_store(tmp_path / "shop"), write_contracts(tmp_path / "contracts", replaces=True)
    drop(root, "products/p.csv", csv_of(product(1)))
    drop(root, "orders/o.csv", csv_of(order(1)))
    for lines in ([item(1, 1), item(2, 1, sale_price="12.00")], [item(1, 1)]):
        drop(root, "order-items/i.csv", csv_of(*lines))
        assert takings("run", root, "--now", "--contracts", contracts).code == 0
    return root


@pytest.mark.parametrize("command", ["run", "watch", "replay --failed"])
def test_a_merge_under_other_contracts_is_refused(store: Path, takings: Takings, command: str) -> None:
    """Before anything is done, with the way out."""
    name, *options = command.split()
    drop(store, "order-items/j.csv", csv_of(item(5, 1)))
    ended = takings(name, store, *options)
    assert (ended.code, ended.out) == (2, "")
    assert "takingsReplaces of order_items is not in the contract" in ended.err
    assert "takings rebuild" in ended.err
    assert (store / "raw-data" / "order-items" / "j.csv").exists()


def test_whoever_looks_needs_no_contracts(store: Path, takings: Takings) -> None:
    """Commands without that option show what is published, and the rows behind it."""
    assert takings("kpis", store, "--format", "csv").out.splitlines()[1].startswith("2025-03-30,1,10.00,1,")
    assert takings("explain", store, "2025-03-30", "--format", "csv").out.count("\n") == 2
    assert [takings(name, store).code for name in ("status", "batches", "verify", "restate", "maintain")] == [0] * 5


def test_where_instants_decide_a_dry_run_knows_no_duplicate(takings: Takings, tmp_path: Path) -> None:
    """It depends on the name under which the file will be dropped."""
    root, contracts = new_store(tmp_path / "shop"), write_contracts(tmp_path / "contracts", versioned=("orders",))
    files = {"products": product(1), "orders": order(1, updated_at="2025-03-31T08:00:00Z")}
    copies = {name: tmp_path / f"{name}.csv" for name in files}
    for name, row in files.items():
        drop(root, f"{name}/a.csv", csv_of(row))
        copies[name].write_bytes(csv_of(row))
    assert takings("run", root, "--now", "--contracts", contracts).code == 0
    ended = takings("validate", *copies.values(), "--store", root, "--contracts", contracts, "--format", "json")
    assert [file["verdict"] for file in json.loads(ended.out)["files"]] == ["duplicate", "accepted"]


def test_a_rebuild_writes_what_the_contracts_say(store: Path, takings: Takings, tmp_path: Path) -> None:
    """Under the shipped ones, the removed line counts again."""
    assert takings("rebuild", store, tmp_path / "rebuilt").code == 0
    assert (
        takings("kpis", tmp_path / "rebuilt", "--format", "csv").out.splitlines()[1].startswith("2025-03-30,1,22.00,2,")
    )
    assert takings("run", tmp_path / "rebuilt").code == 0
