"""Make a sample shop's drops: `takings generate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from takings.api.beginning import generate as make_files
from takings.composition.sample_shops import Generated, ShopFormat
from takings.entrypoints.console import out


def generate(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where the drops go, e.g. STORE/raw-data.")],
    orders: Annotated[int, typer.Option(min=1, help="How many orders; about three items each.")],
    seed: Annotated[int, typer.Option(help="The same seed makes the same bytes.")] = 1,
    days: Annotated[int, typer.Option(min=1, help="Over how many days.")] = 90,
    parts: Annotated[int, typer.Option(min=1, help="In how many files of orders and of items.")] = 1,
    format_: Annotated[ShopFormat, typer.Option("--format", help="Whose export it looks like.")] = ShopFormat.PLAIN,
    dirty: Annotated[str, typer.Option(metavar="PERCENT", help="Percentage of damaged records.")] = "0",
    flat: Annotated[bool, typer.Option("--flat", help="Put all files into DIR itself, without folders.")] = False,
) -> None:
    """Make a sample shop's files to try things out; the same seed makes the same bytes."""
    made = make_files(directory, orders, seed=seed, days=days, parts=parts, format=format_, dirty=dirty, flat=flat)
    show_generated(directory, made)


def show_generated(directory: Path, made: Generated) -> None:
    """Print what was made, and where."""
    damaged = f", {made.damaged:,} damaged records" if made.damaged else ""
    out.print(
        f"{directory}: {len(made.files)} files with {made.products:,} products, {made.orders:,} orders and"
        f" {made.items:,} items{damaged}",
        highlight=False,
        soft_wrap=True,
    )
