"""Measure whether memory, open files and time per batch of a `takings watch` stay stable over thousands of batches.

python benchmarks/endurance.py [--batches 5000] [--days 30] [--every 100] [--maintain-every 1000]

Each batch is two files, one order and its item, on one of `--days` days. A line shows means since the previous line.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

_FIRST_DAY = 1735689600


def main() -> None:
    """Print a line every hundred batches, or as often as asked."""
    options = _options()
    with TemporaryDirectory() as folder:
        root = Path(folder, "shop")
        for part in ("products", "orders", "order-items"):
            (root / "raw-data" / part).mkdir(parents=True)
        (root / "takings.toml").write_text("batch_files = 2\n")
        _drop(
            root, "products/p.csv", "id,sku,cost,category,name,brand,retail_price,department", "1,1,5,Jeans,n,b,10,Kids"
        )
        print("batches  wall ms  cpu ms  RSS MB  open files  lake files  log files", flush=True)
        with _watching(root) as watch:
            for number in range(1, options.batches + 1):
                if number % options.every == 1:
                    wall, cpu = time.perf_counter(), _processor_seconds(watch.pid)
                _drop_batch(root, number, options.days)
                _await_batch(watch)
                if number % options.every == 0:
                    spent = time.perf_counter() - wall, _processor_seconds(watch.pid) - cpu
                    _report(root, watch.pid, number, *(seconds / options.every for seconds in spent))
                if number % options.maintain_every == 0:
                    subprocess.run([sys.executable, "-m", "takings", "maintain", str(root)], check=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--batches", type=int, default=5000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--every", type=int, default=100)
    parser.add_argument("--maintain-every", type=int, default=1000)
    return parser.parse_args()


@contextmanager
def _watching(root: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "takings", "watch", str(root), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=None, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


def _drop_batch(root: Path, number: int, days: int) -> None:
    day = datetime.fromtimestamp(_FIRST_DAY + number % days * 86400, UTC).date()
    header = "order_id,user_id,status,created_at,num_of_item"
    _drop(root, f"orders/{number}.csv", header, f"{number},{number % 99},shipped,{day}T12:00:00,1")
    header = "id,order_id,product_id,user_id,status,sale_price"
    _drop(root, f"order-items/{number}.csv", header, f"{number},{number},1,{number % 99},shipped,9.90")


def _drop(root: Path, file: str, *lines: str) -> None:
    """Put a file in place atomically."""
    draft = root.parent / "draft"
    draft.write_text("\n".join(lines) + "\n")
    draft.rename(root / "raw-data" / file)


def _await_batch(watch: subprocess.Popen[str]) -> None:
    """Wait until the batch of an order has ended; the product is in the first batch."""
    assert watch.stdout is not None
    while (line := watch.stdout.readline()) and not any(
        file["dataset"] == "order_items" for file in json.loads(line)["files"]
    ):
        pass
    assert line, f"the watch has ended: {watch.wait()}"


def _processor_seconds(process: int) -> float:
    """Return a process's processor seconds, as Linux counts them."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _report(root: Path, process: int, number: int, wall: float, cpu: float) -> None:
    status = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
    paths = [path for path in (root / "lake").rglob("*.*") if "commits" not in path.parts]
    logs = sum("_delta_log" in path.parts for path in paths)
    print(
        f"{number:7}  {1000 * wall:7.0f}  {1000 * cpu:6.0f}  {int(status['VmRSS'].split()[0]) / 1024:6.0f}"
        f"  {len(list(Path(f'/proc/{process}/fd').iterdir())):10}  {len(paths) - logs:10}  {logs:9}",
        flush=True,
    )


if __name__ == "__main__":
    main()
