"""Tasks of Spark find what a local run finds, byte for byte; what an attempt that failed has left is never read."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final

import duckdb
import pytest
from pyspark.sql import SparkSession

import takings
from takings.adapters.aws.platform import AwsPlatform
from takings.adapters.duckdb.session import open_duckdb
from takings.adapters.duckdb.source_rows import DuckDbSources
from takings.adapters.duckdb.validation import DuckDbValidation
from takings.adapters.local.object_store import FolderStore
from takings.adapters.local.platform import LocalPlatform
from takings.adapters.platform import OpenFiles
from takings.adapters.spark.executors import SparkExecutors, Work
from takings.adapters.spark.shared_session import SharedSession
from takings.adapters.spark.task import memory_within_limit
from takings.batch.validate_one import validate_one
from takings.composition.sample_shops import ShopPlan, generate_shop
from takings.contracts.model import Dataset
from takings.errors import ReaderDied, SettingsError, StoreError, UnreadableFile
from takings.ports import FileToValidate
from takings.runs import pipeline
from takings.time_zones import business_time
from takings.validation.findings import Verdict, no_faulty_records
from takings.validation.validated import ValidatedFile
from takings.workers import Workers
from tests.cli.test_profiles import MUGS
from tests.depth import some
from tests.emulators import BUCKET, Emulator
from tests.golden.test_golden import CASES, Case, read_case
from tests.kpi_engine.troubled_stores import Elsewhere, Trouble, Troubled
from tests.shop import ITEMS, csv_of, drop, drop_all, expected, new_store, opened, order, published

pytestmark = [
    pytest.mark.xdist_group("spark"),
    # PySpark drops the socket of each result without closing it.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.usefixtures("spark"),
]

#: a batch's files that are asked for at once
AT_ONCE: Final = 4


@dataclass(frozen=True, kw_only=True)
class Shop:
    """A store with a batch, and Spark's executors for it."""

    root: Path
    store: FolderStore
    open_files: OpenFiles

    def file(self, case: Case) -> FileToValidate:
        """Drop a case's file as a batch of its own."""
        drop(self.root, case.file.arrival.key.removeprefix("raw-data/"), case.content)
        self.store.create(f"batches/{case.file.batch_id}/manifest.json", b"{}")
        (seen,) = self.store.list("raw-data/")
        return replace(case.file, arrival=replace(case.file.arrival, etag=seen.etag, size=seen.size))

    def executors(
        self, shared: SharedSession, time_zone: str = "UTC", open_files: OpenFiles | None = None
    ) -> SparkExecutors:
        """Begin executors."""
        work = Work(
            open_files=open_files or self.open_files, engine=DuckDbValidation, time_zone=time_zone, memory="400MB"
        )
        executors = SparkExecutors(shared, self.store, work)
        executors.begin()
        return executors


@pytest.fixture
def shared(spark: SparkSession) -> Iterator[SharedSession]:
    """Return the session of all tests, as a command's engines share it."""
    with closing(SharedSession(lambda: nullcontext(spark))) as session:
        yield session


def shop_in(root: Path) -> Shop:
    """Make a store."""
    new_store(root)
    return Shop(root=root, store=FolderStore(root), open_files=LocalPlatform(root).files_elsewhere())


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Return a new store."""
    return shop_in(tmp_path / "shop")


@pytest.fixture(scope="module")
def duck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open DuckDB as Takings does."""
    with closing(open_duckdb("400MB", 1, tmp_path_factory.mktemp("duckdb") / "spill")) as connection:
        yield connection


def needs_reasons(validated: ValidatedFile) -> bool:
    """Return whether a verdict needs the faulty records; a task keeps no others, of which there may be millions."""
    return validated.report.verdict is Verdict.REJECTED or validated.report.records.rejected > 0


def content(validated: ValidatedFile) -> tuple[Any, ...]:
    """Return everything that was found, as far as it is needed."""
    plain = replace(validated, faulty_records=no_faulty_records)
    return plain, list(validated.faulty_records()) if needs_reasons(validated) else []


