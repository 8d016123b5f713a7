"""A merge on Spark leaves what DuckDB's leaves: rows, versions, affected keys, counted changes, gaps and numbers."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import duckdb
import pytest
from pyspark.sql import SparkSession

from takings.adapters.aws.clients import Clients
from takings.adapters.spark.lake_engine import SparkLakeEngine
from takings.composition import engines
from takings.composition.stores import Shop
from takings.contracts.model import Dataset
from takings.lake import StagedBatch
from takings.layout import BatchId
from takings.ports import ObjectStore
from takings.queries.verification import verify
from takings.runs import pipeline
from tests.aws.harness.shop import STORE, S3Shop
from tests.contract_options import write_contracts
from tests.kpi_engine.s3_in_a_folder import bucket_in_a_folder, copy
from tests.shop import NOON, Fields, csv_of, drop, drop_all, item, new_store, opened, order, product, published, run

pytestmark = [
    pytest.mark.xdist_group("spark"),
    # PySpark drops the socket of each result without closing it.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

#: file -> minutes after noon, and rows
Batch = Mapping[str, tuple[int, Sequence[Fields]]]
#: the setting says that there is a cluster; the tests' one session stands in for it
CLUSTER: Final[dict[str, Any]] = {"engine": "spark", "spark_master": "spark://127.0.0.1:1"}


def usual(_: Path) -> dict[str, Any]:
    """Return the options of a store with the shipped contracts."""
    return {}


def deliveries(folder: Path) -> dict[str, Any]:
    """Return the options of a store whose orders have instants, whose lines are deliveries, and whose days are Apia's."""
    return {
        "contracts": write_contracts(folder, versioned=("orders",), replaces=True),
        "time_zone": "Pacific/Apia",
    }


#: corrections, late and early ones; orders and items that move; parents that come late; a file that is refused
CORRECTED: Final[Sequence[Batch]] = (
    {
        "products/a.csv": (0, [product(1), product(2, "Toys")]),
        "orders/a.csv": (0, [order(1), order(2, "2025-03-31T09:00:00"), order(3, "2025-03-31T10:00:00")]),
        "order-items/a.csv": (0, [item(1, 1), item(2, 1, 2, "5.50"), item(3, 2), item(4, 9), item(5, 3, 7)]),
    },
    {
        "products/b.csv": (2, [product(2, "Games"), product(7, "It's art")]),
        "orders/b.csv": (2, [order(1, "2025-04-02T00:00:00", status="returned"), order(9, "1500-02-28T00:00:00")]),
        "orders/old.csv": (-5, [order(2, "2024-01-01T00:00:00")]),
        "order-items/b's.csv": (2, [item(2, 1, 2, "6.50"), item(3, 3)]),
        "order-items/c.csv": (3, [item(3, 2, 1, "9.99"), item(6, 1, 8)]),
        "order-items/refused.csv": (3, [item(7, 1), item(8, 3, sale_price="-1")]),
    },
)


def at(instant: str, of: Fields) -> Fields:
    """Return an order with the shop's own instant."""
    return {**of, "updated_at": instant}


#: lines that leave with their delivery, also from those that wait; instants that outrank the order of arrival
REPLACED: Final[Sequence[Batch]] = (
    {
        "products/a.csv": (0, [product(1), product(2, "Toys")]),
        "orders/a.csv": (
            0,
            [at("2025-04-01T10:00:00", order(1)), at("2025-04-01T10:00:00", order(2, "2025-03-31T09:59:59"))],
        ),
        "order-items/a.csv": (0, [item(1, 1), item(2, 1, 2, "5.50"), item(1, 2), item(4, 9), item(5, 9)]),
    },
    {
        "orders/b.csv": (
            1,
            [
                at("2025-04-01T09:00:00", order(1, "2025-05-01T00:00:00")),
                at("2025-04-01T12:00:00", order(2, "2025-04-01T10:00:00")),
                at("2025-04-01T11:00:00", order(2, "2025-04-03T10:00:00")),
            ],
        ),
        "order-items/b.csv": (1, [item(2, 1, 2, "7.50"), item(4, 9, 1, "0.01")]),
        "order-items/c.csv": (2, [item(3, 1, 2, "7.51")]),
    },
)


@pytest.fixture
def quick(spark: SparkSession) -> Iterator[None]:
    """Plan each query once and compile none: for a few rows, that takes longer than all else. The other tests do both."""
    context: Any = spark.sparkContext
    settings = context._jsc.sc().conf()
    names = ("spark.sql.codegen.wholeStage", "spark.sql.adaptive.enabled")
    for name in names:
        settings.set(name, "false")
    yield
    for name in names:
        settings.remove(name)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("options_of", "story"), [(usual, CORRECTED), (deliveries, REPLACED)], ids=["corrected", "replaced"]
)
def test_both_engines_leave_the_same(
    options_of: Callable[[Path], dict[str, Any]], story: Sequence[Batch], tmp_path: Path
) -> None:
    """What Spark merges into a lake that DuckDB began is what DuckDB merges, in everything but the files' names."""
    left = []
    for engine in (dict[str, Any](), CLUSTER):
        folder = tmp_path / ("spark" if engine else "duckdb")
        options = options_of(folder / "contracts")
        root = new_store(folder / "shop")
        for place, batch in enumerate(story):
            for file, (minute, rows) in batch.items():
                drop(root, file, csv_of(*rows), written_at=NOON + minute * timedelta(minutes=1))
            # A first batch, of which nothing is in the lake, is merged in the bucket below.
            assert len(run(root, **options, **(engine if place else {})).batches) == 1
        left.append(all_of(root, **options))
    assert left[1] == left[0]


