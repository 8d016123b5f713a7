"""Define what all commands share: exit codes, and how data are printed."""

from __future__ import annotations

import sys
from typing import Final

from takings.entrypoints import legible

#: a file was rejected, a row was quarantined, or a difference was found
EXIT_REJECTED: Final = 1
#: the pipeline could not finish; it can be run again
EXIT_UNFINISHED: Final = 3
EXIT_INTERRUPTED: Final = 130


def print_text(text: str) -> None:
    """Print text for programs: unchanged, except on a terminal, which would obey control characters in it."""
    if sys.stdout.isatty():
        text = legible.legible(text, keep="\n")
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))


def print_json(document: object) -> None:
    """Print a document and nothing else."""
    sys.stdout.write(legible.as_json(document, indent=1) + "\n")
