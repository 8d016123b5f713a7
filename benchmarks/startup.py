"""Measure how long short commands take, compared with `import duckdb` in the same run.

python benchmarks/startup.py [--rounds 9] [--files 100000]

Every round runs each command once, one after the other, in a process of its own. Times are medians of its processor seconds
(user and system) and of its wall clock. The first round only fills caches. Modules are compiled to bytecode, as pip leaves
them. With `--files`, the last line is `takings status` over so many pending files of one row.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

_FLOOR = "python -c 'import duckdb'"
_ORDER = "order_id,user_id,status,created_at,returned_at,shipped_at,delivered_at,num_of_item\n"
_TAKINGS = (sys.executable, "-m", "takings")
#: processor seconds and wall clock of one process
Spent = tuple[float, float]


def main() -> None:
    """Print a line for each command."""
    options = _options()
    with TemporaryDirectory() as folder:
        store = Path(folder, "shop")
        _takings("generate", str(store / "raw-data"), "--orders", "300", "--days", "30")
        _takings("run", str(store), "--now")
        measured = _measured(_commands(str(store)), options.rounds)
        floor = statistics.median(cpu for cpu, _ in measured[_FLOOR])
        print("processor s  wall s  x import duckdb  command")
        for name, spent in measured.items():
            cpu, wall = (statistics.median(each) for each in zip(*spent, strict=True))
            print(f"{cpu:11.3f}  {wall:6.3f}  {cpu / floor:15.2f}  {name}")
        if options.files:
            _drop(Path(folder, "many"), options.files)
            (spent,) = _measured({"": (*_TAKINGS, "status", str(Path(folder, "many")))}, 3).values()
            cpu, wall = (statistics.median(each) for each in zip(*spent, strict=True))
            print(f"{cpu:11.3f}  {wall:6.3f}  {'':15}  takings status STORE, with {options.files:,} pending files")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--files", type=int, default=100_000)
    return parser.parse_args()


def _commands(store: str) -> Mapping[str, Sequence[str]]:
    """Return what is measured, by the name to print."""
    asked = {
        "takings --version": ("--version",),
        "takings --help": ("--help",),
        "takings kpis --help": ("kpis", "--help"),
        "takings run --help": ("run", "--help"),
        "takings status STORE": ("status", store),
        "takings kpis STORE": ("kpis", store),
        "takings kpis STORE --format csv": ("kpis", store, "--format", "csv"),
        "takings explain STORE DATE": ("explain", store, "2025-01-05"),
    }
    return {_FLOOR: (sys.executable, "-c", "import duckdb")} | {
        name: (*_TAKINGS, *arguments) for name, arguments in asked.items()
    }


def _measured(commands: Mapping[str, Sequence[str]], rounds: int) -> dict[str, list[Spent]]:
    spent: dict[str, list[Spent]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, command in commands.items():
            once = _spent(command)
            if number:
                spent[name].append(once)
    return spent


def _spent(command: Sequence[str]) -> Spent:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, env=_environment(), check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def _takings(*arguments: str) -> None:
    subprocess.run([*_TAKINGS, *arguments], env=_environment(), check=True, stdout=subprocess.DEVNULL)


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _drop(root: Path, files: int) -> None:
    orders = root / "raw-data" / "orders"
    orders.mkdir(parents=True)
    for number in range(1, files + 1):
        row = f"{number},8,delivered,2025-01-{number % 28 + 1:02d}T00:27:47,,,,1\n"
        (orders / f"o{number}.csv").write_text(_ORDER + row)


if __name__ == "__main__":
    main()
