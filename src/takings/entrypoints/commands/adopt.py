"""Propose contracts for a shop's own files, try them out, and write them: `takings adopt`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Final

import typer
from rich import box
from rich.table import Table

from takings.adoption.proposal import Proposal, ProposedContract
from takings.api.beginning import adopt as look_at
from takings.composition.adopting import Adoption, Tried, check_new
from takings.entrypoints import console, run_output
from takings.entrypoints.app import EXIT_REJECTED
from takings.entrypoints.console import out
from takings.entrypoints.legible import cut, marked
from takings.errors import UsageError

_LONGEST: Final = 40
#: signs that nobody would see
_SIGNS: Final[dict[object, str]] = {"\t": "a tab", " ": "a blank", "\u00a0": "a no-break space"}


def adopt(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Exports of your shop, at least one of each kind.")
    ],
    into: Annotated[Path, typer.Option("--into", metavar="DIR", help="The store that gets the contracts.")] = Path(
        "shop"
    ),
    profile: Annotated[
        str | None, typer.Option("--profile", metavar="NAME", help="Whose exports they are, instead of finding out.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Write what is proposed without asking.")] = False,
) -> None:
    """Look at your shop's files, propose contracts, try them out on the same files, and write them into a store."""
    if str(into).startswith("s3:"):
        raise UsageError(
            "a store is adopted into a folder. Name one, look at it, and copy its contracts into the bucket."
        )
    check_new(into)
    adoption = look_at(files, profile=profile)
    if adoption.proposal is None:
        _show_profile(adoption)
    else:
        _show_proposal(adoption.proposal)
    for sentence in adoption.missing:
        out.print(f"[red]missing[/] {marked(sentence)}", highlight=False, soft_wrap=True)
    if adoption.missing:
        raise UsageError("these files are not enough for KPIs. Nothing was written.")
    tried = adoption.try_out()
    _show_tried(tried)
    _write(adoption, into, yes=yes)
    if tried.has_rejections:
        raise typer.Exit(EXIT_REJECTED)


def _show_profile(adoption: Adoption) -> None:
    """Print which profile reads the files, and where each belongs."""
    out.print(
        f"these are files of the profile [bold]{adoption.profile}[/] (docs/profiles.md):",
        highlight=False,
        soft_wrap=True,
    )
    for look in adoption.files:
        for name in look.names:
            out.print(f"  {marked(name)} into raw-data/{adoption.folders[name]}/", highlight=False, soft_wrap=True)


def _show_proposal(proposal: Proposal) -> None:
    """Print what was guessed."""
    for proposed in proposal.contracts.values():
        _show(proposed)
    for name in proposal.left_out:
        out.print(
            f"[yellow]left out[/] {marked(name)}: it fits no dataset, or another file fits that dataset better",
            highlight=False,
            soft_wrap=True,
        )
    for sentence in proposal.notes:
        out.print(f"[yellow]look at[/] {marked(sentence)}", highlight=False, soft_wrap=True)
    for sentence in proposal.stand_ins:
        out.print(f"[yellow]stands in[/] {marked(sentence)}", highlight=False, soft_wrap=True)


def _show(proposed: ProposedContract) -> None:
    """Print which column is read from which, and why."""
    guess = proposed.guess
    unusual = ", ".join(f"{key} {_SIGNS.get(value, value)}" for key, value in proposed.file.items())
    out.print(
        f"[bold]{guess.dataset}[/] from {marked(', '.join(guess.file.names))}: {console.count(guess.file.records, 'record')}"
        + (f"; {unusual}" if unusual else ""),
        highlight=False,
        soft_wrap=True,
    )
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in ("column", "read from", "type", "remark"):
        table.add_column(heading, overflow="fold")
    for column in proposed.columns:
        source = (
            column.fields.get("physicalName") or column.custom.get("takingsFrom") or column.custom.get("takingsDefault")
        )
        options = column.fields.get("logicalTypeOptions", {})
        table.add_row(
            column.name,
            marked(cut(str(source or ("–" if column.comment.startswith("no column") else column.name)), _LONGEST)),
            " ".join(
                filter(
                    None, [column.fields["logicalType"], options.get("format"), column.custom.get("takingsCurrency")]
                )
            ),
            marked(column.comment),
        )
    out.print(table)


def _show_tried(tried: Tried) -> None:
    """Print what a run over the files came to."""
    out.print("\ntried on a copy of these files:", highlight=False)
    for batch in tried.batches:
        run_output.show_batch(batch)
    console.show_incomplete(tried.incomplete)
    if tried.days:
        first, last = tried.days[0].key[0], tried.days[-1].key[0]
        out.print(
            f"[green]{console.count(len(tried.days), 'day')}[/] from {first} to {last}:"
            f" {int(tried.total('total_orders')):,} orders, {int(tried.total('total_items_sold')):,} items,"
            f" {tried.total('total_revenue'):,.2f} revenue, {tried.total('net_revenue'):,.2f} net",
            highlight=False,
        )


def _write(adoption: Adoption, into: Path, *, yes: bool) -> None:
    """Make the store once somebody agrees."""
    if not yes:
        if not sys.stdin.isatty():
            out.print(
                "Nothing was written. Use --yes to write this, or run the command in a terminal.", highlight=False
            )
            return
        try:
            is_agreed = typer.confirm(f"Make a store in {into} that reads such files?")
        except typer.Abort as broken_off:
            raise KeyboardInterrupt from broken_off
        if not is_agreed:
            out.print("Nothing was written.", highlight=False)
            return
    adoption.write(into)
    folders = sorted({f"{into}/raw-data/{folder}" for folder in adoption.folders.values()})
    lines = [
        f"written: {into / 'takings.toml'}",
        "Days are cut in UTC unless `time_zone` there says otherwise.",
        "Next, copy the files (cp -p keeps their times) into",
        *(f"  {folder}/" for folder in folders),
        "and then",
        f"  takings run {shlex.quote(str(into))} --now",
    ]
    for line in lines:
        # Each is to be copied as it is, so it stays in one line.
        out.print(marked(line), highlight=False, soft_wrap=True, no_wrap=True)
