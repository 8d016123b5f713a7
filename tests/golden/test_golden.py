r"""Every way to be bad, and every way to be odd but good: one small file each, in -> out, on every engine.

A case is a YAML file under validation/:

    says       what it shows
    dataset    whose contract applies
    columns    keys that are added to columns of the dataset's shipped contract
    file       its name, a.csv by default, or its path; one that ends in .gz is compressed and then loses its last `cut` bytes
    input      its text, written in `encoding` (UTF-8 by default), or
    bytes      its bytes, one character each: "\xFF" is the byte 255
    takingsFile                          what the dataset's contract says about its files
    time_zone, policy, max_rejected      as in the settings
    roles, optional      of columns of items, if the contract is not the shipped one
    versioned, replaces      datasets with takingsVersion: updated_at; whether order_items have takingsReplaces: order_id
    expected   verdict, records (read, accepted, rejected, identical duplicates), errors, warnings, reason,
               violations (`line rule`) and stored, a CSV of line and stored values, empty if there is none

`<<x*1024>>` stands for 1,024 times x.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import duckdb
import pytest
import yaml

from takings.adapters.duckdb.session import open_duckdb
from takings.adapters.duckdb.source_rows import DuckDbSources
from takings.batch.validate_one import validate_one
from takings.contracts import load_contracts
from takings.contracts.model import Contracts, Dataset
from takings.intake.arrivals import Arrival
from takings.layout import BatchId
from takings.ports import FileToValidate, ValidationEngine
from takings.time_zones import business_time
from takings.validation import file_kinds
from takings.validation.findings import Verdict
from takings.validation.validated import ValidatedFile
from takings.validation.verdicts import RejectionPolicy, Tolerance
from tests.contract_options import write_contracts
from tests.mapped_contracts import mapped
from tests.shop import NOON
from tests.worths import contracts_of_worth

CONTRACTS: Final = load_contracts(None)
CASES: Final = Path(__file__).with_name("validation")
ENGINES: Final = {
    "duckdb": ("takings.adapters.duckdb.validation", "DuckDbValidation"),
    "pandas": ("takings.adapters.pandas.validation", "PandasValidation"),
}


@pytest.fixture(scope="module")
def duck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open DuckDB as Takings does."""
    with closing(open_duckdb("400MB", 1, tmp_path_factory.mktemp("duckdb") / "spill")) as connection:
        yield connection


@pytest.fixture(params=list(ENGINES), scope="module")
def engine_name(request: pytest.FixtureRequest) -> str:
    """Return each engine's name; skip one that is not installed."""
    pytest.importorskip(ENGINES[request.param][0], exc_type=ImportError)
    return str(request.param)


def engine_of(name: str, duck: duckdb.DuckDBPyConnection, time_zone: str) -> ValidationEngine:
    """Return an engine with a business time zone."""
    module, cls = ENGINES[name]
    engine: ValidationEngine = getattr(import_module(module), cls)(duck, business_time(time_zone))
    return engine


def repeated(text: str) -> str:
    """Return the text with its repeats written out."""
    return re.sub(r"<<(.+?)\*(\d+)>>", lambda match: match[1] * int(match[2]), text, flags=re.DOTALL)


@cache
def contracts_with(versioned: tuple[str, ...], *, replaces: bool) -> Contracts:
    """Return the shipped contracts, or contracts that say which rows count."""
    if not (versioned or replaces):
        return CONTRACTS
    with TemporaryDirectory(prefix="takings contracts ") as folder:
        write_contracts(Path(folder) / "contracts", versioned=versioned, replaces=replaces)
        return load_contracts(Path(folder) / "contracts")


def content_of(case: Mapping[str, Any]) -> bytes:
    """Return the bytes of a case's file."""
    if "bytes" in case:
        content = repeated(case["bytes"]).encode("latin-1")
    else:
        content = repeated(case["input"]).encode(case.get("encoding", "utf-8"))
    if case.get("file", "a.csv").lower().endswith(".gz") and not case.get("is_plain", False):
        compressed = gzip.compress(content, mtime=0)
        return compressed[: len(compressed) - case.get("cut", 0)]
    return content


def contracts_of(case: Mapping[str, Any]) -> Contracts:
    """Return the shipped contracts, with the case's dataset changed as the case says."""
    if not {"columns", "takingsFile"} & set(case):
        return CONTRACTS
    dataset = Dataset(case["dataset"])
    contract = mapped(dataset, case.get("columns", {}), case.get("takingsFile"))
    return replace(CONTRACTS, by_dataset={**CONTRACTS.by_dataset, dataset: contract})


def shown(value: object) -> str:
    """Return a stored value as cases write it."""
    match value:
        case None:
            return ""
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case Decimal():
            text = f"{value:f}"
            return text.rstrip("0").rstrip(".") if "." in text else text
    return str(value)


