"""The Python API and the command line say the same: each result's `to_json` is what the command prints."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout, suppress
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

import takings
from takings.entrypoints import cli
from takings.errors import SettingsError, UnknownThing, UnreadableFile, UsageError
from tests.shop import csv_of, drop, drop_all, item, order, run


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Work in a folder without settings."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with refused files, an orphan and pending files; no test changes it."""
    root = tmp_path_factory.mktemp("busy") / "shop"
    (root / "raw-data").mkdir(parents=True)
    drop(drop_all(root), "orders/bad.csv", csv_of(order(9, num_of_item=0)))
    drop(root, "order-items/b.csv", csv_of(item(9, 404)))
    run(root)
    drop(root, "orders/c.csv", csv_of(order(7)))
    drop(root, "orders/notes.txt", b"")
    run(root, at_once=False)
    return root


def printed(*arguments: object) -> Any:
    """Return what a command prints, read as JSON."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")
    with pytest.MonkeyPatch.context() as patched, redirect_stdout(out), suppress(SystemExit):
        patched.setattr(sys, "argv", ["takings", *map(str, arguments)])
        cli.main()
    out.seek(0)
    return json.loads(out.read())


def test_looks_agree(busy: Path) -> None:
    """State, history, numbers and what is behind them."""
    shop = takings.open(busy)
    (batch,) = shop.batches()
    assert shop.status().to_json() == printed("status", busy, "--json")
    assert [batch.to_json()] == printed("batches", busy, "--json")["batches"]
    assert shop.batch(batch.batch_id).to_json() == printed("batches", busy, batch.batch_id, "--json")
    assert shop.kpis().to_json() == printed("kpis", busy, "--format", "json")
    assert shop.kpis("category").to_json() == printed("kpis", busy, "--by", "category", "--format", "json")
    assert shop.explain("2025-03-30").to_json() == printed("explain", busy, "2025-03-30", "--format", "json")
    assert shop.verify().to_json() == printed("verify", busy, "--json")


def test_validation_agrees(tmp_path: Path) -> None:
    """Of a good file, a bad one and one that is no CSV file."""
    for name, content in (("good", csv_of(order(1))), ("bad", csv_of(order(1, num_of_item=0))), ("no", b"<html>")):
        (tmp_path / f"{name}.csv").write_bytes(content)
        found = takings.validate(tmp_path / f"{name}.csv")
        assert [each.to_json() for each in found] == printed("validate", found[0].key, "--format", "json")["files"]


def test_a_run_agrees(busy: Path, tmp_path: Path) -> None:
    """What waits, and the batches in their order; only names and times differ between two stores."""
    roots = [drop_all(tmp_path / name) for name in ("one", "two")]
    for root in roots:
        drop(root, "orders/bad.csv", csv_of(order(9, num_of_item=0)))
    mine, theirs = takings.open(roots[0]).run(now=True).to_json(), printed("run", roots[1], "--now", "--json")
    assert (timeless(mine), mine["batches"][0].keys()) == (timeless(theirs), theirs["batches"][0].keys())
    assert takings.open(roots[0]).run().to_json() == printed("run", roots[1], "--json")


def timeless(done: Mapping[str, Any]) -> Any:
    """Return a run's document without what differs between two stores."""
    files = [(file["key"], file["verdict"], file["records"]) for batch in done["batches"] for file in batch["files"]]
    return {**done, "batches": files}


def test_batches_are_handed_over_one_by_one(root: Path) -> None:
    """And then none is kept: a run may have hundreds."""
    seen: list[int | None] = []
    done = takings.open(drop_all(root)).run(now=True, on_batch=lambda batch: seen.append(batch.commit))
    assert (seen, done.batches, done.ended) == ([1], (), 1)


def test_events_go_to_whoever_asks(root: Path) -> None:
    """By default, to the log."""
    events: list[str] = []
    takings.open(drop_all(root), tell=lambda event, _: events.append(event)).run(now=True)
    assert (events[0], events[-1]) == ("batch.dispatched", "batch.done")


