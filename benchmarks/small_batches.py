"""Measure how long a small batch takes after hundreds of others, with `takings maintain` now and then.

python benchmarks/small_batches.py [--batches 1000] [--days 30] [--scattered] [--maintain-every 100] [--threads 2]

Each batch is three files: 20 orders, their 60 items, and one product again. By default, orders come in the order of their days,
so a batch touches one or two days; `--scattered` spreads each batch over all days. Times are medians of the last 20 batches.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from takings.adapters.shop_generator import ShopPlan, generate_shop
from takings.composition.stores import open_store
from takings.contracts.model import Dataset
from takings.ports import Ports
from takings.runs import pipeline
from takings.runs.maintenance import maintain

_ORDERS, _LAST = 20, 20


def main() -> None:
    """Print a line after every hundredth batch, or after each maintenance."""
    options = _options()
    with TemporaryDirectory() as name:
        drops, root = Path(name, "drops"), Path(name, "shop")
        plan = ShopPlan(
            orders=_ORDERS * options.batches,
            seed=1,
            days=options.days,
            parts=options.batches,
            number_by_time=not options.scattered,
        )
        generate_shop(drops, plan)
        (root / "raw-data").mkdir(parents=True)
        products = (drops / "products" / "products_part1.csv").read_text().splitlines(keepends=True)
        print(
            "batches  wall ms  cpu ms  live files (products, orders, items)  files of the lake  log files  maintain s"
        )
        with open_store(root, _say_nothing, {"threads": options.threads}) as shop:
            measured: list[tuple[float, float]] = []
            for number in range(1, options.batches + 1):
                _drop(root, drops, number, products)
                measured.append(_timed_batch(shop.ports))
                if number % options.maintain_every == 0:
                    _report(root, shop.ports, number, measured[-_LAST:])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--batches", type=int, default=1000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--scattered", action="store_true")
    parser.add_argument("--maintain-every", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def _drop(root: Path, drops: Path, number: int, products: list[str]) -> None:
    """Put a batch's three files in place, each atomically."""
    again = products[1:] if number == 1 else [products[1 + number % (len(products) - 1)]]
    listed = drops / "products" / "listed.csv"
    listed.write_text("".join([products[0], *again]))
    for folder, file in (
        ("products", listed),
        ("orders", drops / "orders" / f"orders_part{number}.csv"),
        ("order-items", drops / "order-items" / f"order_items_part{number}.csv"),
    ):
        target = root / "raw-data" / folder / f"{number:05d}.csv"
        target.parent.mkdir(exist_ok=True)
        file.rename(target)


def _timed_batch(ports: Ports) -> tuple[float, float]:
    """Return the wall and processor seconds of one batch."""
    wall, cpu = time.perf_counter(), time.process_time()
    outcome = pipeline.run(ports, at_once=True)
    assert [len(batch.reports) for batch in outcome.batches] == [3], outcome
    return time.perf_counter() - wall, time.process_time() - cpu


def _report(root: Path, ports: Ports, number: int, last: list[tuple[float, float]]) -> None:
    """Print a line, and maintain the store."""
    wall, cpu = (statistics.median(seconds) * 1000 for seconds in zip(*last, strict=True))
    snapshot = ports.tables.snapshot()
    live = "/".join(str(len(snapshot[dataset].files)) for dataset in Dataset)
    paths = [path for path in (root / "lake").rglob("*") if path.is_file() and "commits" not in path.parts]
    logs = sum("_delta_log" in path.parts for path in paths)
    start = time.perf_counter()
    maintain(ports, keep_reports=timedelta(days=90), is_dry_run=False)
    spent = time.perf_counter() - start
    print(
        f"{number:7}  {wall:7.0f}  {cpu:6.0f}  {live:>35}  {len(paths) - logs:17}  {logs:9}  {spent:10.2f}", flush=True
    )


def _say_nothing(_: str, __: Mapping[str, object]) -> None:
    """Tell nobody."""


if __name__ == "__main__":
    main()
