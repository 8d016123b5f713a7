"""Damaged files: nothing crashes, shifts or vanishes, and each damaged record is named with its physical line.

The suite tries the same few files every time. `DEPTH=20 pytest tests/mutation` tries 55 times as many, new ones each time;
Hypothesis prints a failing file, reduced, as the test's argument.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import duckdb
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from takings.adapters.duckdb.session import open_duckdb
from takings.adapters.duckdb.validation import DuckDbValidation
from takings.batch.validate_file import validate_file
from takings.contracts import load_contracts
from takings.contracts.file_format import USUAL, FileFormat
from takings.contracts.model import Contracts, Dataset
from takings.intake.arrivals import Arrival
from takings.ports import ValidationEngine
from takings.time_zones import business_time
from takings.validation.findings import ChunkReport, FaultyRecord, FileReport, RecordCounts
from takings.validation.verdicts import RejectionPolicy, Tolerance
from tests.depth import DEPTH, examples
from tests.mutation.damage import KEYS, VALID, Damaged, damaged_files, written
from tests.mutation.formats import formatted_files
from tests.shop import NOON
from tests.worths import contracts_of_worth

# Tracing every line makes these half as fast; other tests cover what they run.
pytestmark = pytest.mark.no_cover

CONTRACTS: Final = load_contracts(None)
#: a file takes 0.05 to 0.1 s on both engines
TRIED: Final = settings(
    max_examples=examples(40, 110),
    derandomize=DEPTH == 1,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@dataclass(frozen=True, kw_only=True)
class Examined:
    """What an engine made of a file."""

    report: FileReport
    faulty: tuple[FaultyRecord, ...]
    chunks: tuple[ChunkReport, ...]
    #: (line, values by column) of every staged row; None if the file was not read
    staged: tuple[tuple[int, Mapping[str, Any]], ...] | None


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What is needed to validate files."""

    duck: duckdb.DuckDBPyConnection
    folder: Path
    has_pandas: bool

    def duckdb(self) -> ValidationEngine:
        """Return the default engine."""
        return DuckDbValidation(self.duck, business_time("UTC"))

    def pandas(self, chunk_size: int) -> ValidationEngine:
        """Return the other engine, which reads this many records at a time."""
        engine: ValidationEngine = import_module("takings.adapters.pandas.validation").PandasValidation(
            self.duck, business_time("UTC"), chunk_size=chunk_size
        )
        return engine

    def examine(
        self,
        engine: ValidationEngine,
        dataset: Dataset,
        content: bytes,
        name: str = "a.csv",
        policy: RejectionPolicy = RejectionPolicy.ROW,
        file: FileFormat = USUAL,
        contracts: Contracts = CONTRACTS,
    ) -> Examined:
        """Validate a file; under policy "row" every row may be bad."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        path, staged = self.folder / name, self.folder / "out" / "staged.parquet"
        path.write_bytes(content)
        validated = validate_file(
            engine,
            replace(contracts, by_dataset={**contracts.by_dataset, dataset: replace(contracts[dataset], file=file)}),
            Arrival(key=f"raw-data/{name}", dataset=dataset, file=name, size=len(content), etag="", version=NOON),
            path,
            now=NOON,
            tolerance=Tolerance(policy=policy, max_rejected=Decimal(100)),
            workspace=self.folder / "work",
            staged=staged,
            original_of=lambda _: None,
        )
        return Examined(
            report=validated.report,
            faulty=tuple(validated.faulty_records()),
            chunks=validated.chunks,
            staged=self._rows(staged, list(contracts[dataset].stored)) if staged.exists() else None,
        )

    def _rows(self, staged: Path, columns: Sequence[str]) -> tuple[tuple[int, Mapping[str, Any]], ...]:
        result = self.duck.execute(f"from read_parquet('{staged}', file_row_number = true) order by file_row_number")
        names = [column[0] for column in result.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
        return tuple(
            (row.get("_line", row["file_row_number"] + 2), {column: row[column] for column in columns}) for row in rows
        )


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Open DuckDB as Takings does, and check whether pandas is installed."""
    try:
        import_module("takings.adapters.pandas.validation")
        has_pandas = True
    except ImportError:
        has_pandas = False
    folder = tmp_path_factory.mktemp("mutation")
    with closing(open_duckdb("400MB", 1, folder / "spill")) as connection:
        yield Bench(duck=connection, folder=folder / "bench", has_pandas=has_pandas)