def test_kpis_are_a_table_for_whatever_reads_arrow(busy: Path) -> None:
    """Money is exact; a ratio without a denominator is null; commit and definition come last."""
    kpis = takings.open(busy).kpis(by="category", first=date(2025, 3, 31))
    with duckdb.connect() as connection:
        found = connection.execute("select category, order_date, daily_revenue from kpis").fetchall()
    assert found == [("Toys", date(2025, 3, 31), Decimal("4.25"))]
    table = kpis.arrow()
    schema = {name: str(table.schema.field(name).type).strip() for name in table.column_names}
    assert schema["daily_revenue"] == "arro3.core.DataType<Decimal128(38, 2)>"
    assert list(schema)[-4:] == ["commit", "batch_id", "computed_at", "definition"]
    nothing = replace(kpis, rows=())
    assert (len(nothing), nothing.arrow().num_rows, len(nothing.df())) == (0, 0, 0)
    assert nothing.arrow().schema == kpis.arrow().schema


def test_a_data_frame_is_exact_too(busy: Path) -> None:
    """Days are days, counts are whole numbers, money is Decimal."""
    frame = takings.open(busy).kpis().df()
    assert frame["order_date"].dt.strftime("%Y-%m-%d").tolist() == ["2025-03-30", "2025-03-31"]
    assert frame["total_revenue"].tolist() == [Decimal("30.25"), Decimal("4.25")]
    assert frame["total_orders"].tolist() == [2, 1]


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ({"by": "week"}, UsageError, "by 'week': write 'day' or 'category'"),
        ({"by": "day", "table": "OrderKPIs"}, UsageError, "`table` and `by` both name a table"),
        ({"category": "Toys"}, UsageError, "category 'Toys': OrderKPIs is by order_date"),
        ({"table": "Nothing"}, UnknownThing, "there is no KPI table 'Nothing'"),
        ({"by": "category", "category": "Cars"}, UnknownThing, "no KPIs of category 'Cars'"),
        ({"first": "31.3.2025"}, UsageError, "'31.3.2025' is no day"),
        ({"first": "2025-03-31", "last": "2025-03-30"}, UsageError, "the first day, 2025-03-31, is after the last one"),
    ],
)
def test_what_cannot_be_meant_is_an_error(
    busy: Path, asked: dict[str, Any], error: type[Exception], message: str
) -> None:
    """It says what to write."""
    with pytest.raises(error, match=message):
        takings.open(busy).kpis(**asked)


def test_wrong_names_are_errors(busy: Path, tmp_path: Path) -> None:
    """Of a store, a setting, a batch, a dataset, a file, a replay, an attribute."""
    shop = takings.open(busy)
    with pytest.raises(UnknownThing, match="is not a folder"):
        takings.open(tmp_path / "nowhere")
    with pytest.raises(SettingsError, match="there is no setting 'colour'"):
        takings.open(busy, colour="red")
    with pytest.raises(UnknownThing, match="there is no batch 'x'"):
        shop.batch("x")
    with pytest.raises(UsageError, match="there is no dataset 'shops'"):
        shop.validate(busy / "raw-data" / "orders" / "c.csv", dataset="shops")
    with pytest.raises(UnknownThing, match="is not a file"):
        shop.validate(tmp_path)
    with pytest.raises(UsageError, match="say what to replay"):
        shop.replay(batch="x", failed=True)
    with pytest.raises(UsageError, match="is after the last one"):
        shop.restate("2025-03-31", "2025-03-30")
    with pytest.raises(UsageError, match="is not empty"):
        shop.rebuild(busy)
    with pytest.raises(UsageError, match=r"is a folder. Name the files in it"):
        takings.adopt(busy)
    with pytest.raises(UnknownThing, match="is not a file"):
        takings.adopt([tmp_path / "orders.csv"])
    with pytest.raises(UsageError, match="there is no format 'excel'"):
        takings.generate(tmp_path, 10, format="excel")
    with pytest.raises(UsageError, match="dirty 'much' is not a percentage"):
        takings.generate(tmp_path, 10, dirty="much")
    with pytest.raises(AttributeError, match="has no attribute 'colour'"):
        takings.colour  # noqa: B018  # type: ignore[attr-defined]


def test_violations_are_limited_and_counted(tmp_path: Path) -> None:
    """A broken export may have millions."""
    (tmp_path / "bad.csv").write_bytes(csv_of(*(order(id_, num_of_item=0) for id_ in range(5))))
    (found,) = takings.validate(tmp_path / "bad.csv", most=2)
    assert (len(found.violations), found.violations_in_all) == (2, 5)


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any file is validated."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "a.csv").write_bytes(csv_of(order(1)))
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UnreadableFile, match=r"a\.csv: it cannot be read: Permission denied"):
        takings.validate(str(tmp_path / "a.csv"))