def stored_in(staged: Path, columns: list[str], duck: duckdb.DuckDBPyConnection) -> list[list[str]]:
    """Return these columns of the staged rows, in the file's order; without `_line`, record i is on line i + 2."""
    with duck.cursor() as cursor:
        result = cursor.execute(f"select * from read_parquet('{staged}', file_row_number = true)")
        names = [column[0] for column in result.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    for row in rows:
        row["line"] = row.get("_line", row["file_row_number"] + 2)
    return [[shown(row[column]) for column in columns] for row in sorted(rows, key=lambda row: row["file_row_number"])]


def outcome(
    validated: ValidatedFile, staged: Path, expected: Mapping[str, Any], duck: duckdb.DuckDBPyConnection
) -> dict[str, Any]:
    """Return the result in the terms of a case, as far as the case states one."""
    report = validated.report
    counts = report.records
    found: dict[str, Any] = {
        "verdict": report.verdict.value,
        "records": [counts.read, counts.accepted, counts.rejected, counts.identical_duplicates],
        "errors": dict(report.errors),
        "warnings": dict(report.warnings),
        "violations": [
            f"{violation.line} {violation.rule}"
            for record in validated.faulty_records()
            for violation in record.violations
        ],
    }
    if "reason" in expected:
        found["reason"] = report.reason
    if "stored" in expected:
        found["stored"] = stored_in(staged, next(csv.reader(io.StringIO(expected["stored"]))), duck)
    return found


def check_counts(validated: ValidatedFile) -> None:
    """Check that reports, chunks and violations agree; a fault of the whole file is in the report only."""
    rules = Counter(violation.rule for record in validated.faulty_records() for violation in record.violations)
    chunked: Counter[str] = Counter()
    for chunk in validated.chunks:
        chunked.update(chunk.counts)
        assert sum(chunk.counts.values()) == len(chunk.samples)
    if validated.chunks:
        assert chunked == rules
        found = {**validated.report.errors, **validated.report.warnings}
        assert {rule: found.get(rule) for rule in rules} == dict(rules)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.relative_to(CASES).with_suffix("").as_posix())
        for path in sorted(CASES.rglob("*.yaml"))
    ],
)
def test_golden(path: Path, engine_name: str, duck: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """Each input has the expected result."""
    case = read_case(path, tmp_path)
    (tmp_path / case.file.arrival.file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / case.file.arrival.file).write_bytes(case.content)
    staged = tmp_path / "staged.parquet"
    validated = validate_one(
        case.file,
        engine_of(engine_name, duck, case.time_zone),
        DuckDbSources("400MB"),
        tmp_path / case.file.arrival.file,
        workspace=tmp_path / "work",
        staged={Dataset(case.file.arrival.dataset): staged},
    )
    case.check(validated, staged, duck)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One input and its expected result."""

    file: FileToValidate
    content: bytes
    time_zone: str
    expected: Mapping[str, Any]

    def check(self, validated: ValidatedFile, staged: Path, duck: duckdb.DuckDBPyConnection) -> None:
        """Compare a result with the expected one."""
        expected = {"errors": {}, "warnings": {}, "violations": [], **self.expected}
        if "stored" in expected:
            expected["stored"] = list(csv.reader(io.StringIO(repeated(expected["stored"]))))[1:]
        assert outcome(validated, staged, self.expected, duck) == expected
        assert "stored" in expected or validated.report.verdict is Verdict.REJECTED
        check_counts(validated)


def read_case(path: Path, folder: Path) -> Case:
    """Read a case; contracts of its own are written to the folder."""
    case = yaml.safe_load(path.read_text(encoding="utf-8"))
    dataset, file = Dataset(case["dataset"]), case.get("file", "a.csv")
    contracts = contracts_of(case)
    if "roles" in case:
        own = contracts_of_worth(folder / "contracts", case["roles"], optional=tuple(case.get("optional", ())))
        contracts = load_contracts(Path(own))
    if "versioned" in case or "replaces" in case:
        contracts = contracts_with(tuple(case.get("versioned", ())), replaces=case.get("replaces", False))
    return Case(
        file=FileToValidate(
            batch_id=BatchId("b1"),
            place=0,
            arrival=Arrival(
                key=f"raw-data/{dataset}/{file}", dataset=dataset, file=file, size=0, etag="", version=NOON
            ),
            contracts=contracts,
            source=None,
            now=NOON,
            tolerance=Tolerance(
                policy=RejectionPolicy(case.get("policy", "file")), max_rejected=Decimal(case.get("max_rejected", "1"))
            ),
        ),
        content=content_of(case),
        time_zone=case.get("time_zone", "UTC"),
        expected=case["expected"],
    )


def test_every_rule_has_a_case() -> None:
    """Every rule of the shipped contracts has one, except those on times that items may break, and every structural rule."""
    named = "\n".join(path.read_text(encoding="utf-8") for path in CASES.rglob("*.yaml"))
    rules = {rule.id for dataset in Dataset for rule in CONTRACTS[dataset].rules}
    structural = {
        f"record|{kind}"
        for kind in (
            "stray_quote",
            "text_after_quote",
            "stray_carriage_return",
            "nul_byte",
            "encoding",
            "field_count",
            "too_large",
        )
    } | {
        f"file|{kind}"
        for kind in (
            "empty",
            "encoding",
            "line_ends",
            "header",
            "duplicate_header",
            "unterminated_quote",
            "compression",
            "inflation",
            "no_records",
            "byte_order_mark",
            "sep_line",
            "lines_above_header",
            "skipped_header",
            "delimiter",
            "other_dataset",
            "part_of_orders",
            *(rule.removeprefix("file|") for rule in file_kinds.REMEDIES),
        )
    }
    waiting = {"order_id|in_orders", "product_id|in_products"}
    assert sorted(rule for rule in (rules | structural) - waiting if rule not in named) == []
