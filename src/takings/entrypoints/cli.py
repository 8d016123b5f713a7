"""Run the command line: every failure ends with a sentence and an exit code, never with a traceback."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Callable
from typing import Annotated, Final

import typer
from typer._click.core import Context

import takings
from takings.entrypoints import commands
from takings.entrypoints.app import EXIT_INTERRUPTED, EXIT_UNFINISHED
from takings.entrypoints.commands import aws as aws_commands
from takings.entrypoints.faults import explain_memory_error, explain_os_error
from takings.entrypoints.legible import LegibleFormatter, marked
from takings.entrypoints.listed import ListedCommands
from takings.entrypoints.streams import unbroken_pipes
from takings.errors import MachineryError, TakingsError, cause_of

#: after so many new objects, Python looks for cycles among them; its own number is 700
_NEW_OBJECTS: Final = 10_000


class _Commands(ListedCommands):
    """Run commands; report a broken connection as a failure (Typer would exit with 1, as if a file had been rejected)."""

    package = commands.__name__
    listed = commands.COMMANDS

    def invoke(self, ctx: Context) -> object:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as broken:
            raise MachineryError(explain_os_error(broken)) from broken


class _AwsCommands(ListedCommands):
    """The commands for a store on AWS."""

    package = aws_commands.__name__
    listed = aws_commands.AWS_COMMANDS


app = typer.Typer(
    cls=_Commands,
    help="Turn a shop's raw CSV drops into the day's takings.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
aws = typer.Typer(
    cls=_AwsCommands, help="Set up a store and its pipeline on AWS, and operate them.", no_args_is_help=True
)
app.add_typer(aws, name="aws")


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


def main(work: Callable[[], object] = app) -> None:
    """Run the command line, or another entrypoint's part of it, and end the process."""
    # Modules and listings are many objects and hardly a cycle; looking for cycles as often as Python does takes a tenth longer.
    gc.set_threshold(_NEW_OBJECTS)
    # We have no plugin for pydantic, and it reads what every installed package says of itself to find one.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    with unbroken_pipes():
        _run(work)


def _run(work: Callable[[], object]) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LegibleFormatter("%(asctime)s %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    try:
        work()
    except TakingsError as failure:
        _say(str(failure))
        sys.exit(failure.exit_code)
    except KeyboardInterrupt:
        _say("interrupted; run it again and it continues where it stopped")
        sys.exit(EXIT_INTERRUPTED)
    except OSError as refused:
        logging.getLogger("takings").info("fault", exc_info=refused)
        _say(explain_os_error(refused))
        sys.exit(EXIT_UNFINISHED)
    except MemoryError as full:
        logging.getLogger("takings").info("fault", exc_info=full)
        _say(explain_memory_error())
        sys.exit(EXIT_UNFINISHED)
    except Exception as fault:
        logging.getLogger("takings").info("fault", exc_info=fault)
        _say(
            f"unexpected fault: {type(fault).__name__}: {cause_of(fault)}. It is safe to run again;"
            " `takings --verbose …` shows where it happened."
        )
        sys.exit(EXIT_UNFINISHED)


def _say(text: str) -> None:
    # Only a failure needs it, and every command can do without it.
    from takings.entrypoints.console import err

    err.print(f"[red]takings:[/] {marked(text)}", highlight=False, soft_wrap=True)


__all__ = ["app", "main"]
