"""KPI tables of a shop's own on the whole pipeline: found beside the contracts in the bucket, published and restated."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.aws.harness.deployed import STORE, Deployed
from tests.own_kpis import contracts_with_kpis, csv_of_table
from tests.shop import csv_of, drop, drop_all, item, new_store, opened, order, product, run

pytestmark = [pytest.mark.xdist_group("end_to_end_failures"), pytest.mark.no_cover]
#: a cost, a category, a department, a day and a status change
CORRECTIONS = {
    "products/b.csv": csv_of(product(3, "Games", cost="2.50"), product(1, "Maps", department="Away")),
    "orders/b.csv": csv_of(order(3, "2025-04-02T08:00:00", country="DE")),
    "order-items/b.csv": csv_of(item(1, 1, 1, "10.00", status="returned")),
}


def test_a_margin_is_published_and_restated_as_in_a_folder(deployed: Deployed, tmp_path: Path) -> None:
    """By the roles that the pipeline has, after corrections of all that the tables read."""
    contracts = Path(contracts_with_kpis(tmp_path / "contracts"))
    for path in (path for path in contracts.rglob("*") if path.is_file()):
        deployed.put(f"contracts/{path.relative_to(contracts)}", path.read_bytes())
    deployed.set(contracts=f"{STORE}/contracts")
    root = drop_all(new_store(tmp_path / "shop"))
    deployed.aws.hold_events()
    deployed.drop_all()
    assert deployed.look(at_once=True)["detected"] == "started"
    assert deployed.settled() == ["SUCCEEDED"]
    run(root, contracts=str(contracts))
    assert own_tables(STORE) == own_tables(root, contracts)
    for file, content in CORRECTIONS.items():
        deployed.drop(file, content)
        drop(root, file, content)
    assert deployed.look(at_once=True)["detected"] == "started"
    assert deployed.settled(executions=2) == ["SUCCEEDED", "SUCCEEDED"]
    run(root, contracts=str(contracts))
    there = own_tables(STORE)
    assert there == own_tables(root, contracts)
    assert "Games,2025-04-02,1,4.25,2.50,1.75,41.18" in there["CategoryMargins"]

    # A definition that changes is published by the next look, without a file.
    yaml = contracts / "kpis" / "category_margins.yaml"
    yaml.write_text(
        yaml.read_text().replace("  cost: {money: cost}\n", "  cost: {money: cost}\n  paid: {money: cost}\n")
    )
    deployed.put(f"contracts/{yaml.relative_to(contracts)}", yaml.read_bytes())
    assert deployed.look()["detected"] == "started"
    assert deployed.settled(executions=3) == ["SUCCEEDED"] * 3
    assert deployed.look()["detected"] == "resting"
    run(root, contracts=str(contracts))
    assert own_tables(STORE) == own_tables(root, contracts)
    assert "Games,2025-04-02,1,4.25,2.50,2.50,1.75,41.18" in own_tables(STORE)["CategoryMargins"]


def own_tables(store: str | Path, contracts: Path | None = None) -> dict[str, str]:
    """Return each own table as `takings kpis --format csv` prints it."""
    with opened(store, contracts=None if contracts is None else str(contracts)) as shop:
        names = [table.name for table in shop.ports.kpi_tables if table.own is not None]
        return {name: csv_of_table(shop, name) for name in names}