def here(
    shop: Shop, file: FileToValidate, time_zone: str, duck: duckdb.DuckDBPyConnection
) -> tuple[ValidatedFile, bytes | None]:
    """Validate a file in this process; return what was found, and the bytes of its staged rows."""
    path = shop.store.fetch(file.arrival.key, file.arrival.etag, file.batch_id)
    assert path is not None
    staged = shop.root / "here.parquet"
    found = validate_one(
        file,
        DuckDbValidation(duck, business_time(time_zone)),
        DuckDbSources("400MB"),
        path,
        workspace=shop.root / "work",
        staged={Dataset(file.arrival.dataset): staged},
    )
    return found, staged.read_bytes() if staged.exists() else None


def there(executors: SparkExecutors, file: FileToValidate, staged: Path) -> tuple[ValidatedFile, bytes | None]:
    """Validate a file in a task."""
    found = executors.validate(file, {Dataset(file.arrival.dataset): staged})
    assert found is not None
    return found(), staged.read_bytes() if staged.exists() else None


def test_golden(tmp_path: Path, shared: SharedSession, duck: duckdb.DuckDBPyConnection) -> None:
    """A case has its expected result, and the very report, reasons and staged rows of a local run."""
    assert differing(some(sorted(CASES.rglob("*.yaml")), 3), tmp_path, shared, duck) == []


def differing(cases: Sequence[Path], folder: Path, shared: SharedSession, duck: duckdb.DuckDBPyConnection) -> list[str]:
    """Validate cases with tasks of the session; return the names of those that differ from a local run's result."""

    def differs(number: int, path: Path) -> str | None:
        shop = shop_in(folder / str(number))
        case = read_case(path, shop.root)
        executors, file, staged = shop.executors(shared, case.time_zone), shop.file(case), shop.root / "there.parquet"
        with duck.cursor() as cursor:
            local, local_rows = here(shop, file, case.time_zone, cursor)
            found, rows = there(executors, file, staged)
            if not needs_reasons(found):
                found = replace(found, faulty_records=local.faulty_records)
            case.check(found, staged, cursor)
            return None if (content(found), rows) == (content(local), local_rows) else path.name

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [name for name in pool.map(differs, *zip(*enumerate(cases), strict=True)) if name]


def file_of_orders(shop: Shop, content: bytes) -> FileToValidate:
    """Drop a file of orders as a batch of its own."""
    case = read_case(next(CASES.rglob("*.yaml")), shop.root)
    arrival = replace(case.file.arrival, key="raw-data/orders/a.csv", dataset=Dataset.ORDERS, file="a.csv")
    return shop.file(replace(case, content=content, file=replace(case.file, arrival=arrival)))


GOOD_AND_BAD: Final = csv_of(order(1), order(2, status="lost"), order(3))


@pytest.mark.parametrize("trouble", [Trouble.FAILS, Trouble.DIES])
def test_what_an_attempt_that_failed_has_written_is_never_read(
    trouble: Trouble, shop: Shop, shared: SharedSession, duck: duckdb.DuckDBPyConnection
) -> None:
    """Neither its rows nor its reasons, although it wrote all of them: those of the next attempt are."""
    file = file_of_orders(shop, GOOD_AND_BAD)
    executors = shop.executors(shared, open_files=Troubled(root=shop.root, trouble=trouble, times=1))
    found, rows = there(executors, file, shop.root / "there.parquet")
    assert len(list(shop.root.glob("attempt-*"))) == 2
    spoilt = [path for path in shop.store.staging(file.batch_id).rglob("*.*") if path.read_bytes()[:5] == b"of an"]
    assert len(spoilt) == 2
    local, local_rows = here(shop, file, "UTC", duck)
    assert (content(found), rows) == (content(local), local_rows)


def test_a_file_whose_reader_always_dies_is_told_apart(shop: Shop, shared: SharedSession) -> None:
    """Spark gives up after some attempts, and the application goes on."""
    file = file_of_orders(shop, GOOD_AND_BAD)
    executors = shop.executors(shared, open_files=Troubled(root=shop.root, trouble=Trouble.DIES))
    with pytest.raises(ReaderDied, match=r"raw-data/orders/a\.csv: each process .* has died") as died:
        executors.validate(file, {Dataset.ORDERS: shop.root / "there.parquet"})
    assert died.value.key == "raw-data/orders/a.csv"
    assert there(shop.executors(shared), file, shop.root / "there.parquet")[1] is not None