@pytest.fixture(scope="module")
def undamaged(bench: Bench) -> dict[Dataset, dict[str, Mapping[str, Any]]]:
    """Return the stored values of every row of the valid files, by key."""
    stored = {}
    for dataset, rows in VALID.items():
        content = "\n".join([",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]).encode()
        examined = bench.examine(bench.duckdb(), dataset, content)
        assert examined.report.records == RecordCounts(read=len(rows), accepted=len(rows))
        stored[dataset] = {str(values[KEYS[dataset]]): values for _, values in examined.staged or ()}
    return stored


@given(damaged=damaged_files(), chunk_size=st.integers(1, 4), policy=st.sampled_from(["file", "row"]))
@TRIED
def test_damage_is_named_where_it_is_and_nothing_else_moves(
    bench: Bench,
    undamaged: dict[Dataset, dict[str, Mapping[str, Any]]],
    damaged: Damaged,
    chunk_size: int,
    policy: str,
) -> None:
    """Verdict, accounting, every line and every stored value are what the damage predicts, on every engine."""
    note(repr(damaged.content[:2000]))
    engines = [bench.duckdb()] + ([bench.pandas(chunk_size)] if bench.has_pandas else [])
    for engine in engines:
        examined = bench.examine(engine, damaged.dataset, damaged.content, damaged.name, RejectionPolicy(policy))
        check_verdict(damaged, examined, policy)
        if not damaged.is_untold:
            check_lines(damaged, examined)
        if damaged.fault is None:
            check_rows(damaged, examined, undamaged[damaged.dataset])


@given(formatted=formatted_files(), chunk_size=st.integers(1, 4), policy=st.sampled_from(["file", "row"]))
@TRIED
def test_damage_is_found_in_files_of_any_format(
    bench: Bench,
    undamaged: dict[Dataset, dict[str, Mapping[str, Any]]],
    formatted: tuple[Damaged, FileFormat],
    chunk_size: int,
    policy: str,
) -> None:
    """Delimiter, encoding and skipped lines change only the line numbers."""
    damaged, file = formatted
    note(f"{file}\n{damaged.content[:2000]!r}")
    engines = [bench.duckdb()] + ([bench.pandas(chunk_size)] if bench.has_pandas else [])
    for engine in engines:
        examined = bench.examine(engine, damaged.dataset, damaged.content, damaged.name, RejectionPolicy(policy), file)
        check_verdict(damaged, examined, policy)
        if not damaged.is_untold:
            check_lines(damaged, examined)
        if damaged.fault is None:
            check_rows(damaged, examined, undamaged[damaged.dataset])


def check_verdict(damaged: Damaged, examined: Examined, policy: str) -> None:
    """Check verdict and accounting."""
    report = examined.report
    is_taken = damaged.fault is None and (policy == "row" or not damaged.bad)
    read = 0 if damaged.is_untold else damaged.read
    copies = damaged.copies if is_taken else 0
    rejected = len(damaged.bad) if is_taken else read
    assert (report.verdict.value, report.records) == (
        "accepted" if is_taken else "rejected",
        RecordCounts(read=read, accepted=read - rejected - copies, rejected=rejected, identical_duplicates=copies),
    )
    if damaged.fault is not None:
        assert dict(report.errors) == {damaged.fault: 1}
    else:
        drift = {rule for rule in report.warnings if rule.endswith("|extra_column")}
        assert drift == {f"{column}|extra_column" for column in damaged.drift}


def check_lines(damaged: Damaged, examined: Examined) -> None:
    """Check that exactly the damaged records are named, each with its line and the first rule that it breaks."""
    is_checked = damaged.fault is None
    rejected = [record for record in examined.faulty if record.is_rejected]
    expected = [
        (line, rule)
        for line, rule in damaged.bad
        if is_checked or (rule is not None and rule.startswith(("record|", "file|unterminated")))
    ]
    assert [record.line for record in rejected] == [line for line, _ in expected]
    for record, (_, rule) in zip(rejected, expected, strict=True):
        assert rule is None or rule in [violation.rule for violation in record.violations]
        assert all(violation.line == record.line for violation in record.violations)


def check_rows(damaged: Damaged, examined: Examined, undamaged: Mapping[str, Mapping[str, Any]]) -> None:
    """Check that every other row is stored as in the undamaged file, with its line."""
    assert examined.staged is not None
    key = KEYS[damaged.dataset]
    stored = {str(values[key]): (line, values) for line, values in examined.staged}
    assert len(stored) == len(examined.staged)
    assert stored == {found: (line, {**undamaged[found], **changed}) for found, (line, changed) in damaged.good.items()}


#: what confuses readers, and some letters
SPECIAL: Final = [
    b",",
    b'"',
    b'""',
    b"\n",
    b"\r",
    b"\r\n",
    b"\0",
    b"\xff",
    b"\xc3",
    b"\xef\xbb\xbf",
    b"1",
    b"-",
    b" ",
    b".",
    b"x",
]


@given(
    dataset=st.sampled_from(list(Dataset)),
    edits=st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 3), st.sampled_from([b"", *SPECIAL])), min_size=1, max_size=6
    ),
    chunk_size=st.integers(1, 4),
)
@TRIED
def test_noise_is_judged_alike_by_both_engines(
    bench: Bench, dataset: Dataset, edits: list[tuple[float, int, bytes]], chunk_size: int
) -> None:
    """Whatever the bytes, no engine raises, the accounting is exact, and chunk size and engine make no difference."""
    content = b"".join(written(line) + b"\n" for line in [list(VALID[dataset][0]), *map(texts, VALID[dataset])])
    for where, removed, inserted in edits:
        at = int(where * len(content))
        content = content[:at] + inserted + content[at + removed :]
    note(repr(content))
    one = bench.examine(bench.duckdb(), dataset, content)
    assert sum(record.is_rejected for record in one.faulty) == one.report.records.rejected or not one.chunks
    assert len(one.staged or ()) == one.report.records.accepted
    if bench.has_pandas:
        assert bench.examine(bench.pandas(chunk_size), dataset, content) == one


