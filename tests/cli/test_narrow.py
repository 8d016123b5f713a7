"""Tables fit the terminal: whole columns, and a line that says which are left out."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len

from takings.entrypoints.console import out
from tests.cli.terminal import Takings, unwrapped
from tests.shop import csv_of, drop, item, new_store, order, product

WIDE = 160
CATEGORY = "Fashion Hoodies & Sweatshirts"
DEEP = "order-items/2025/03/30/branch-of-the-north/till-number-17/items-of-the-afternoon.csv"


@pytest.fixture
def shop(tmp_path: Path, takings: Takings) -> Path:
    """Return a store with one batch, a long category, and an item in a file with a long name."""
    root = new_store(tmp_path / "shop")
    drop(root, "products/p.csv", csv_of(product(1, CATEGORY)))
    drop(root, "orders/o.csv", csv_of(order(1, num_of_item=1)))
    drop(root, DEEP, csv_of(item(1, 1, 1, "1234567.89")))
    assert takings("run", root, "--now").code == 0
    return root


def test_kpis_fit_and_name_what_they_leave_out(takings: Takings, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every column is shown whole or named; the key and the first number are always shown."""
    for width, by in itertools.product((50, 60, 80, WIDE), ("day", "category")):
        monkeypatch.setattr(out, "width", width)
        shown = takings("kpis", shop, "--by", by).out
        table, _, hidden = shown.partition("left out, as the terminal is narrow: ")
        assert max(map(cell_len, shown.splitlines())) <= width
        assert "2025-03-30" in table
        assert by == "day" or "1,234,567.89" in table
        columns = takings("kpis", shop, "--by", by, "--format", "csv").out.splitlines()[0].split(",")
        left_out = unwrapped(hidden).removesuffix("; --format csv has all").split(", ") if hidden else []
        headings = table.partition("──")[0].split("\n", 1)[1]
        assert len("".join(headings.split())) == sum(len(column) for column in columns if column not in left_out)
        assert bool(left_out) == (width < WIDE)


def test_batches_keep_the_whole_id(takings: Takings, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Since `takings batches STORE ID` takes it."""
    (batch,) = json.loads(takings("batches", shop, "--json").out)["batches"]
    for width in (50, 80, WIDE):
        monkeypatch.setattr(out, "width", width)
        shown = takings("batches", shop).out
        assert batch["batch_id"] in shown
        assert "3 accepted" in shown
        assert max(map(len, shown.splitlines())) <= width
        assert ("left out, as the terminal is narrow: " in shown) == (width < WIDE)


def test_explain_numbers_files_whose_names_do_not_fit(
    takings: Takings, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name stands whole below the table, as other commands take it."""
    monkeypatch.setattr(out, "width", WIDE + len(DEEP))
    assert "file 1" not in takings("explain", shop, "2025-03-30").out
    monkeypatch.setattr(out, "width", 80)
    shown = takings("explain", shop, "2025-03-30").out
    files = dict(line.split("  ") for line in shown.splitlines() if line.startswith("file "))
    assert files == {"file 1": f"raw-data/{DEEP}"}


def test_a_pipe_is_as_wide_as_columns_says(shop: Path) -> None:
    """Without COLUMNS it is wide enough for every table."""

    def piped(**variables: str) -> str:
        environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
        command = [sys.executable, "-m", "takings", "kpis", str(shop)]
        return subprocess.run(
            command, env={**environment, **variables}, capture_output=True, text=True, check=True, timeout=60
        ).stdout

    assert "left out" not in piped()
    assert "left out, as the terminal is narrow" in unwrapped(piped(COLUMNS="60"))
