"""Run the command line: every failure ends with a sentence and an exit code, never with a traceback."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Final

import typer

from takings.entrypoints.app import EXIT_INTERRUPTED, EXIT_UNFINISHED, app
from takings.entrypoints.commands.adopt import adopt
from takings.entrypoints.commands.aws.athena import athena
from takings.entrypoints.commands.aws.bootstrap import bootstrap
from takings.entrypoints.commands.aws.deploy import deploy
from takings.entrypoints.commands.aws.destroy import destroy
from takings.entrypoints.commands.aws.doctor import doctor
from takings.entrypoints.commands.aws.export import export
from takings.entrypoints.commands.aws.redrive import redrive
from takings.entrypoints.commands.batches import batches
from takings.entrypoints.commands.demo import demo
from takings.entrypoints.commands.explain import explain
from takings.entrypoints.commands.generate import generate
from takings.entrypoints.commands.kpis import kpis
from takings.entrypoints.commands.maintain import maintain
from takings.entrypoints.commands.rebuild import rebuild
from takings.entrypoints.commands.replay import replay
from takings.entrypoints.commands.restate import restate
from takings.entrypoints.commands.run import run
from takings.entrypoints.commands.serve import serve
from takings.entrypoints.commands.status import status
from takings.entrypoints.commands.unblock import unblock
from takings.entrypoints.commands.validate import validate
from takings.entrypoints.commands.verify import verify
from takings.entrypoints.commands.watch import watch
from takings.entrypoints.console import err
from takings.entrypoints.faults import explain_memory_error, explain_os_error
from takings.entrypoints.legible import LegibleFormatter, marked
from takings.entrypoints.streams import unbroken_pipes
from takings.errors import TakingsError, cause_of

#: in the order in which `--help` shows them
COMMANDS: Final[tuple[Callable[..., None], ...]] = (
    batches,
    kpis,
    explain,
    verify,
    restate,
    replay,
    rebuild,
    run,
    status,
    maintain,
    unblock,
    generate,
    demo,
    serve,
    validate,
    adopt,
    watch,
)
AWS_COMMANDS: Final[tuple[Callable[..., None], ...]] = (bootstrap, doctor, redrive, destroy, export, athena)

aws = typer.Typer(help="Set up a store and its pipeline on AWS, and operate them.", no_args_is_help=True)
for command in AWS_COMMANDS:
    aws.command()(command)
aws.add_typer(deploy, name="deploy")
for command in COMMANDS:
    app.command()(command)
app.add_typer(aws, name="aws")


def main(work: Callable[[], object] = app) -> None:
    """Run the command line, or another entrypoint's part of it, and end the process."""
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
    err.print(f"[red]takings:[/] {marked(text)}", highlight=False, soft_wrap=True)


__all__ = ["app", "main"]
