"""Every sentence about lake and KPIs (design, parts 6 and 7): one small shop each, drops in -> published numbers out.

A case is a YAML file next to this module:

    says       what it shows
    time_zone, policy, max_rejected      as in the settings
    roles      columns of items by their role, if the contract of items is not the shipped one
    without, optional      columns that such a contract lacks, or in which a field may be empty
    versioned, replaces      datasets with takingsVersion: updated_at; whether order_items have takingsReplaces: order_id
    batches    lists of files that are dropped together: file, written_at (on 1 May 2025, UTC: its version), content, and the
               verdict unless it is "accepted"
    day, category      what `takings kpis` prints at the end
    hidden     keys that are published with zeros
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from takings.composition.stores import Shop
from takings.kpis.publication import visible
from takings.queries import verification
from takings.runs import pipeline
from tests.contract_options import write_contracts
from tests.shop import drop, expected, new_store, opened, published
from tests.worths import contracts_of_worth

CASES: Final = sorted(Path(__file__).parent.glob("*.yaml"))
SETTINGS: Final = ("time_zone", "policy", "max_rejected")
ORDER_OF_VERSIONS: Final = ("versioned", "replaces")


def keys_of(path: Path) -> set[str]:
    """Return the keys of a case."""
    return set(yaml.safe_load(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_golden_kpis(path: Path, tmp_path: Path) -> None:
    """The published numbers equal the literal, the oracle's and the lake's; a removed key is hidden with zeros."""
    case, options = read_case(path, tmp_path)
    root = new_store(tmp_path / "shop")
    with opened(root, **options) as shop:
        drop_and_run(case, shop)
        assert verification.verify(shop.ports).differences == ()
        gone: dict[str, bool] = {}
        for table in shop.ports.kpi_tables:
            rows = list(shop.ports.kpis.rows(table))
            zeros = {column.name: column.zero for column in table.columns}
            hidden = [row for row in rows if row not in list(visible(rows))]
            gone |= {" ".join(str(part) for part in row.key): row.values == zeros for row in hidden}
        assert gone == dict.fromkeys(case.get("hidden", ()), True)
    assert published(root, **options) == (case["day"], case["category"])
    assert expected(root, case.get("roles", {})) == (case["day"], case["category"])


@pytest.mark.parametrize("path", [path for path in CASES if not {"roles", *ORDER_OF_VERSIONS} & keys_of(path)])
def test_a_role_that_no_file_fills_changes_no_number(path: Path, tmp_path: Path) -> None:
    """The SQL for items with roles and their order's status gives the same as the shipped contracts'."""
    case, options = read_case(path, tmp_path)
    contracts = contracts_of_worth(tmp_path / "with roles", optional=("status",))
    root = new_store(tmp_path / "shop")
    with opened(root, contracts=contracts, **options) as shop:
        drop_and_run(case, shop)
        assert verification.verify(shop.ports).differences == ()
    assert published(root, contracts=contracts, **options) == (case["day"], case["category"])


def read_case(path: Path, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a case and its settings; its own contracts are written into the folder."""
    case: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    known = {"says", "batches", "day", "category", "hidden", "roles", "without", "optional"}
    assert case.keys() <= {*known, *SETTINGS, *ORDER_OF_VERSIONS}
    options: dict[str, Any] = {name: case[name] for name in SETTINGS if name in case}
    if "roles" in case:
        columns = {kind: tuple(case.get(kind, ())) for kind in ("without", "optional")}
        options["contracts"] = contracts_of_worth(folder / "contracts", case["roles"], **columns)
    if order_of_versions := {name: case[name] for name in ORDER_OF_VERSIONS if name in case}:
        options["contracts"] = write_contracts(folder / "contracts", **order_of_versions)
    return case, options


def drop_and_run(case: dict[str, Any], shop: Shop) -> None:
    """Drop and process a case's files, batch by batch."""
    for batch in case["batches"]:
        for file in batch:
            written_at = datetime.fromisoformat(f"2025-05-01T{file['written_at']}").replace(tzinfo=UTC)
            drop(shop.root, file["file"], file["content"].encode(), written_at=written_at)
        (outcome,) = pipeline.run(shop.ports, at_once=True).batches
        assert {report.key: report.verdict.value for report in outcome.reports} == {
            f"raw-data/{file['file']}": file.get("verdict", "accepted") for file in batch
        }