def test_an_error_of_a_task_is_that_of_the_command(shop: Shop, shared: SharedSession) -> None:
    """With its class and its text."""
    file = file_of_orders(shop, GOOD_AND_BAD)
    executors = shop.executors(shared, open_files=Troubled(root=shop.root, trouble=Trouble.FAILS))
    with pytest.raises(StoreError, match=r"^the network is gone\.$"):
        executors.validate(file, {})


def test_a_file_that_cannot_be_read_is_refused_at_once(shop: Shop, shared: SharedSession) -> None:
    """Another attempt would not read it either."""
    file = file_of_orders(shop, GOOD_AND_BAD)
    executors = shop.executors(shared, open_files=Troubled(root=shop.root, trouble=Trouble.REFUSES))
    with pytest.raises(UnreadableFile, match="a bad block"):
        executors.validate(file, {})


def test_bytes_that_were_overwritten_are_not_found(shop: Shop, shared: SharedSession) -> None:
    """They go back to pending."""
    file = file_of_orders(shop, GOOD_AND_BAD)
    drop(shop.root, "orders/a.csv", csv_of(order(1)))
    assert shop.executors(shared).validate(file, {}) is None


def test_a_machine_without_the_store_is_told_apart(shop: Shop, shared: SharedSession, tmp_path: Path) -> None:
    """Otherwise its files would seem to be overwritten, in every batch."""
    file = file_of_orders(shop, GOOD_AND_BAD)
    executors = shop.executors(shared, open_files=LocalPlatform(tmp_path / "not mounted").files_elsewhere())
    with pytest.raises(StoreError, match=r"does not find batches/b1/manifest\.json in the store\. Mount"):
        executors.validate(file, {})


