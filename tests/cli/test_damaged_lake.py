"""What commands say about a damaged lake: which file, and what to do; nothing is changed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.terminal import Takings, unwrapped
from tests.shop import drop_all


def _items(root: Path) -> Path:
    return root / "lake/order_items"


def _file(root: Path) -> Path:
    return min(_items(root).rglob("order_date=*/*.parquet"))


def _entry(root: Path) -> Path:
    return max(_items(root).glob("_delta_log/*.json"))


def _lose_file(root: Path) -> None:
    _file(root).unlink()


def _cut_file(root: Path) -> None:
    _file(root).write_bytes(_file(root).read_bytes()[:100])


def _tear_entry(root: Path) -> None:
    _entry(root).write_bytes(_entry(root).read_bytes()[:100])


def _empty_entry(root: Path) -> None:
    _entry(root).write_bytes(b"")


def _lose_entry(root: Path) -> None:
    _entry(root).unlink()


def _lose_table(root: Path) -> None:
    shutil.rmtree(_items(root))


def _contents(root: Path) -> dict[str, bytes]:
    """Return every file except the ledger's journal."""
    return {
        file.relative_to(root).as_posix(): file.read_bytes()
        for file in root.rglob("*")
        if file.is_file() and ".takings" not in file.parts
    }


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (_lose_file, ".parquet: the file is lost."),
        (_cut_file, ".parquet: the file has 100 bytes instead of"),
        (_tear_entry, "lake/order_items/_delta_log/00000000000000000001.json is damaged"),
        (_empty_entry, "lake/order_items/_delta_log/00000000000000000001.json is damaged (it is empty)."),
        (_lose_entry, "lake/order_items: the table's log ends at version 0, but a commit names version 1."),
        (_lose_table, "lake/order_items: the table's log ends at version -1, but a commit names version 1."),
    ],
)
def test_damage_is_recognised_before_a_batch_begins(
    takings: Takings, done: Path, damage: Callable[[Path], None], told: str
) -> None:
    """The error names the file and the remedy; the drop stays pending."""
    drop_all(done, "b.csv")
    damage(done)
    before = _contents(done)
    found = takings("run", done, "--now")
    assert (found.code, found.out) == (3, "")
    assert told in unwrapped(found.err)
    assert "Nothing was changed. Restore lake/ from a back-up," in unwrapped(found.err)
    assert _contents(done) == before


@pytest.mark.parametrize("command", [("verify",), ("restate",), ("maintain",), ("watch",), ("replay", "--failed")])
def test_every_command_that_works_on_the_lake_looks(takings: Takings, done: Path, command: tuple[str, ...]) -> None:
    """None continues with a part of the rows."""
    _empty_entry(done)
    before = _contents(done)
    name, *options = command
    found = takings(name, done, *options)
    assert (found.code, found.out) == (3, "")
    assert "00000000000000000001.json is damaged (it is empty)." in unwrapped(found.err)
    assert _contents(done) == before


def test_what_is_published_can_be_read_from_a_damaged_store(takings: Takings, done: Path) -> None:
    """A day's numbers do not disappear with a file of the lake."""
    whole = takings("kpis", done, "--format", "csv")
    _lose_table(done)
    assert takings("kpis", done, "--format", "csv") == whole
