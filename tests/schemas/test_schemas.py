"""Every JSON document of a store and of the command line keeps to its JSON Schema in the package."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout, suppress
from importlib import resources
from pathlib import Path
from typing import Any, Final

import pytest
from jsonschema import Draft202012Validator

from takings.entrypoints import cli
from takings.intake.batching import Dispatch
from takings.intake.gate import GateState
from takings.kpis import KpiTable, load_kpi_tables
from takings.layout import BatchId
from takings.ports import Message, Ports
from takings.queries.news import NewsRules
from takings.runs import pipeline, steps
from takings.runs.notify import notify
from tests.shop import PRODUCTS, csv_of, drop, drop_all, item, new_store, opened, order, run
from tests.till import EXPORT, contracts_with, till
from tools.kpi_schemas import file_of, schema_with

SCHEMAS: Final[dict[str, Any]] = {
    file.name.removesuffix(".schema.json"): json.loads(file.read_text(encoding="utf-8"))
    for file in sorted((resources.files("takings") / "schemas").iterdir(), key=lambda file: file.name)
    if file.name.endswith(".schema.json")
}
#: where a store keeps each document
FILES: Final = {
    "manifest": "batches/*/manifest.json",
    "attempt": "batches/*/attempt-*.json",
    "verdicts": "batches/*/verdicts.json",
    "changes": "batches/*/changes.json",
    "affected": "batches/*/affected.json",
    "gaps": "batches/*/gaps.json",
    "refused": "batches/*/refused.json",
    "published": "batches/*/published.json",
    "outcome": "batches/*/outcome.json",
    "commit": "lake/commits/*.json",
    "lake-format": "lake/format.json",
    "chunk-report": "validation-reports/**/chunk-*.json",
    "file-report": "validation-reports/**/summary.json",
    "reason": "failed/**/*.reason.json",
    "notice": "notices/**/*.json",
}
#: what only a store on AWS has; tests/aws checks it
OF_AWS: Final = {"athena", "aws-export"}
BAD_ITEMS: Final = csv_of(item(4, 1, sale_price="0"), item(5, 1)) + b"6\n"


def takings(*arguments: object) -> str:
    """Run a command as a shell would, and return what it prints."""
    printed = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")
    with pytest.MonkeyPatch.context() as patched, redirect_stdout(printed), suppress(SystemExit):
        patched.setattr(sys, "argv", ["takings", *map(str, arguments)])
        cli.main()
    printed.seek(0)
    return printed.read()


def claim_in_steps(ports: Ports) -> BatchId:
    """Take what is pending through the gate, as the state machine does."""
    gate = ports.ledger.gate()
    _, decision = pipeline.look(ports, gate, at_once=True)
    assert isinstance(decision, Dispatch)
    claimed = pipeline.claim_batch(ports, gate, decision.drops)
    assert claimed is not None
    return BatchId(str(claimed.batch_id))


class Everyone:
    """Somebody who takes every message."""

    addresses = ("everyone",)

    def send(self, _: str, __: Message) -> None:
        """Take it."""


def tell_all(root: Path) -> None:
    """Tell what there is to tell, and note it."""
    with opened(root) as shop:
        notify(shop.ports, Everyone(), NewsRules.of(shop.settings), "shop")


def with_source(folder: Path, found: dict[str, list[Any]]) -> Path:
    """Return a store with a good and a bad file of a source, and add what is printed about it."""
    store = new_store(folder / "till")
    contracts = contracts_with(folder / "contracts", till=till())
    (store / "takings.toml").write_text(f'contracts = "{contracts}"\n', encoding="utf-8")
    drop(store, "till/a.csv", EXPORT)
    drop(store, "till/bad.csv", EXPORT.replace(b"Tray,10.00", b"Tray,ten"))
    found["status"].append(json.loads(takings("status", store, "--json")))
    found["run"].append(json.loads(takings("run", store, "--now", "--json")))
    (batch,) = (store / "batches").iterdir()
    found["batch"].append(json.loads(takings("batches", store, batch.name, "--json")))
    (failed,) = store.glob("failed/**/bad.csv")
    (folder / "raw-data" / "till").mkdir(parents=True)
    copy = shutil.copy(failed, folder / "raw-data" / "till")
    printed = takings("validate", copy, "--contracts", contracts, "--format", "json")
    found["validate"].append(json.loads(printed))
    return store


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """Return the documents of a store that has seen good and bad files under each policy, by schema."""
    folder = tmp_path_factory.mktemp("schemas")
    root = new_store(folder / "shop")
    found: dict[str, list[Any]] = {name: [] for name in SCHEMAS}

    def ask() -> None:
        for name, command in (
            ("run", ("run", root)),
            ("status", ("status", root)),
            ("batches", ("batches", root)),
            ("verify", ("verify", root)),
        ):
            found[name].append(json.loads(takings(*command, "--json")))

    ask()
    drop(root, "orders/a.csv", csv_of(order(1)))
    ask()
    drop_all(root)
    drop(root, "products/ignored.txt", PRODUCTS)
    ask()
    drop(root, "order-items/bad.csv", BAD_ITEMS)
    drop(root, "order-items/empty.csv", b"")
    drop(root, "order-items/copy.csv", csv_of(item(9, 404, colour="red")))
    drop(root, "order-items/copy 2.csv", csv_of(item(9, 404, colour="red")))
    found["run"].append(json.loads(takings("run", root, "--now", "--json")))
    drop(
        root,
        "orders/b.csv.gz",
        gzip.compress(csv_of(order(7, status="returned", returned_at=""), order(8, returned_at="")) + b"1\n"),
    )
    run(root, policy="row", max_rejected="50%")
    tell_all(root)
    drop(root, "orders/c.csv", csv_of(order(7, status="lost")))
    run(root, policy="strict")
    tell_all(root)
    ask()
    drop(root, "orders/d.csv", csv_of(order(9)))
    with opened(root) as shop:
        batch_id = claim_in_steps(shop.ports)
        steps.validate(shop.ports, batch_id, 1)
        steps.transform(shop.ports, batch_id, 1)
        steps.archive(shop.ports, batch_id, 1)
    with opened(root) as shop:
        gate = shop.ports.ledger.gate()
        shop.ports.ledger.change_gate(gate.blocked("a breach."))
    found["status"].append(json.loads(takings("status", root, "--json")))

    stores = (root, with_source(folder, found))
    for name, pattern in FILES.items():
        paths = [path for store in stores for path in sorted(store.glob(pattern))]
        found[name] += [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    found["broken-record"] += [
        json.loads(line)
        for path in root.glob("quarantine/**/*.broken.jsonl*")
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    found["batch"] += [
        json.loads(takings("batches", root, batch.name, "--json")) for batch in sorted((root / "batches").iterdir())
    ]
    for name, content in (("good.csv", csv_of(order(1))), ("bad.csv", BAD_ITEMS), ("empty.csv", b"")):
        (folder / name).write_bytes(content)
    for dataset, file in (("orders", "good.csv"), ("order_items", "bad.csv"), ("order_items", "empty.csv")):
        printed = takings("validate", folder / file, "--dataset", dataset, "--store", root, "--format", "json")
        found["validate"].append(json.loads(printed))
    (folder / "page.csv").write_bytes(b"<html>Log in</html>")
    found["validate"].append(json.loads(takings("validate", folder / "page.csv", "--format", "json")))
    for by in ("day", "category"):
        found[f"kpis-by-{by}"].append(json.loads(takings("kpis", root, "--by", by, "--format", "json")))
    for day in ("2025-03-30", "2025-03-31"):
        found["explain"].append(json.loads(takings("explain", root, day, "--format", "json")))
    return found


@pytest.mark.xdist_group("schemas")  # its store is made once
@pytest.mark.parametrize("name", sorted(SCHEMAS.keys() - OF_AWS))
def test_documents_keep_to_their_schema(documents: Mapping[str, list[Any]], name: str) -> None:
    """Every schema is used, and every document of its kind keeps to it."""
    Draft202012Validator.check_schema(SCHEMAS[name])
    validator = Draft202012Validator(SCHEMAS[name])
    assert documents[name], f"no document was checked against {name}"
    assert [
        f"{error.json_path}: {error.message}"
        for document in documents[name]
        for error in validator.iter_errors(document)
    ] == []


@pytest.mark.parametrize("name", list(SCHEMAS))
def test_schemas_are_strict(name: str) -> None:
    """An object has exactly the properties that its schema names; a document says which version it has."""
    schema = SCHEMAS[name]
    for part in parts(schema):
        if "properties" in part:
            assert part.get("additionalProperties") is False, part
    assert schema["$id"] == f"urn:takings:schema:{name}"
    if "schema_version" in schema.get("properties", {}):
        assert "schema_version" in schema["required"]


@pytest.mark.parametrize("table", load_kpi_tables(), ids=lambda table: table.name)
def test_schemas_of_kpis_list_the_columns_of_the_definitions(table: KpiTable) -> None:
    """After adding a column, write the schemas again: python -m tools.kpi_schemas --write."""
    text = file_of(table).read_text(encoding="utf-8")
    assert schema_with(text, table) == text


def parts(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of a schema."""
    if isinstance(schema, dict):
        yield schema
        for value in schema.values():
            yield from parts(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from parts(value)


def test_the_documents_show_what_schemas_allow(documents: Mapping[str, list[Any]]) -> None:
    """The store was dirty enough: every verdict, decision and kind of null occurred."""
    assert {file["verdict"] for verdicts in documents["verdicts"] for file in verdicts["files"]} == {
        "accepted",
        "rejected",
        "duplicate",
    }
    assert {"products", "till"} <= {file["dataset"] for verdicts in documents["verdicts"] for file in verdicts["files"]}
    assert {run["decision"] for run in documents["run"]} == {"NothingPending", "Hold", "WaitUntil"}
    assert {status["state"] for status in documents["status"]} >= {"IDLE", "WAITING", GateState.BLOCKED}
    assert {reason["violations"] == [] for reason in documents["reason"]} == {True, False}
    assert {violation["line"] for file in documents["validate"] for violation in file["files"][0]["violations"]} > {
        None
    }
    assert {row["avg_order_value"] for rows in documents["kpis-by-day"] for row in rows}
    assert {row["counted_as"] for explained in documents["explain"] for row in explained["rows"]} == {
        "net",
        "returned",
        "cancelled",
        "order without items",
    }
    assert {verified["commit"] is None for verified in documents["verify"]} == {True, False}
    assert {verified["differences"] == [] for verified in documents["verify"]} == {True, False}
