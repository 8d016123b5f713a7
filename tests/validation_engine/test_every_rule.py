"""No kind of rule is forgotten: if an engine does not know it, that is a fault, not a rule that nobody checks."""

from __future__ import annotations

import re
import runpy
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest

import takings
from takings.contracts import Dataset, load_contracts, model
from takings.validation.remedies import remedy
from tests.shop import csv_of, drop, drop_all, item, run


@dataclass(frozen=True)
class Unheard:
    """A kind of check that exists in the model and nowhere else."""


@pytest.mark.parametrize(
    "module", ["takings.contracts.rules", "takings.adapters.duckdb.rules", "takings.adapters.pandas.rules"]
)
def test_a_kind_without_an_answer_stops_the_import(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the wording and in both engines: a shop's file is not the first to show it."""
    if "pandas" in module:
        pytest.importorskip("pandas")
    source = str(import_module(module).__file__)
    runpy.run_path(source)
    monkeypatch.setattr(model, "CHECKS", (*model.CHECKS, Unheard))
    with pytest.raises(NotImplementedError, match="has no answer to Unheard"):
        runpy.run_path(source)


def test_every_rule_of_records_and_files_has_a_remedy_of_its_own() -> None:
    """None uses the fallback "correct the value"."""
    source = Path(takings.__file__).parent
    known = {
        rule for path in source.rglob("*.py") for rule in re.findall(r'"((?:record|file)\|[a-z_]+)"', path.read_text())
    }
    assert len(known) > 12
    contract = load_contracts()[Dataset.ORDERS]
    assert [rule for rule in sorted(known) if remedy(contract, rule) == "correct the value"] == []


@pytest.mark.parametrize("engine", ["duckdb", "pandas"])
def test_a_bound_is_exact_to_the_last_digit(root: Path, tmp_path: Path, engine: str) -> None:
    """1E-16 would be a floating-point number in SQL."""
    contracts = tmp_path / "contracts"
    contracts.mkdir()
    for file in (Path(takings.__file__).parent / "contracts").glob("*.odcs.yaml"):
        text = file.read_text(encoding="utf-8")
        text = text.replace(
            "exclusiveMinimum: 0\n", "exclusiveMinimum: 0.0000000000000001\n", 1 if "items" in file.name else 0
        )
        (contracts / file.name).write_text(text, encoding="utf-8")
    drop_all(root)
    drop(root, "order-items/b.csv", csv_of(item(4, 1, sale_price="0.0000000000000001")))
    drop(root, "order-items/c.csv", csv_of(item(5, 1, sale_price="0.0000000000000002")))
    (batch,) = run(root, contracts=str(contracts), validation_engine=engine).batches
    assert {
        report.file: (report.verdict.value, dict(report.errors)) for report in batch.reports if report.file != "a.csv"
    } == {
        "b.csv": ("rejected", {"sale_price|greater_than": 1}),
        "c.csv": ("accepted", {}),
    }
