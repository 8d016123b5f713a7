"""A store whose files are not UTF-8 with commas: dropped, set aside, corrected and dropped again, on both engines."""

from __future__ import annotations

import csv
import json
from base64 import b64decode
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from takings.contracts.model import Dataset
from takings.validation.findings import Verdict
from tests.shop import ITEMS, ORDERS, PRODUCTS, drop, expected, files, new_store, published, run

#: how the shop writes all of its files
FORMAT = '{delimiter: ";", encoding: windows-1252, skipLines: 1, header: loose}'
TITLE = "Export für Müller & Söhne\r\n"


@pytest.fixture
def contracts(tmp_path: Path) -> str:
    """Write the shipped contracts with the shop's format."""
    folder = tmp_path / "contracts"
    folder.mkdir()
    for dataset in Dataset:
        name = f"{dataset}.odcs.yaml"
        text = resources.files("takings.contracts").joinpath(name).read_text(encoding="utf-8")
        custom = f"    customProperties:\n      - property: takingsFile\n        value: {FORMAT}\n"
        assert text.count("    properties:\n") == 1
        (folder / name).write_text(text.replace("    properties:\n", f"{custom}    properties:\n"), encoding="utf-8")
    return str(folder)


def as_written(content: bytes) -> bytes:
    """Return a file as the shop writes it: no field contains a comma or a quote."""
    header, _, rows = content.decode().replace(",", ";").partition("\n")
    return (TITLE + header.upper() + "\n" + rows).encode("windows-1252")


@pytest.mark.parametrize("engine", ["duckdb", "pandas"])
def test_set_aside_rows_are_mended_and_dropped_again(tmp_path: Path, contracts: str, engine: str) -> None:
    """The quarantine file is UTF-8 with commas, whatever the contract says, and its rows replace the bad ones."""
    pytest.importorskip(f"takings.adapters.{engine}.validation", exc_type=ImportError)
    options: dict[str, Any] = {
        "contracts": contracts,
        "validation_engine": engine,
        "policy": "row",
        "max_rejected": "100",
    }
    plain, root = new_store(tmp_path / "plain"), new_store(tmp_path / "root")
    products = PRODUCTS.replace(b"Books", "Bücher".encode())
    damaged = products.replace(b"\n2,", b"\nx,", 1)
    assert damaged != products
    for file, content in (("orders/a.csv", ORDERS), ("order-items/a.csv", ITEMS)):
        drop(plain, file, content)
        drop(root, file, as_written(content))
    drop(plain, "products/a.csv", products)
    drop(root, "products/a.csv", as_written(damaged) + "9;zerbr\u00f6chen\x81\r\n".encode("latin-1"))
    run(plain)
    reports = {report.dataset: report for report in run(root, **options).batches[0].reports}
    assert {report.verdict for report in reports.values()} == {Verdict.ACCEPTED}
    assert dict(reports[Dataset.PRODUCTS].errors) == {"id|type": 1, "record|encoding": 1}

    (aside,) = (root / name for name in files(root, "quarantine") if name.endswith(".csv"))
    text = aside.read_text(encoding="utf-8")
    header, row = csv.reader(text.splitlines())
    assert header[0] == "ID"
    assert (row[0], row[header.index("_takings_line")]) == ("x", "4")
    assert "id|type: " in row[header.index("_takings_reasons")]
    (broken,) = (root / name for name in files(root, "quarantine") if name.endswith(".broken.jsonl"))
    assert b64decode(json.loads(broken.read_text(encoding="utf-8"))["base64"]) == b"9;zerbr\xf6chen\x81"

    drop(root, "products/mended.csv", text.replace("\nx,", "\n2,").encode())
    (mended,) = run(root, **options).batches[0].reports
    assert (mended.verdict, dict(mended.errors), dict(mended.warnings)) == (Verdict.ACCEPTED, {}, {})
    assert published(root, **options) == published(plain) == expected(plain)
