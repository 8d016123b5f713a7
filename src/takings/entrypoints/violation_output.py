"""Show people what is wrong with records of a file."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table

from takings.contracts.datasets import DropKind
from takings.contracts.model import Contracts
from takings.entrypoints.console import LONGEST_NAME, out
from takings.entrypoints.legible import cut, marked
from takings.validation.findings import Violation
from takings.validation.remedies import remedy_in


def show_violations(violations: Sequence[Violation], contracts: Contracts, kind: DropKind) -> None:
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
            marked(_advice(found, contracts, kind)),
        )
    out.print(table)


def _advice(found: Violation, contracts: Contracts, kind: DropKind) -> str:
    """Say what to do, and what is wrong where the column does not tell."""
    what_to_do = remedy_in(contracts, kind, found.rule)
    says_it_itself = found.record is None and ". " in found.reason
    if says_it_itself:
        return found.reason
    return what_to_do if found.column is not None else f"{found.reason.rstrip('.')}: {what_to_do}"
