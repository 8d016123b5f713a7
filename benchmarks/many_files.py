"""Measure the cost of many small files: `takings status` and `takings run --now` over files of one row, with 256 open files.

python benchmarks/many_files.py [--files 100000] [--zone UTC] [--open-files 256]

The store has one product, one item and `--files` orders on 28 days. Memory is the run's highest resident set in each tenth of
the time.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

_ORDER = "order_id,user_id,status,created_at,returned_at,shipped_at,delivered_at,num_of_item\n"
_ITEM = "id,order_id,user_id,product_id,status,created_at,shipped_at,delivered_at,returned_at,sale_price\n"
_PRODUCT = "id,sku,cost,category,name,brand,retail_price,department\n"
_LOOK_SECONDS = 0.5


def main() -> None:
    """Print a line for the status and one for the run."""
    options = _options()
    with TemporaryDirectory() as folder:
        root = Path(folder, "shop")
        _drop(root, options.files, options.zone)
        seconds, processor, peaks, text = _takings("status", str(root), "--json", open_files=options.open_files)
        assert json.loads(text)["pending"]["orders"] == options.files, text
        print(f"status: {seconds:.1f} s, {processor:.1f} processor seconds, peak {max(peaks):.0f} MB", flush=True)
        seconds, processor, peaks, text = _takings("run", str(root), "--now", open_files=options.open_files)
        assert "nothing more is pending" in text, text
        print(
            f"run: {text.count('commit ')} batches in {seconds:.0f} s, {1000 * processor / options.files:.1f} processor ms and"
            f" {1000 * seconds / options.files:.1f} ms of wall a file"
        )
        tenth = max(1, len(peaks) // 10)
        highest = (max(peaks[first : first + tenth]) for first in range(0, len(peaks), tenth))
        print(f"memory over the run, MB: {', '.join(f'{peak:.0f}' for peak in highest)}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--zone", default="UTC")
    parser.add_argument("--open-files", type=int, default=256)
    return parser.parse_args()


def _drop(root: Path, files: int, zone: str) -> None:
    for folder in ("products", "orders", "order-items"):
        (root / "raw-data" / folder).mkdir(parents=True)
    (root / "takings.toml").write_text(f'time_zone = "{zone}"\n')
    (root / "raw-data" / "products" / "p.csv").write_text(f"{_PRODUCT}1,1,5.00,Jeans,n,b,10.00,Kids\n")
    (root / "raw-data" / "order-items" / "i.csv").write_text(f"{_ITEM}1,1,8,1,delivered,,,,,10.00\n")
    orders = root / "raw-data" / "orders"
    for number in range(1, files + 1):
        row = f"{number},8,delivered,2025-01-{number % 28 + 1:02d}T00:27:47,,,,1\n"
        (orders / f"o{number}.csv").write_text(_ORDER + row)


def _takings(*arguments: str, open_files: int) -> tuple[float, float, list[float], str]:
    """Run the command line; return its seconds, its processor seconds, samples of its memory in MB, and its output."""
    began, peaks = time.perf_counter(), [0.0]
    with subprocess.Popen(
        [sys.executable, "-m", "takings", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (open_files, open_files)),
    ) as process:
        processor = 0.0
        while process.poll() is None:
            peaks.append(_resident_mb(process.pid) or peaks[-1])
            processor = _processor_seconds(process.pid) or processor
            time.sleep(_LOOK_SECONDS if len(peaks) > 20 else 0.02)
        assert process.stdout is not None
        text = process.stdout.read()
        assert process.returncode == 0, text
    return time.perf_counter() - began, processor, peaks[1:], text


def _resident_mb(process: int) -> float:
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def _processor_seconds(process: int) -> float:
    """Return a process's processor seconds, as Linux counts them."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
