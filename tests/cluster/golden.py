"""Let a cluster validate, merge and publish every golden case."""

from __future__ import annotations

from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

from takings.adapters.duckdb.session import open_duckdb
from takings.adapters.spark.shared_session import SharedSession
from tests.cluster.driving import timed
from tests.cluster.sessions import session_on_a_cluster
from tests.golden.kpis import test_kpis
from tests.golden.test_golden import CASES
from tests.kpi_engine.test_executors import differing
from tests.shop import new_store, opened, published


def try_cases(folder: Path) -> None:
    """Check that findings, staged rows and numbers are the literal ones of each case."""
    files = sorted(CASES.rglob("*.yaml"))
    with session_on_a_cluster(folder / "cluster") as (session, options):
        with (
            timed(f"{len(files)} golden cases of validation on the cluster"),
            closing(SharedSession(lambda: nullcontext(session))) as shared,
            closing(open_duckdb("400MB", 1, folder / "spill")) as duck,
        ):
            assert differing(files, folder / "validation", shared, duck) == []
        with timed(f"{len(test_kpis.CASES)} golden cases of the lake and KPIs on the cluster"):
            for number, path in enumerate(test_kpis.CASES, 1):
                _try_kpis(path, folder / "kpis" / path.stem, options)
                if number % 10 == 0:
                    print(f"{number} of {len(test_kpis.CASES)}", flush=True)


def _try_kpis(path: Path, folder: Path, on_cluster: dict[str, Any]) -> None:
    folder.mkdir(parents=True)
    case, options = test_kpis.read_case(path, folder)
    root = new_store(folder / "shop")
    with opened(root, **options, **on_cluster) as shop:
        test_kpis.drop_and_run(case, shop)
    assert published(root, **options) == (case["day"], case["category"]), path.stem
