"""Hold the command line's root: what all commands share."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

import takings
from takings.settings import EngineChoice

#: a file was rejected, a row quarantined, or a difference found
EXIT_REJECTED: Final = 1
#: the pipeline could not finish; it can be run again
EXIT_UNFINISHED: Final = 3
EXIT_INTERRUPTED: Final = 130

app = typer.Typer(
    help="Turn a shop's raw CSV drops into the day's takings.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Store = Annotated[str, typer.Argument(help="The store: a folder, or s3://bucket.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print only data, as JSON.")]
Engine = Annotated[
    EngineChoice | None, typer.Option("--engine", help="What computes the KPIs; both come to the same numbers.")
]
Contracts = Annotated[
    Path | None, typer.Option("--contracts", help="A folder of contracts instead of the shipped ones.")
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


def print_json(document: object) -> None:
    """Print a document and nothing else."""
    sys.stdout.write(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