def all_of(root: Path, **options: Any) -> dict[str, Any]:
    """Return all that a store's batches left, with a batch's place instead of its number."""
    commits = [json.loads(path.read_text()) for path in sorted((root / "lake" / "commits").iterdir())]
    batches = [commit["batch_id"] for commit in commits]
    with opened(root, **options) as shop:
        tables = {dataset: rows_of(root, shop, dataset) for dataset in Dataset}
    documents = {
        f"{batch}/{name}": json.loads(path.read_text())
        for batch in batches
        for name in ("affected", "changes", "gaps", "refused")
        if (path := root / "batches" / batch / f"{name}.json").exists()
    }
    text = json.dumps(
        {
            "documents": documents,
            "versions": [commit["tables"] for commit in commits],
            "tables": tables,
            "numbers": published(root, **options),
        },
        default=str,
        indent=1,
    )
    for place, batch in enumerate(batches):
        text = text.replace(batch, f"batch {place}")
    found: dict[str, Any] = json.loads(text)
    return found


def rows_of(root: Path, shop: Shop, dataset: Dataset) -> list[tuple[Any, ...]]:
    """Return the rows of a table at its newest version, with its columns."""
    files = [str(root / "lake" / dataset / file.path) for file in shop.ports.tables.snapshot()[dataset].files]
    with duckdb.connect() as connection:
        connection.execute("set time zone 'UTC'")
        found = connection.execute("select * from read_parquet(?, hive_partitioning = true) order by all", [files])
        return [tuple(column[0] for column in found.description or ()), *found.fetchall()]


@pytest.mark.usefixtures("spark")
def test_a_strict_batch_is_refused_for_the_same_orphan(done: Path) -> None:
    """The first one by file and line, whatever its parents are looked for with."""
    drop(done, "order-items/b.csv", csv_of(item(7, 1), item(8, 1, 99), item(9, 98)))
    (batch,) = run(done, policy="strict", **CLUSTER).batches
    (report,) = batch.reports
    assert report.reason == (
        'policy "strict" refuses the whole batch: raw-data/order-items/b.csv line 3: its product_id is neither in the'
        " batch nor in the lake"
    )
    assert batch.commit is None


@pytest.mark.usefixtures("spark")
def test_small_files_become_one(done: Path) -> None:
    """Of each day; the rows stay, so every number does."""
    drop(done, "orders/b.csv", csv_of(order(4), order(5, "2025-03-31T09:00:00")))
    run(done)
    with opened(done, **CLUSTER) as shop:
        ports = shop.ports
        before, table = rows_of(done, shop, Dataset.ORDERS), ports.tables.snapshot()[Dataset.ORDERS]
        ports.tables.apply(
            Dataset.ORDERS, ports.engine.compact(Dataset.ORDERS, table, table.files), table, BatchId("b")
        )
        after = ports.tables.snapshot()[Dataset.ORDERS]
        assert (len(table.files), len(after.files), after.rows) == (4, 2, table.rows)
        assert rows_of(done, shop, Dataset.ORDERS) == before
        assert verify(ports).differences == ()
    assert [path.name for path in (done / "lake" / "orders").iterdir() if path.name.startswith("_writing")] == []


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("aws", ["moto"], indirect=True)
def test_a_bucket_s_lake_is_merged_where_it_is(
    aws: Clients, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Executors read staged rows from the bucket and write the lake's files there; none of these passes through the driver.

    Neither for the merge nor for the days of a file that is refused.
    """
    for name, value in os.environ.items():
        if name.startswith("AWS_"):
            # The session may have begun before the emulator did.
            monkeypatch.setitem(spark.sparkContext.environment, name, value)
    share, here, staged = engines._share, list[Path](), list[str]()

    def share_and_look(store: ObjectStore, batch: StagedBatch) -> list[str]:
        """Copy what tasks have staged in the bucket into the folder where Spark finds the bucket."""
        found = share(store, batch)
        here.extend(shop.root.rglob("*.parquet"))
        staged[:] = copy(aws, bucket, "staging/")
        return found

    monkeypatch.setattr(engines, "_share", share_and_look)
    bucket = tmp_path / "bucket"
    bucket.mkdir()
    S3Shop(clients=aws).drop_all()
    S3Shop(clients=aws).drop("order-items/refused.csv", csv_of(item(7, 1), item(8, 3, sale_price="-1")))
    with opened(STORE, **CLUSTER) as shop, bucket_in_a_folder(spark, bucket):
        assert isinstance(shop.ports.engine, SparkLakeEngine)
        (batch,) = pipeline.run(shop.ports, at_once=True).batches
        assert [*here, *shop.root.rglob("*.parquet")] == []
    assert len([key for key in staged if "/tasks/" not in key]) == 4
    assert batch.commit == 1
    root = drop_all(new_store(tmp_path / "shop"))
    run(root)
    assert published(STORE) == published(root)
    lake = bucket / "lake"
    written = sorted(path.relative_to(lake).parent for path in lake.rglob("*.parquet"))
    assert [str(folder) for folder in written] == [
        "order_items/order_date=2025-03-30",
        "order_items/order_date=2025-03-31",
        "orders/order_date=2025-03-30",
        "orders/order_date=2025-03-31",
        "products",
    ]
