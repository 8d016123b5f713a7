"""Show people what is wrong with records of a file."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table

from takings.entrypoints.console import LONGEST_NAME, out
from takings.entrypoints.legible import cut, marked
from takings.validation.findings import Finding


def show_violations(violations: Sequence[Finding]) -> None:
    """Print violations as a table: where, which rule, what the value looks like, what to do."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("line", justify="right", no_wrap=True)
    for column in ("column", "rule", "looks like", "what to do"):
        table.add_column(column, overflow="fold")
    for found in violations:
        table.add_row(
            "–" if found.line is None else f"{found.line:,}",
            marked(cut(found.column or "–", LONGEST_NAME)),
            found.rule.partition("|")[2],
            marked(cut(found.shape or "–", LONGEST_NAME)),
            marked(_advice(found)),
        )
    out.print(table)


def _advice(found: Finding) -> str:
    """Say what to do, and what is wrong where the column does not tell."""
    says_it_itself = found.record is None and ". " in found.reason
    if says_it_itself:
        return found.reason
    return found.remedy if found.column is not None else f"{found.reason.rstrip('.')}: {found.remedy}"
