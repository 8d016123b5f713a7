"""Take a large shop in and publish it again on a real Spark cluster, also while a worker dies, and compare with DuckDB."""

from __future__ import annotations

import argparse
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import pyspark

from tests.cluster.standalone import PATIENCE_SECONDS, Cluster, await_line, environment, open_doors, standalone

_TAKINGS: Final = (sys.executable, "-m", "takings")
_SUBMIT: Final = Path(pyspark.__file__).parent / "bin" / "spark-submit"
_SPARK_JOB: Final = Path(__file__).parents[2] / "src" / "takings" / "entrypoints" / "spark_job.py"


#: spark-submit logs each task by default
_QUIETLY: Final = (
    *("--conf", "spark.ui.enabled=false"),
    *("--driver-java-options", f"-Dlog4j2.configurationFile={_SPARK_JOB.parents[1]}/adapters/spark/log4j2.properties"),
)
#: a task of the second stage or later: then the workers hold the first stage's results
_MIDDLE: Final = r"(Running task \d+\.\d+ in stage [1-9]\d*\.)"
#: an executor's second file or a later one: each has a job of its own
_SECOND_FILE: Final = r"(Running task \d+\.\d+ in stage (?:[2-9]|\d\d+)\.)"
#: files of orders, and of items: more than there are executors, so that some wait while others are validated
_PARTS: Final = 6


def main(arguments: list[str]) -> int:
    """Let the cluster take in and publish, undisturbed and disturbed; print how it went."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--items", type=int, default=1_000_000)
    asked = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="takings-cluster-"))
    store, validated, disturbed = (folder / name for name in ("shop", "validated", "disturbed"))
    command(*_TAKINGS, "generate", store / "raw-data", "--orders", asked.items // 3 + 1, "--parts", _PARTS)
    for other in (validated, disturbed):
        shutil.copytree(store, other)
    with timed(f"at least {asked.items:,} items taken in with DuckDB"):
        command(*_TAKINGS, "run", store, "--now")
    right, documents = numbers(store), documents_of(store)
    with standalone(folder / "cluster") as cluster:
        with timed("taken in with the cluster"):
            on(cluster, "run", validated, "--now")
        compare(validated, right, documents)
        with timed("restated by the cluster"):
            restate(store, cluster, look_for_open_doors)
        compare(store, right, documents)
        with timed("verified by the cluster, as a job of spark-submit"):
            command(_SUBMIT, "--master", cluster.url, *_QUIETLY, _SPARK_JOB, "verify", store)
        with timed("restated by the cluster, one of whose two workers was killed"):
            restate(store, cluster, kill_a_worker)
        compare(store, right, documents)
    with standalone(folder / "another cluster") as cluster:
        with timed("taken in with the cluster, one of whose two workers was killed while it validated"):
            on(cluster, "run", disturbed, "--now", meanwhile=partial(kill_a_worker, when=_SECOND_FILE))
        compare(disturbed, right, documents)
    shutil.rmtree(folder)
    print(f"{len(right.splitlines()) - 2:,} rows of KPIs and {len(documents):,} reports are DuckDB's, byte for byte")
    return 0


def restate(store: Path, cluster: Cluster, meanwhile: Callable[[Cluster, int], None]) -> None:
    """Remove every published number and let the cluster publish all of them again; meanwhile, something happens."""
    with closing(sqlite3.connect(store / ".takings" / "takings.db")) as database, database:
        for table in ("OrderKPIs", "CategoryKPIs"):
            database.execute(f"delete from {table}")
    on(cluster, "restate", store, meanwhile=meanwhile)


def on(cluster: Cluster, *words: object, meanwhile: Callable[[Cluster, int], None] = lambda *_: None) -> None:
    """Run a command that uses the cluster; meanwhile, something happens."""
    settings = {"TAKINGS_ENGINE": "spark", "TAKINGS_SPARK_MASTER": cluster.url}
    earlier = len(cluster.executor_logs(1))
    driver = subprocess.Popen([*_TAKINGS, *map(str, words)], env=environment() | settings)
    try:
        meanwhile(cluster, earlier)
        assert driver.wait() == 0
    finally:
        driver.kill()
        driver.wait()


def look_for_open_doors(cluster: Cluster, earlier: int) -> None:
    """While it runs, check that no other machine can reach any of it."""
    await_line(executor_log(cluster, earlier), _MIDDLE)
    if sys.platform == "linux":
        doors = open_doors(os.getpid())
        assert doors == [], doors


def kill_a_worker(cluster: Cluster, earlier: int, when: str = _MIDDLE) -> None:
    """Kill the second worker while its executor works."""
    log = executor_log(cluster, earlier)
    await_line(log, when)
    cluster.workers[1].kill()
    print(f"killed: {log.read_text(errors='replace').count('Running task')} tasks had begun there", flush=True)


def executor_log(cluster: Cluster, earlier: int) -> Path:
    """Wait for the second worker's next executor; return its log."""
    end = time.monotonic() + PATIENCE_SECONDS
    while len(logs := cluster.executor_logs(1)) <= earlier:
        assert time.monotonic() < end, "the second worker was given nothing to do"
        time.sleep(0.05)
    return max(logs, key=lambda path: path.stat().st_ctime)


def compare(store: Path, right: bytes, documents: Mapping[str, bytes]) -> None:
    """Compare what is published and reported now with what DuckDB made, and let DuckDB verify it."""
    assert numbers(store) == right
    assert documents_of(store) == documents
    command(*_TAKINGS, "verify", store)


def documents_of(store: Path) -> dict[str, bytes]:
    """Return the reports, verdicts and counts of the store's one batch, without its name."""
    (batch,) = (path.name for path in (store / "batches").iterdir())
    made = (store / "batches" / batch / name for name in ("verdicts.json", "affected.json"))
    found = [*(store / "validation-reports").rglob("*.json"), *made]
    return {
        str(path.relative_to(store)).replace(batch, ""): path.read_bytes().replace(batch.encode(), b"")
        for path in found
    }


def numbers(store: Path) -> bytes:
    """Return the output of `takings kpis` for both tables."""
    return b"".join(
        command(*_TAKINGS, "kpis", store, "--by", table, "--format", "csv") for table in ("day", "category")
    )


def command(*words: object) -> bytes:
    """Run a command that has to succeed; return its output."""
    ended = subprocess.run([str(word) for word in words], env=environment(), stdout=subprocess.PIPE, check=False)
    assert ended.returncode == 0, (words, ended.returncode, ended.stdout)
    return ended.stdout


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print how long a block took."""
    begun = time.monotonic()
    yield
    print(f"{what}: {time.monotonic() - begun:.1f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
