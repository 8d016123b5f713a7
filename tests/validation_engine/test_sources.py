"""Whatever a source's file contains, both engines decide alike, and every record is accounted for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from takings.adapters.duckdb.session import open_duckdb
from takings.adapters.duckdb.source_rows import DuckDbSources
from takings.adapters.duckdb.source_sql import checked
from takings.adapters.duckdb.validation import DuckDbValidation
from takings.adapters.pandas.validation import PandasValidation
from takings.batch.validate_source import SourceReader
from takings.contracts import load_contracts
from takings.contracts.datasets import SourceName
from takings.contracts.model import Contracts
from takings.intake.arrivals import Arrival
from takings.ports import ValidationEngine
from takings.time_zones import business_time
from takings.validation.findings import Verdict
from takings.validation.reports import chunk_document, file_document, violation_document
from tests.depth import examples
from tests.shop import NOON
from tests.till import EXPORT, contracts_with, till

TILL: Final = SourceName("till")
HEADER: Final = EXPORT.splitlines()[0]
#: possible fields of an export, good and bad
names = st.sampled_from(["#1001", "#1002", "#1003", "", "1001", '"#1\n004"'])
states = st.sampled_from(["paid", "voided", "lost", ""])
times = st.sampled_from(
    ["2026-04-05 23:30:00 +0500", "2026-04-06", "05.04.2026 23:30", "", "2999-01-01 00:00:00 +0000"]
)
counts = st.sampled_from(["1", "2", "-1", "x", "", "999999999999"])
things = st.sampled_from(["Mug", "Tray", '"a, ""b"""', "", "é", "x" * 1100])
prices = st.sampled_from(["10.00", "0", "-1.00", "ten", "", "1e3", "9999999999999999"])
records = st.lists(st.tuples(names, states, times, counts, things, prices), max_size=9)
#: bytes that are inserted anywhere in the file
bits = st.sampled_from([b"", b"", b'"', b"\n", b",", b"\x00", b"\xff", b"\r", b"\r\n", b"\xef\xbb\xbf"])


@dataclass(frozen=True)
class Bench:
    """What is needed to validate files of the source."""

    duck: duckdb.DuckDBPyConnection
    contracts: Contracts

    def engines(self) -> list[ValidationEngine]:
        """Return both engines; pandas reads three records at a time."""
        zone = business_time("UTC")
        return [DuckDbValidation(self.duck, zone), PandasValidation(self.duck, zone, chunk_size=3)]

    def examine(self, engine: ValidationEngine, content: bytes) -> dict[str, Any]:
        """Return everything reported about a file, and its staged rows."""
        with TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "a.csv").write_bytes(content)
            reader = SourceReader(
                validation=engine,
                engine=DuckDbSources("200MB"),
                contracts=self.contracts,
                source=self.contracts.sources.by_name[TILL],
                now=NOON,
            )
            arrival = Arrival(key="a.csv", dataset=TILL, file="a.csv", size=len(content), etag="", version=NOON)
            staged = {dataset: folder / f"{dataset}.parquet" for dataset in reader.source.datasets}
            found = reader.validate(
                arrival, folder / "a.csv", workspace=folder / "work", staged=staged, original_of=lambda _: None
            )
            chunks = {str(made): [chunk_document(chunk) for chunk in each] for made, each in found.made_chunks.items()}
            return {
                "report": file_document(found.report),
                "chunks": {"": [chunk_document(chunk) for chunk in found.chunks], **chunks},
                "violations": [
                    violation_document(each) for record in found.faulty_records() for each in record.violations
                ],
                "staged": {str(made): self._rows(path) for made, path in staged.items() if path.exists()},
            }

    def _rows(self, path: Path) -> list[tuple[Any, ...]]:
        columns = [row[0] for row in self.duck.execute(f"describe from '{path}'").fetchall()]
        shown = ", ".join(f'cast("{column}" as varchar)' for column in sorted(columns))
        return self.duck.execute(f"select {shown} from '{path}' order by all").fetchall()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Open DuckDB as Takings does, and load the source."""
    folder = tmp_path_factory.mktemp("till")
    contracts = checked(load_contracts(contracts_with(folder / "contracts", till=till())))
    with closing(open_duckdb("200MB", 1, folder / "spill")) as duck:
        yield Bench(duck, contracts)


@pytest.mark.no_cover
@settings(max_examples=examples(12, 40), deadline=None)
@given(rows=records, bit=bits, place=st.integers(0, 400))
def test_both_engines_tell_the_same_of_any_file(
    bench: Bench, rows: list[tuple[str, ...]], bit: bytes, place: int
) -> None:
    """No file makes the SQL fail or is taken in part, and every record and every row it yields is accounted for."""
    content = b"\n".join([HEADER, *(",".join((*row, "Acme")).encode() for row in rows), b""])
    place = min(place, len(content))
    content = content[:place] + bit + content[place:]
    one, other = (bench.examine(engine, content) for engine in bench.engines())
    assert one == other
    report = one["report"]
    counts = report["records"]
    assert not any(rule.endswith("sql|sql") for rule in report["errors"]), report["reason"]
    made = report.get("datasets", {})
    for dataset, found in made.items():
        assert found["records"]["read"] == sum(chunk["records"] for chunk in one["chunks"][dataset])
        assert found["errors"] == {
            rule.removeprefix(f"{dataset}."): count
            for rule, count in report["errors"].items()
            if rule.startswith(f"{dataset}.")
        }
    is_taken = report["verdict"] == Verdict.ACCEPTED
    assert is_taken is not bool(report["errors"])
    assert counts["accepted" if is_taken else "rejected"] == counts["read"]
    if made:
        lines = content.count(b"\n") + content.count(b"\r") + 1
        assert all(1 < violation["line"] <= lines for violation in one["violations"]), json.dumps(one)
        errors = {rule for rule in report["errors"] if not rule.startswith("file|")}
        assert {violation["rule"] for violation in one["violations"]} >= errors
