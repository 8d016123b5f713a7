"""A source on the command line: what is printed about its files and its mistakes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest

from tests.cli.terminal import Ended, Takings, unwrapped
from tests.shop import drop, files, new_store
from tests.till import EXPORT, ORDERS_SQL, ZONE, contracts_with, till

BAD: Final = EXPORT.replace(b"Tray,10.00", b"Tray,ten")


@pytest.fixture
def contracts(tmp_path: Path) -> Path:
    """Return contracts with one source."""
    return contracts_with(tmp_path / "contracts", till=till())


@pytest.fixture
def root(tmp_path: Path, contracts: Path) -> Path:
    """Return an empty store with one source."""
    root = new_store(tmp_path / "shop")
    (root / "takings.toml").write_text(f'contracts = "{contracts}"\ntime_zone = "{ZONE}"\n', encoding="utf-8")
    return root


def test_a_run_accounts_for_the_file_and_for_what_it_yields(root: Path, takings: Takings) -> None:
    """The file's records in one line, its rows in one line per dataset."""
    drop(root, "till/a.csv", EXPORT)
    drop(root, "till/bad.csv", BAD)
    ended = takings("run", root, "--now")
    assert ended.code == 1
    accounting = [" ".join(line.split()) for line in ended.out.splitlines() if line.startswith("  ")]
    assert "till 6 records read, 3 accepted (7 new), 3 rejected" in accounting
    assert "products 4 rows made, 2 accepted, 2 rejected" in accounting
    assert "orders 4 rows made, 2 accepted, 2 rejected" in accounting
    assert "order_items 6 rows made, 3 accepted, 3 rejected" in accounting
    assert "till/bad.csv: 1 of 3 rows of order_items break sale_price|type (1)" in unwrapped(ended.out)


def test_status_counts_its_files_as_pending(root: Path, takings: Takings) -> None:
    """Next to those of the datasets."""
    drop(root, "till/a.csv", EXPORT)
    pending = json.loads(takings("status", root, "--json").out)["pending"]
    assert pending == {"products": 0, "orders": 0, "order_items": 0, "till": 1}
    shown = unwrapped(takings("status", root).out)
    assert "pending till 1" in shown
    # A file of a till is one of each dataset that it yields, so nothing is missing.
    assert "files are pending; " in shown


def test_a_batch_shows_where_it_failed(root: Path, takings: Takings) -> None:
    """Line, dataset and column of the row, and what to do."""
    drop(root, "till/bad.csv", BAD)
    takings("run", root, "--now")
    (batch,) = (root / "batches").iterdir()
    shown = unwrapped(takings("batches", root, batch.name).out)
    assert "till/bad.csv" in shown
    assert "3 order_items.sale_price type aaa write an amount such as 12.50" in shown


@pytest.mark.parametrize("place", ["raw-data/till", "elsewhere"], ids=["by its folder", "by its header"])
def test_a_file_is_validated_before_it_is_dropped(root: Path, tmp_path: Path, takings: Takings, place: str) -> None:
    """As in a run, with nothing written."""
    folder = tmp_path / place
    folder.mkdir(parents=True)
    (folder / "good.csv").write_bytes(EXPORT)
    (folder / "bad.csv").write_bytes(BAD)
    good = takings("validate", folder / "good.csv", "--store", root)
    assert (good.code, "(till): accepted, 3 records" in unwrapped(good.out)) == (0, True)
    bad = takings("validate", folder / "bad.csv", "--store", root, "--format", "json")
    (file,) = json.loads(bad.out)["files"]
    assert (bad.code, file["dataset"], file["verdict"], list(file["datasets"])) == (
        1,
        "till",
        "rejected",
        ["products", "orders", "order_items"],
    )
    assert [(each["rule"], each["line"], each["remedy"][:5]) for each in file["violations"]] == [
        ("order_items.sale_price|type", 3, "write")
    ]
    assert files(root, "raw-data", "failed", "processed") == []


def test_a_copy_is_recognised_by_a_dry_run(root: Path, tmp_path: Path, takings: Takings) -> None:
    """Only within the same source."""
    drop(root, "till/a.csv", EXPORT)
    takings("run", root, "--now")
    (tmp_path / "copy.csv").write_bytes(EXPORT)
    ended = takings("validate", tmp_path / "copy.csv", "--store", root)
    assert "duplicate" in ended.out


def test_wrong_sql_stops_every_command_that_needs_it(root: Path, contracts: Path, takings: Takings) -> None:
    """With exit code 2, file, line and remedy; nothing was begun."""
    drop(root, "till/a.csv", EXPORT)
    sql = contracts / "sources" / "till" / "orders.sql"
    sql.write_text(ORDERS_SQL.replace("'1' as user_id", "random() as user_id"), encoding="utf-8")
    for command in (("run", root, "--now"), ("status", root), ("validate", sql, "--store", root)):
        ended: Ended = takings(*command)
        assert ended.code == 2
        assert "orders.sql:6: 'random' does not depend on the file's records alone." in unwrapped(ended.err)
    assert not (root / "batches").exists()


def test_a_source_that_is_gone_is_named(root: Path, tmp_path: Path, takings: Takings) -> None:
    """Its archived files cannot be replayed without it; nothing is lost."""
    drop(root, "till/a.csv", EXPORT)
    takings("run", root, "--now")
    (batch,) = (root / "batches").iterdir()
    without = contracts_with(tmp_path / "without")
    (root / "takings.toml").write_text(f'contracts = "{without}"\ntime_zone = "{ZONE}"\n', encoding="utf-8")
    ended = takings("replay", root, "--batch", batch.name)
    assert ended.code == 2
    assert "the source 'till', which the contracts do not have" in unwrapped(ended.err)
    assert list((root / "batches").iterdir()) == [batch]
    assert takings("verify", root).code == 0
