"""A shop's day on AWS, as in the README: upload files, run a batch, find the numbers in the tables."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from tests.cli.terminal import Takings
from tests.emulators import ROOT
from tests.integration.conftest import Shop
from tests.shop import drop, new_store, published, run

#: where the README puts the files
DROPS = {"products": "products", "orders": "orders", "order-items": "order_items"}


def test_the_sample_files_become_numbers(shop: Shop, takings: Takings, tmp_path: Path) -> None:
    """The same as in a folder, to the byte; the originals are archived, and a scan of the tables gives the right sums."""
    root, bucket = new_store(tmp_path / "local"), shop.resource("s3").Bucket(shop.name)
    for folder, name in DROPS.items():
        sample = ROOT / "sample" / f"{name}_part1.csv"
        bucket.upload_file(str(sample), f"raw-data/{folder}/{sample.name}")
        drop(root, f"{folder}/{sample.name}", sample.read_bytes())
    ran = takings("run", shop.store, "--now")
    assert ran.code == 0, ran.err
    assert run(root).batches
    for by, wanted in zip(("day", "category"), published(root), strict=True):
        assert takings("kpis", shop.store, "--by", by, "--format", "csv").out == wanted

    filed = [found.key.split("/", 5) for found in bucket.objects.all() if found.key.endswith(".csv")]
    assert sorted((top, file) for top, *_, file in filed) == [
        ("processed", "order_items/order_items_part1.csv"),
        ("processed", "orders/orders_part1.csv"),
        ("processed", "products/products_part1.csv"),
    ]
    revenue = sum(day["total_revenue"] for day in shop.rows("OrderKPIs"))
    assert isinstance(revenue, Decimal)
    assert revenue > 0
    assert sum(category["daily_revenue"] for category in shop.rows("CategoryKPIs")) == revenue
    assert [file["status"] for file in shop.rows("ProcessedFiles")] == ["SUCCESS"] * 3
