"""A store of the first version that could make one is read, upgraded and verified by this one.

first-release.tar.xz is that store: two batches, a refused file, an item that waits for its order, and a pending file with
that order. The first commit with a command line (069ae53) made it.
"""

from __future__ import annotations

import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from takings.adapters.local.database import reading_database
from takings.adapters.local.ledger import SqliteLedger
from takings.adapters.local.migrations import VERSION
from takings.intake.gate import GateState
from tests.cli.terminal import Takings

KEPT: Final = Path(__file__).with_name("first-release.tar.xz")
#: what that version printed
BY_DAY: Final = """\
order_date,total_orders,total_revenue,total_items_sold,return_rate,unique_customers,avg_order_value,returned_value,cancelled_value,net_revenue
2025-03-30,1,29.50,2,100.00,1,29.50,0.00,0.00,29.50
2025-03-31,1,5.00,1,100.00,1,5.00,5.00,0.00,0.00
"""
#: what the pending order adds, now that its item need not wait any longer
ADDED: Final = "2025-04-01,1,20.00,1,0.00,1,20.00,0.00,0.00,20.00\n"


@pytest.fixture
def shop(takings: Takings) -> Path:
    """Unpack the store into the working folder, where `takings` will run."""
    assert takings("--version").code == 0
    with tarfile.open(KEPT) as archive:
        archive.extractall(Path(), filter="data")
    return Path("shop")


def layout(shop: Path) -> int:
    """Return the version of the store's database."""
    with closing(sqlite3.connect(shop / ".takings" / "takings.db")) as connection:
        version: int = connection.execute("pragma user_version").fetchone()[0]
    return version


def test_whoever_may_only_read_changes_nothing(shop: Path) -> None:
    """The page takes what the former layout lacks as empty."""
    with reading_database(shop / ".takings" / "takings.db") as database:
        gate = SqliteLedger(database).gate()
    assert (gate.state, gate.last_commit, gate.reading, gate.suspects, gate.left) == (GateState.IDLE, 2, None, (), ())
    assert layout(shop) == 0


@pytest.mark.usefixtures("shop")
def test_its_numbers_and_batches_are_there(takings: Takings) -> None:
    """A command brings the database to the present layout, and prints what that version printed."""
    assert takings("kpis", "shop", "--format", "csv").out == BY_DAY
    batches = takings("batches", "shop", "--json")
    assert (batches.code, batches.out.count('"DONE"')) == (0, 2)
    assert layout(Path("shop")) == VERSION


@pytest.mark.usefixtures("shop")
def test_it_is_upgraded(takings: Takings) -> None:
    """The first run publishes every day again; then every number is verified, and its archive gives the same."""
    status = takings("status", "shop").out.splitlines()
    assert any(line.startswith("  orphans              1 item without") for line in status)
    differs = takings("verify", "shop")
    assert (differs.code, "`takings restate shop` publishes what the lake says" in differs.out) == (1, True)

    assert takings("run", "shop", "--now").code == 0
    assert takings("kpis", "shop", "--format", "csv").out == BY_DAY + ADDED
    assert takings("verify", "shop").code == 0
    assert takings("maintain", "shop").code == 0

    assert takings("rebuild", "shop", "rebuilt").code == 0
    assert takings("kpis", "rebuilt", "--format", "csv").out == BY_DAY + ADDED


@pytest.mark.usefixtures("shop")
def test_its_numbers_can_be_published_again_without_a_batch(takings: Takings) -> None:
    """What `verify` advises works: then nothing differs."""
    assert takings("restate", "shop").code == 0
    assert takings("kpis", "shop", "--format", "csv").out == BY_DAY
    assert takings("verify", "shop").code == 0
