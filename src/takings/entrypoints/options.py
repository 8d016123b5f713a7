"""Define the options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from takings.settings import EngineChoice

Store = Annotated[str, typer.Argument(help="The store: a folder, or s3://bucket.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print only data, as JSON.")]
Engine = Annotated[
    EngineChoice | None, typer.Option("--engine", help="What computes the KPIs; both return the same numbers.")
]
SpreadsheetSafe = Annotated[
    bool,
    typer.Option(
        "--spreadsheet-safe",
        help="With --format csv: put a ' before each text that a spreadsheet would take for a formula.",
    ),
]
Contracts = Annotated[
    Path | None,
    typer.Option("--contracts", help="A folder of contracts, or profile:NAME, instead of the shipped ones."),
]
