"""Tables fit the terminal: whole columns, and a line that says which are left out."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import pty
import re
import subprocess
import sys
import termios
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


def test_a_terminal_gets_sentences_in_whole_words(shop: Path) -> None:
    """A command in backquotes stays in one line, and a name that is longer than a line in one piece; a pipe gets one line."""
    drop(shop, "orders/late.csv", csv_of(order(2), order(3, status="sent")))
    piped = subprocess.run(
        [sys.executable, "-m", "takings", "run", str(shop), "--now"], capture_output=True, text=True, timeout=60
    ).stdout
    drop(shop, "orders/later.csv", csv_of(order(2), order(3, status="sent")))
    shown = _on_a_terminal(60, "run", shop, "--now")
    (reason,) = (line for line in piped.splitlines() if "rejected" in line and "late.csv" in line)
    assert len(reason) > 60
    assert unwrapped(reason).replace("late.csv", "later.csv") in unwrapped("\n".join(shown))
    assert any(line.strip().startswith(f"`takings batches {shop} ") and line.endswith("`") for line in shown)
    assert all(cell_len(line) <= 60 for line in shown if str(shop) not in line)


def _on_a_terminal(width: int, *arguments: object) -> list[str]:
    """Return the lines that a command prints on a terminal so wide, without colours."""
    ours, its = pty.openpty()
    termios.tcsetwinsize(its, (50, width))
    environment = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "NO_COLOR"}}
    command = [sys.executable, "-m", "takings", *map(str, arguments)]
    with subprocess.Popen(
        command, stdout=its, stderr=subprocess.DEVNULL, env={**environment, "TERM": "xterm"}
    ) as running:
        os.close(its)
        told = b""
        # Linux reports the end of a terminal as an error.
        with contextlib.suppress(OSError):
            while part := os.read(ours, 65536):
                told += part
        running.wait(60)
    os.close(ours)
    return re.sub(r"\x1b\[[0-9;]*m", "", told.decode()).splitlines()
