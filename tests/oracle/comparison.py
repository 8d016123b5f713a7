"""Compare what `takings kpis` prints about a store with what the oracle computes from the store's originals."""

from __future__ import annotations

import difflib
import subprocess
import sys
from pathlib import Path

from tests.oracle.kpis import Lake, category_kpis, counted_items, kpis_csv, order_kpis, waiting_orphans
from tests.oracle.store import read_store

#: differing lines to show for each of the two tables
SHOWN = 20


def compare(folder: Path) -> list[str]:
    """Return the lines where oracle and Takings differ on a store; none if both are the same, byte for byte."""
    lake = read_store(folder)
    return [
        *differences("by day", kpis_csv(order_kpis(lake), "day"), *printed(folder, "day")),
        *differences("by category", kpis_csv(category_kpis(lake), "category"), *printed(folder, "category")),
    ]


def printed(folder: Path, by: str) -> tuple[str, str]:
    """Return what `takings kpis` prints, and its errors if it fails."""
    command = [sys.executable, "-m", "takings", "kpis", str(folder), "--by", by, "--format", "csv"]
    done = subprocess.run(command, capture_output=True, check=False)
    complaint = f"takings kpis ended with exit code {done.returncode}: {done.stderr.decode(errors='replace').strip()}"
    return done.stdout.decode(errors="backslashreplace"), complaint if done.returncode else ""


def differences(name: str, expected: str, actual: str, complaint: str = "") -> list[str]:
    """Return the first differing lines as a unified diff, oracle against Takings, after any error."""
    found = [f"{name}: {complaint}"] if complaint else []
    if expected == actual:
        return found
    old, new = (text.replace("\r", "\\r").split("\n") for text in (expected, actual))
    shown = 0
    for line in difflib.unified_diff(old, new, f"oracle, {name}", f"takings, {name}", n=0, lineterm=""):
        shown += line.startswith(("+", "-")) and not line.startswith(("+++ ", "--- "))
        if shown > SHOWN:
            return [*found, "…"]
        found.append(line)
    return found


def compared(lake: Lake) -> str:
    """Return one line that says how much was compared."""
    return (
        f"No difference: {len(order_kpis(lake))} days, {len(category_kpis(lake))} category rows, "
        f"{len(lake.orders)} orders, {len(counted_items(lake))} items, {len(waiting_orphans(lake))} waiting orphans."
    )
