"""Whatever is corrected, and in whatever order files come in: own KPI tables are what a full recomputation makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from takings.adapters.duckdb import lake_engine
from takings.adapters.duckdb.watched import watched_columns
from takings.adapters.merging.rows import Watched
from takings.runs import pipeline
from tests.depth import DEPTH
from tests.histories.own_tables import Write, made_up, tables
from tests.own_kpis import contracts_with_kpis, csv_of_table
from tests.shop import csv_of, drop, new_store, opened

#: files of a history, and how many come in at once
FILES = 14
SEEDS = range(3 * DEPTH)


def in_any_order(seed: int) -> list[Write]:
    """Return the files of a history as they come in."""
    writes = made_up(seed, FILES)
    Random(seed).shuffle(writes)
    return writes


def lived_through(
    seed: int, writes: list[Write], folder: Path
) -> Iterator[tuple[dict[str, list[str]], dict[str, list[str]]]]:
    """Drop files one after the other; yield, after each run, what is published and what should be."""
    dice = Random(seed)
    contracts = contracts_with_kpis(folder / "contracts")
    root = new_store(folder / "shop")
    came: list[Write] = []
    with opened(root, contracts=contracts) as shop:
        while writes:
            for _ in range(min(dice.choice((1, 2, 4)), len(writes))):
                write = writes.pop(0)
                came.append(write)
                name = f"{write.folder}/{len(came)}.csv"
                drop(root, name, csv_of(*write.rows), written_at=write.written_at)
            pipeline.run(shop.ports, at_once=True)
            wanted = tables(came)
            yield {name: csv_of_table(shop, name).splitlines()[1:] for name in wanted}, wanted


@pytest.mark.parametrize("seed", SEEDS)
def test_own_tables_equal_a_full_recomputation(seed: int, tmp_path: Path) -> None:
    """After every run: corrections of cost, category, department, status, day and country, orphans and late parents."""
    for published, wanted in lived_through(seed, in_any_order(seed), tmp_path):
        assert published == wanted


@pytest.mark.parametrize("column", ["cost", "category", "department"])
def test_a_column_that_is_not_watched_is_noticed(column: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any one of them, a history that ends with corrections of products comes to other numbers."""

    def forgetful(*arguments: Any) -> Watched:
        watched = watched_columns(*arguments)
        return replace(
            watched,
            products=tuple(name for name in watched.products if name != column),
            own={table: read - {column} for table, read in watched.own.items()},
        )

    writes = made_up(5, 3)
    (products,) = (write for write in writes if write.folder == "products")
    for row in products.rows:
        last = writes[-1].written_at
        changed = {"cost": "0.07", "category": "Games", "department": "Elsewhere"}[column]
        writes.append(replace(products, written_at=last + timedelta(minutes=1), rows=[{**row, column: changed}]))
    assert all(published == wanted for published, wanted in lived_through(5, [*writes], tmp_path / "watched"))
    monkeypatch.setattr(lake_engine, "watched_columns", forgetful)
    assert any(published != wanted for published, wanted in lived_through(5, [*writes], tmp_path / "forgotten"))
