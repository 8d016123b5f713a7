"""Run commands, and let a cluster's executors do the work of one; look at what a store then holds."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb

from takings.contracts.model import Dataset
from tests.cluster.standalone import Cluster, environment
from tests.shop import opened

TAKINGS: Final = (sys.executable, "-m", "takings")


@dataclass(frozen=True, kw_only=True)
class Driver:
    """A command that uses the cluster, and what it logs."""

    process: subprocess.Popen[bytes]
    log: Path
    cluster: Cluster
    #: how many executors the second worker had been given before
    earlier: int

    def has_told(self, fact: str) -> bool:
        """Return whether a fact is in its log."""
        return fact in self.log.read_text(errors="replace")


#: what happens while a command runs
Meanwhile = Callable[[Driver], None]


def nothing(_: Driver) -> None:
    """Disturb nothing."""


def command(*words: object) -> bytes:
    """Run a command that has to succeed; return its output."""
    ended = subprocess.run([str(word) for word in words], env=environment(), stdout=subprocess.PIPE, check=False)
    assert ended.returncode == 0, (words, ended.returncode, ended.stdout)
    return ended.stdout


def on(cluster: Cluster, *words: object, meanwhile: Meanwhile = nothing) -> None:
    """Run a command that uses the cluster; meanwhile, something happens."""
    settings = {"TAKINGS_ENGINE": "spark", "TAKINGS_SPARK_MASTER": cluster.url}
    log = cluster.folder / f"driver-{time.monotonic_ns()}"
    earlier = len(cluster.executor_logs(1))
    with log.open("wb") as told:
        process = subprocess.Popen(
            [*TAKINGS, "--verbose", *map(str, words)], env=environment() | settings, stdout=told, stderr=told
        )
    try:
        meanwhile(Driver(process=process, log=log, cluster=cluster, earlier=earlier))
        assert process.wait() == 0, log.read_text(errors="replace")[-4000:]
    finally:
        process.kill()
        process.wait()


def numbers(store: Path) -> bytes:
    """Return the output of `takings kpis` for both tables."""
    return b"".join(command(*TAKINGS, "kpis", store, "--by", table, "--format", "csv") for table in ("day", "category"))


def forget_numbers(store: Path) -> None:
    """Remove every published number."""
    with closing(sqlite3.connect(store / ".takings" / "takings.db")) as database, database:
        for table in ("OrderKPIs", "CategoryKPIs"):
            database.execute(f"delete from {table}")


def documents_of(store: Path) -> Mapping[str, bytes]:
    """Return the reports, verdicts and counts of the store's one batch, without its name."""
    (batch,) = (path.name for path in (store / "batches").iterdir())
    made = (store / "batches" / batch / name for name in ("verdicts.json", "affected.json"))
    found = [*(store / "validation-reports").rglob("*.json"), *made]
    return {
        str(path.relative_to(store)).replace(batch, ""): path.read_bytes().replace(batch.encode(), b"")
        for path in found
    }


def check_lakes(store: Path, right: Path) -> int:
    """Check that two lakes hold the same rows at the same versions, whatever their batches and files are called.

    Return how many rows. Readers find only the files that the newest commit names, so only these are compared.
    """
    assert versions(store) == versions(right)
    rows = 0
    with duckdb.connect() as connection:
        connection.execute("set time zone 'UTC'")
        for dataset in Dataset:
            one, other = (_rows_of(each, dataset) for each in (store, right))
            for left, rest in ((one, other), (other, one)):
                (differing,) = connection.execute(f"select count(*) from ({left} except all {rest})").fetchone() or (
                    -1,
                )
                assert differing == 0, f"{dataset}: {differing} rows differ"
            (count,) = connection.execute(f"select count(*) from ({one})").fetchone() or (0,)
            rows += count
    return rows


def versions(store: Path) -> list[Any]:
    """Return the versions of the lake's tables at each commit."""
    commits = sorted((store / "lake" / "commits").iterdir(), key=lambda path: int(path.stem))
    return [json.loads(path.read_text())["tables"] for path in commits]


def _rows_of(store: Path, dataset: Dataset) -> str:
    with opened(store) as shop:
        files = [str(store / "lake" / dataset / file.path) for file in shop.ports.tables.snapshot()[dataset].files]
    assert not [file for file in files if "/_writing/" in file]
    return f"select * exclude (_batch) from read_parquet({files}, hive_partitioning = true, union_by_name = true)"


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print how long a block took."""
    begun = time.monotonic()
    yield
    print(f"{what}: {time.monotonic() - begun:.1f} s", flush=True)