#: what items say about their worth: of each role, and of none
WORTHS: Final = ("3,2.50,", ",,0", "999999999,0.0000000000000001,1.5", "0,,", "007,20,", ",0.00,3", "2,,0.5")


@pytest.fixture(scope="module")
def of_worth(tmp_path_factory: pytest.TempPathFactory) -> Contracts:
    """Return contracts with every role, and items that may have their order's status."""
    return load_contracts(Path(contracts_of_worth(tmp_path_factory.mktemp("worth"), optional=("status",))))


@given(
    edits=st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 3), st.sampled_from([b"", b"9", *SPECIAL])), min_size=1, max_size=6
    ),
    chunk_size=st.integers(1, 4),
)
@TRIED
def test_noise_about_an_items_worth_is_judged_alike(
    bench: Bench, of_worth: Contracts, edits: list[tuple[float, int, bytes]], chunk_size: int
) -> None:
    """Whichever quantities, discounts, refunds and statuses are hit: both engines stage the same amounts."""
    rows = VALID[Dataset.ORDER_ITEMS]
    cells = (",".join(texts(row)) + f",{worth}\n" for row, worth in zip(rows, WORTHS, strict=True))
    noisy = (",".join([*rows[0], "qty,taken_off,paid_back\n"]) + "".join(cells)).encode()
    for where, removed, inserted in edits:
        at = int(where * len(noisy))
        noisy = noisy[:at] + inserted + noisy[at + removed :]
    note(repr(noisy))
    one = bench.examine(bench.duckdb(), Dataset.ORDER_ITEMS, noisy, contracts=of_worth)
    assert len(one.staged or ()) == one.report.records.accepted
    assert all(row["_amount"] is not None for _, row in one.staged or ())
    if bench.has_pandas:
        assert bench.examine(bench.pandas(chunk_size), Dataset.ORDER_ITEMS, noisy, contracts=of_worth) == one


def texts(row: Mapping[str, object]) -> list[str]:
    """Return a row's fields."""
    return [str(value) for value in row.values()]
