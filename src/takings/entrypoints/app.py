"""Define the command line's root: what all commands share."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated, Final

import typer
from typer._click.core import Context
from typer.core import TyperGroup

import takings
from takings.entrypoints import legible
from takings.entrypoints.faults import explain_os_error
from takings.errors import MachineryError
from takings.settings import EngineChoice

#: a file was rejected, a row was quarantined, or a difference was found
EXIT_REJECTED: Final = 1
#: the pipeline could not finish; it can be run again
EXIT_UNFINISHED: Final = 3
EXIT_INTERRUPTED: Final = 130


class _Commands(TyperGroup):
    """Run commands; report a broken connection as a failure (Typer would exit with 1, as if a file had been rejected)."""

    def invoke(self, ctx: Context) -> object:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as broken:
            raise MachineryError(explain_os_error(broken)) from broken


app = typer.Typer(
    cls=_Commands,
    help="Turn a shop's raw CSV drops into the day's takings.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

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


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        sys.stdout.write(f"takings {takings.__version__}\n")
        raise typer.Exit


@app.callback()
def _options(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log every step to stderr.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and end.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    if verbose:
        logging.getLogger("takings").setLevel(logging.INFO)


def print_text(text: str) -> None:
    """Print text for programs: unchanged, except on a terminal, which would obey control characters in it."""
    if sys.stdout.isatty():
        text = legible.legible(text, keep="\n")
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))


def print_json(document: object) -> None:
    """Print a document and nothing else."""
    sys.stdout.write(legible.as_json(document, indent=1) + "\n")