def test_executors_have_the_drivers_version(shop: Shop, shared: SharedSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one could find something else."""
    file = file_of_orders(shop, GOOD_AND_BAD)
    executors = shop.executors(shared)
    monkeypatch.setattr(takings, "__version__", "0.0.0")
    with pytest.raises(SettingsError, match=r"has Takings \d.*, the driver 0\.0\.0\. Install the same version"):
        executors.validate(file, {})


def test_a_python_without_takings_is_told_apart(shop: Shop, shared: SharedSession) -> None:
    """Spark takes the first python3 where PYSPARK_PYTHON names none."""
    file = file_of_orders(shop, GOOD_AND_BAD)
    executors = shop.executors(shared)
    context = shared.session().sparkContext
    used, context.pythonExec = context.pythonExec, str(shop.root / "python")
    (shop.root / "python").write_text(f'#!/bin/sh\nexec {used} -S "$@"\n')
    (shop.root / "python").chmod(0o755)
    try:
        with pytest.raises(SettingsError, match=r"the executors' Python has no package \w+\. Install Takings there"):
            executors.validate(file, {})
    finally:
        context.pythonExec = used


def test_an_interruption_ends_what_tasks_do(shop: Shop, shared: SharedSession) -> None:
    """The thread that waits gets an error soon, and the next file is validated."""
    file = file_of_orders(shop, GOOD_AND_BAD)
    executors = shop.executors(shared, open_files=Troubled(root=shop.root, trouble=Trouble.HANGS))

    def is_interrupted_while_it_reads() -> None:
        with Workers(2, executors.interrupt) as threads:
            threads.begin(partial(executors.validate, file, {}))
            while not (shop.root / "hangs").exists():
                time.sleep(0.01)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        is_interrupted_while_it_reads()
    assert there(shop.executors(shared), file, shop.root / "there.parquet")[1] is not None


def test_tasks_on_this_machine_share_its_memory(shop: Shop, shared: SharedSession) -> None:
    """A setting for one process must not be multiplied by the number of processors."""
    executors = shop.executors(shared)
    assert executors.memory_of_task() == "200MB"


def test_a_limited_process_leaves_room_for_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where an administrator limits it with spark.executor.pyspark.memory."""
    assert memory_within_limit("400MB") == "400MB"
    monkeypatch.setenv("PYSPARK_EXECUTOR_MEMORY_MB", "600")
    assert memory_within_limit("400MB") == "300MB"
    assert memory_within_limit("200MB") == "200MB"


def test_a_whole_shop(tmp_path: Path) -> None:
    """With rejected rows, copies and rows for quarantine: equal reports, reasons, verdicts, lake and numbers."""
    roots = [new_store(tmp_path / engine) for engine in ("duckdb", "spark")]
    generate_shop(roots[0] / "raw-data", ShopPlan(orders=400, seed=1, days=3, parts=2, dirty=Decimal("0.5")))
    drop_all(roots[0])
    drop(roots[0], "order-items/copy.csv", ITEMS)
    drop(roots[0], "orders/bad.csv", csv_of(order(9_001, status="lost")))
    shutil.copytree(roots[0], roots[1], dirs_exist_ok=True)
    for root, engine in zip(roots, ("duckdb", "spark"), strict=True):
        with opened(root, engine=engine, policy="row", max_rejected="5%") as shop, opened(root) as other:
            ports = replace(shop.ports, kpi_engine=other.ports.kpi_engine)
            (batch,) = pipeline.run(ports, at_once=True).batches
        assert len({report.verdict for report in batch.reports}) == 3
    assert published(roots[0]) == published(roots[1]) == expected(roots[1])
    documents = [documents_of(root) for root in roots]
    assert documents[0] == documents[1]
    assert len(documents[0]) > 20
    assert lake_of(roots[0]) == lake_of(roots[1])


def documents_of(root: Path) -> Mapping[str, str]:
    """Return what a batch has written about its files, without its name."""
    (batch,) = (path.name for path in (root / "batches").iterdir())
    kept = {}
    for folder in ("validation-reports", "quarantine", "failed", "processed", "batches"):
        for path in (root / folder).rglob("*"):
            if path.is_file() and path.name not in {"manifest.json", "outcome.json"} and "attempt" not in path.name:
                kept[str(path.relative_to(root)).replace(batch, "…")] = path.read_text("utf-8", "replace").replace(
                    batch, "…"
                )
    return kept


def lake_of(root: Path) -> list[Any]:
    """Return every row of the lake, without its batch."""
    with duckdb.connect() as connection:
        return [
            connection.execute(
                f"select * exclude (_batch) from read_parquet('{root}/lake/{dataset}/**/*.parquet') order by all"
            ).fetchall()
            for dataset in Dataset
        ]


def test_a_source(tmp_path: Path) -> None:
    """Its SQL runs in the task, too."""
    options: dict[str, Any] = {"contracts": "profile:shopify", "time_zone": "Asia/Karachi"}
    roots = [new_store(tmp_path / engine) for engine in ("duckdb", "spark")]
    drop(roots[0], "shopify-orders/a.csv", MUGS.encode())
    drop(roots[0], "shopify-orders/b.csv", MUGS.replace("#7001", "#8001").replace("#7002", "#8002").encode())
    shutil.copytree(roots[0], roots[1], dirs_exist_ok=True)
    numbers = []
    for root in roots:
        with opened(root, engine=root.name, **options) as shop:
            pipeline.run(shop.ports, at_once=True)
        numbers.append((published(root, **options), lake_of(root)))
    assert numbers[0] == numbers[1]
    assert "2026-04-05,2,50.00,6" in numbers[1][0][0]


def test_a_bucket(
    moto: Emulator, shop: Shop, shared: SharedSession, duck: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task reads the drop and shares its rows; the driver fetches only what a verdict needs."""
    clients = moto.emptied(monkeypatch)
    clients.s3.put_object(Bucket=BUCKET, Key="raw-data/orders/a.csv", Body=GOOD_AND_BAD)
    local, rows = here(shop, file := file_of_orders(shop, GOOD_AND_BAD), "UTC", duck)
    platform = AwsPlatform(clients, BUCKET, shop.root / "bucket")
    store = platform.files()
    store.create(f"batches/{file.batch_id}/manifest.json", b"{}")
    (seen,) = store.list("raw-data/")
    present = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    work = Work(
        open_files=Elsewhere(open_files=platform.files_elsewhere(), environment=present),
        engine=DuckDbValidation,
        time_zone="UTC",
        memory="400MB",
    )
    executors = SparkExecutors(shared, store, work)
    executors.begin()
    staged = store.staging(file.batch_id) / "orders" / "00000.parquet"
    found, nothing_here = there(executors, replace(file, arrival=replace(file.arrival, etag=seen.etag)), staged)
    assert (content(found), nothing_here) == (content(local), None)
    assert [path.name for path in (shop.root / "bucket").rglob("*.*")] == ["faulty.jsonl.gz"]
    store.fetch_staged(file.batch_id, [staged])
    assert staged.read_bytes() == rows
