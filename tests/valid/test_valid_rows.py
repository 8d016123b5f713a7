"""Whatever the contract allows, the store can publish: no batch of valid rows is refused, is blocked or fails."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from takings.intake.gate import GateState
from takings.queries.verification import verify
from takings.runs import pipeline
from tests.depth import examples
from tests.shop import drop, new_store, opened
from tests.valid.contracts import ContractSpec, contracts
from tests.valid.rows import DroppedFile, batches

# Tracing every line makes these half as fast again; what they run is covered by tests of its own.
pytestmark = pytest.mark.no_cover

ZONES: Final = ("UTC", "Pacific/Auckland", "America/New_York")


def verdict(file: DroppedFile, spec: ContractSpec, seen: set[tuple[str, bytes]]) -> str:
    """Return the verdict on a file of valid rows: accepted, or a duplicate if its dataset already had the same bytes."""
    dataset = file.file.partition("/")[0].replace("-", "_")
    is_known = (dataset, file.content) in seen
    seen.add((dataset, file.content))
    return "duplicate" if is_known and dataset not in spec.versions else "accepted"


@pytest.mark.parametrize("engine", ["duckdb", "pandas"])
def test_no_batch_of_valid_rows_is_refused_or_blocked(engine: str) -> None:
    """Any contract that the loader accepts, any rows that follow it, in one batch or two; the numbers verify."""

    @settings(max_examples=examples(3, 6), derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        spec = data.draw(contracts())
        drops = data.draw(batches(spec))
        zone = data.draw(st.sampled_from(ZONES))
        folder = Path(tempfile.mkdtemp())
        try:
            options: dict[str, Any] = {
                "contracts": spec.write(folder / "contracts"),
                "time_zone": zone,
                "validation_engine": engine,
            }
            root = new_store(folder / "shop")
            seen: set[tuple[str, bytes]] = set()
            for batch in drops:
                for each in batch:
                    drop(root, each.file, each.content)
                with opened(root, **options) as shop:
                    (outcome,) = pipeline.run(shop.ports, at_once=True).batches
                    assert {report.key: (report.verdict.value, dict(report.errors)) for report in outcome.reports} == {
                        f"raw-data/{each.file}": (verdict(each, spec, seen), {}) for each in batch
                    }
                    assert shop.ports.ledger.gate().state is GateState.IDLE
                    assert verify(shop.ports).differences == ()
        finally:
            shutil.rmtree(folder)

    check()
