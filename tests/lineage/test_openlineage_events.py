"""Every batch is told to a catalogue of lineage, as OpenLineage has it; a catalogue that is down stops nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import takings
from takings.batch import publish
from takings.errors import InvariantBreach, SettingsError, StoreError
from takings.runs import pipeline
from takings.settings import merge_settings
from tests.notices.servers import free_port, web_server
from tests.shop import csv_of, drop, drop_all, opened, order, run

pytest.importorskip("openlineage.client", reason="the extra takings[openlineage] is not installed")

Event = dict[str, Any]


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Work in a folder without settings."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


def emitted(root: Path, **settings: Any) -> list[Event]:
    """Run a store with a file for events; return what is in it."""
    run(root, openlineage=f"file:{root.parent}/lineage.jsonl", **settings)
    return [json.loads(line) for line in (root.parent / "lineage.jsonl").read_text().splitlines()]


def by_name(datasets: list[Event], root: Path) -> Mapping[str, Event]:
    """Return datasets by their names within the store."""
    assert {each["namespace"] for each in datasets} <= {"file"}
    return {each["name"].removeprefix(f"{root.resolve()}/"): each for each in datasets}


def test_a_batch_is_a_run_with_a_beginning_and_an_end(root: Path) -> None:
    """Both have the same run and job; the instants are the batch's."""
    started, done = emitted(drop_all(root))
    assert [event["eventType"] for event in (started, done)] == ["START", "COMPLETE"]
    assert started["run"]["runId"] == done["run"]["runId"]
    assert started["job"]["namespace"] == "takings"
    assert started["job"]["name"] == done["job"]["name"] == str(root.resolve())
    assert started["eventTime"] < done["eventTime"]
    assert {event["producer"] for event in (started, done)} == {f"urn:takings:{takings.__version__}"}
    assert done["run"]["facets"]["processing_engine"]["version"] == takings.__version__


def test_inputs_are_the_files_with_schema_and_rows(root: Path) -> None:
    """The first event knows their sizes, the last what was read."""
    started, done = emitted(drop_all(root))
    keys = {"raw-data/products/a.csv", "raw-data/orders/a.csv", "raw-data/order-items/a.csv"}
    assert by_name(started["inputs"], root).keys() == by_name(done["inputs"], root).keys() == keys
    orders = by_name(done["inputs"], root)["raw-data/orders/a.csv"]
    assert orders["inputFacets"]["inputStatistics"]["rowCount"] == 3
    assert {"name": "created_at", "type": "TIMESTAMP"}.items() <= next(
        field for field in orders["facets"]["schema"]["fields"] if field["name"] == "created_at"
    ).items()


def test_outputs_are_tables_and_kpis_with_rows_and_the_commit(root: Path) -> None:
    """As many rows as were accepted, as many keys as were published."""
    (_, done) = emitted(drop_all(root))
    written = {
        name: (each["outputFacets"]["outputStatistics"]["rowCount"], each["facets"]["version"]["datasetVersion"])
        for name, each in by_name(done["outputs"], root).items()
    }
    assert written == {
        "lake/products": (3, "1"),
        "lake/orders": (3, "1"),
        "lake/order_items": (3, "1"),
        "OrderKPIs": (2, "1"),
        "CategoryKPIs": (3, "1"),
    }
    kpis = by_name(done["outputs"], root)["OrderKPIs"]["facets"]["schema"]["fields"]
    assert [(field["name"], field["type"]) for field in kpis[:3]] == [
        ("order_date", "DATE"),
        ("total_orders", "BIGINT"),
        ("total_revenue", "DECIMAL(38, 2)"),
    ]


def test_rules_are_assertions_that_hold_or_not(root: Path) -> None:
    """With column, severity and how many records break them; a refused file writes nothing."""
    drop(root, "orders/bad.csv", csv_of(order(1, num_of_item=0), order(2, num_of_item=0), order(3)))
    (_, done) = emitted(root)
    (bad,) = done["inputs"]
    tried = {each["name"]: each for each in bad["inputFacets"]["dataQualityAssertions"]["assertions"]}
    failed = tried["num_of_item|at_least"]
    assert {name: failed[name] for name in ("assertion", "success", "column", "severity", "actual")} == {
        "assertion": "at_least",
        "success": False,
        "column": "num_of_item",
        "severity": "error",
        "actual": "2 records",
    }
    assert [name for name, each in tried.items() if not each["success"]] == ["num_of_item|at_least"]
    assert len(tried) > 10
    assert done["outputs"] == []


