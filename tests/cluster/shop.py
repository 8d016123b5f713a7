"""Take a large shop in with a cluster, correct it and publish it again, also while workers die, and compare with DuckDB."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

import pyspark

from tests.cluster.disturbing import (
    KPIS,
    MERGE,
    SECOND_FILE,
    kill_a_worker,
    kill_both_workers,
    kill_in,
    look_for_open_doors,
)
from tests.cluster.driving import (
    TAKINGS,
    Meanwhile,
    check_lakes,
    command,
    documents_of,
    forget_numbers,
    numbers,
    on,
    timed,
)
from tests.cluster.standalone import Cluster, standalone

_SUBMIT: Final = Path(pyspark.__file__).parent / "bin" / "spark-submit"
_SPARK_JOB: Final = Path(__file__).parents[2] / "src" / "takings" / "entrypoints" / "spark_job.py"
#: spark-submit logs each task by default
_QUIETLY: Final = (
    *("--conf", "spark.ui.enabled=false"),
    *("--driver-java-options", f"-Dlog4j2.configurationFile={_SPARK_JOB.parents[1]}/adapters/spark/log4j2.properties"),
)
#: files of orders, and of items: more than there are executors, so that some wait while others are validated
_PARTS: Final = 6
#: what happens while the cluster merges and publishes corrections
_DISTURBANCES: Final[Mapping[str, Meanwhile]] = {
    "one of whose two workers was killed while it merged": partial(kill_in, moment=MERGE),
    "one of whose two workers was killed while it computed KPIs": partial(kill_in, moment=KPIS),
    "both of whose workers were killed while it merged, one after the other, and a new one came": kill_both_workers,
}


def try_shop(folder: Path, items: int) -> None:
    """Let the cluster take in and publish a shop's first batch, undisturbed and disturbed."""
    store, validated, disturbed = (folder / name for name in ("shop", "validated", "disturbed"))
    generate(store, items, seed=1)
    for other in (validated, disturbed):
        shutil.copytree(store, other)
    with timed(f"at least {items:,} items taken in with DuckDB"):
        command(*TAKINGS, "run", store, "--now")
    right, documents = numbers(store), documents_of(store)
    with standalone(folder / "cluster") as cluster:
        with timed("taken in with the cluster"):
            on(cluster, "run", validated, "--now")
        compare(validated, store, right, documents)
        with timed("restated by the cluster"):
            restate(store, cluster, look_for_open_doors)
        assert numbers(store) == right
        with timed("verified by the cluster, as a job of spark-submit"):
            command(_SUBMIT, "--master", cluster.url, *_QUIETLY, _SPARK_JOB, "verify", store)
        with timed("restated by the cluster, one of whose two workers was killed"):
            restate(store, cluster, kill_a_worker)
        assert numbers(store) == right
    with standalone(folder / "another cluster") as cluster:
        with timed("taken in with the cluster, one of whose two workers was killed while it validated"):
            on(cluster, "run", disturbed, "--now", meanwhile=partial(kill_a_worker, when=SECOND_FILE))
        compare(disturbed, store, right, documents)
    rows = len(right.splitlines()) - 2
    print(f"{rows:,} rows of KPIs and {len(documents):,} reports are DuckDB's, byte for byte", flush=True)


def compare(store: Path, other: Path, right: bytes, documents: Mapping[str, bytes] | None = None) -> None:
    """Compare numbers, lake and reports with DuckDB's, and let DuckDB verify the numbers."""
    assert numbers(store) == right
    if documents is not None:
        assert documents_of(store) == documents
    rows = check_lakes(store, other)
    command(*TAKINGS, "verify", store)
    print(f"equal: the numbers, and {rows:,} rows of the lake with their versions", flush=True)


def restate(store: Path, cluster: Cluster, meanwhile: Meanwhile) -> None:
    """Remove every published number and let the cluster publish all of them again; meanwhile, something happens."""
    forget_numbers(store)
    on(cluster, "restate", store, meanwhile=meanwhile)


def try_merge(folder: Path, items: int) -> None:
    """Let the cluster merge a batch that changes every row of a lake, while workers die in different steps."""
    begun = folder / "begun"
    generate(begun, items, seed=1)
    command(*TAKINGS, "run", begun, "--now")
    generate(begun, items, seed=2)
    store = Path(shutil.copytree(begun, folder / "shop"))
    with timed(f"at least {items:,} changed items merged with DuckDB"):
        command(*TAKINGS, "run", store, "--now")
    right = numbers(store)
    for place, (what, meanwhile) in enumerate(_DISTURBANCES.items()):
        disturbed = Path(shutil.copytree(begun, folder / f"disturbed-{place}"))
        with standalone(folder / f"cluster-{place}") as cluster:
            with timed(f"merged and published by the cluster, {what}"):
                on(cluster, "run", disturbed, "--now", meanwhile=meanwhile)
            compare(disturbed, store, right)


def generate(store: Path, items: int, seed: int) -> None:
    """Drop a shop's files; another seed gives the same keys other contents."""
    command(
        *(*TAKINGS, "generate", store / "raw-data"),
        *("--orders", items // 3 + 1, "--parts", _PARTS, "--seed", seed),
    )
