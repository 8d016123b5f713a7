"""Let a real Spark cluster do everything that DuckDB does, also while its workers and its drivers die, and compare.

`python -m tests.cluster --items 1000000`; one part of it: `… --parts golden`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tests.cluster import deaths, golden, histories, shop


def main(arguments: list[str]) -> int:
    """Run the parts that are asked for, one after the other; print how each went."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--items", type=int, default=1_000_000, help="how many items the shop has at least")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    asked = parser.parse_args(arguments)
    for part in asked.parts:
        folder = Path(tempfile.mkdtemp(prefix=f"takings-cluster-{part}-"))
        PARTS[part](folder, asked.items)
        shutil.rmtree(folder)
    return 0


#: each gets a folder of its own, and how many items a large shop has
PARTS: Final[Mapping[str, Callable[[Path, int], None]]] = {
    "shop": shop.try_shop,
    "merge": shop.try_merge,
    "golden": lambda folder, _: golden.try_cases(folder),
    "histories": lambda folder, _: histories.try_histories(folder),
    "deaths": lambda folder, _: deaths.try_deaths(folder),
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