def test_a_fault_of_a_whole_file_is_an_assertion_about_no_column(root: Path) -> None:
    """An empty file is one; nothing was read of a duplicate."""
    drop(root, "orders/empty.csv", b"")
    emitted(drop_all(root))
    drop(root, "orders/copy.csv", (next(root.glob("processed/**/orders/a.csv"))).read_bytes())
    events = emitted(root)
    empty = by_name(events[1]["inputs"], root)["raw-data/orders/empty.csv"]
    (failed,) = [each for each in empty["inputFacets"]["dataQualityAssertions"]["assertions"] if not each["success"]]
    assert (failed["name"], failed.get("column")) == ("file|empty", None)
    (copy,) = events[3]["inputs"]
    assert "dataQualityAssertions" not in copy["inputFacets"]


def test_a_batch_that_is_given_up_is_aborted(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the reason; its files are pending again."""
    drop_all(root)
    path = root.parent / "lineage.jsonl"

    def fail(*_: object, **__: object) -> object:
        raise StoreError("no network")

    with opened(root, openlineage=f"file:{path}") as shop:
        monkeypatch.setattr(shop.ports.tables, "check_fit", fail)
        with pytest.raises(StoreError, match="no network"):
            pipeline.run(shop.ports, at_once=True)
    events = [json.loads(line) for line in path.read_text().splitlines()]
    assert [event["eventType"] for event in events] == ["START", "ABORT"]
    assert "no network" in events[1]["run"]["facets"]["errorMessage"]["message"]


def test_a_batch_that_is_blocked_has_failed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what contradicts itself."""

    def contradict(*_: object) -> None:
        raise InvariantBreach("revenue contradicts itself")

    monkeypatch.setattr(publish, "check_invariants", contradict)
    with pytest.raises(InvariantBreach):
        emitted(drop_all(root))
    events = [json.loads(line) for line in (root.parent / "lineage.jsonl").read_text().splitlines()]
    assert [event["eventType"] for event in events] == ["START", "FAIL"]
    assert events[1]["run"]["facets"]["errorMessage"]["message"] == "revenue contradicts itself"


def test_events_go_to_a_catalogue_over_http(root: Path) -> None:
    """By the official client's path, with the key."""
    with web_server(path="/api/v1/lineage") as catalogue:
        run(drop_all(root), openlineage=f"http://127.0.0.1:{catalogue.port}", openlineage_key="secret")
    assert [event["eventType"] for event in catalogue.came] == ["START", "COMPLETE"]
    assert {event["_headers"]["Authorization"] for event in catalogue.came} == {"Bearer secret"}


def test_a_catalogue_that_is_down_stops_no_batch(root: Path) -> None:
    """The batch is done and published; people are told which events are lost."""
    events: list[tuple[str, Mapping[str, object]]] = []
    shop = takings.open(
        drop_all(root), openlineage=f"http://127.0.0.1:{free_port()}", tell=lambda *event: events.append(event)
    )
    assert [batch.commit for batch in shop.run(now=True).batches] == [1]
    lost = [known for event, known in events if event == "lineage.not_sent"]
    assert len(lost) == 2
    assert {str(known["batch_id"]) for known in lost} == {str(shop.batches()[0].batch_id)}


def test_a_look_tells_nothing(root: Path) -> None:
    """Only batches are told."""
    emitted(drop_all(root))
    before = (root.parent / "lineage.jsonl").read_text()
    shop = takings.open(root, openlineage=f"file:{root.parent}/lineage.jsonl")
    shop.kpis()
    shop.verify()
    assert (root.parent / "lineage.jsonl").read_text() == before


@pytest.mark.parametrize("written", ["marquez.example.org", "ftp://example.org", ""])
def test_an_address_of_another_kind_is_refused(written: str) -> None:
    """Before a batch is formed."""
    with pytest.raises(SettingsError, match="openlineage"):
        merge_settings([("takings.toml", {"openlineage": written})])
