"""Be the command line: every failure ends in a sentence and its exit code, never in a traceback."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Final

from takings.entrypoints import (
    aws,
    deploying,
    exporting,
    history,
    looking,
    proving,
    repeating,
    running,
    sampling,
    serving,
    validating,
    watching,
)
from takings.entrypoints.app import EXIT_INTERRUPTED, EXIT_UNFINISHED, app
from takings.entrypoints.console import err
from takings.entrypoints.faults import explain_memory_error, explain_os_error
from takings.entrypoints.legible import LegibleFormatter, marked
from takings.entrypoints.streams import unbroken_pipes
from takings.errors import TakingsError, cause_of

#: the modules whose import registers the commands, in the order in which help shows them
COMMANDS: Final = (
    sampling,
    running,
    watching,
    looking,
    serving,
    history,
    proving,
    repeating,
    validating,
    aws,
    deploying,
    exporting,
)


def main(work: Callable[[], object] = app) -> None:
    """Run the command line, or what another entrypoint makes of it, and end the process."""
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
        _say("interrupted; run it again and it goes on where it was")
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


__all__ = ["COMMANDS", "app", "main"]
