"""Write docs/commands.md, every command with its arguments and options, from the command line itself.

python -m tools.commands          prints the page
python -m tools.commands --write  puts it into docs/
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import typer
from typer._click.core import Context

from takings.entrypoints.cli import app
from takings.entrypoints.listed import ListedCommands

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "commands.md"
_HEAD: Final = """# Commands

Every command with its arguments and options, as `--help` shows them. `python -m tools.commands --write` writes it; a test
compares it with the command line. A `store` is a folder or `s3://bucket`.
Exit codes: [operations](operations.md#exit-codes). What options share with `takings.toml`: [settings](settings.md).
"""
#: options that say nothing about a command
_OF_EVERY_COMMAND: Final = {"help", "install_completion", "show_completion"}


def commands(group: Any, names: tuple[str, ...] = ("takings",)) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - Typer's own Click
    """Yield each command with its full name; a command that has others comes before them."""
    yield " ".join(names), group
    for name, command in getattr(group, "commands", {}).items():
        found = group.loaded(name) if isinstance(group, ListedCommands) else command
        yield from commands(found, (*names, name))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def section(name: str, command: Any) -> str:  # noqa: ANN401
    """Return a command's heading, what it does, and its parameters."""
    said = "\n\n".join(" ".join(part.split()) for part in (command.help or "").split("\n\n"))
    # A context says how a parameter is shown; nothing is run with it.
    context = Context(command, info_name=name)
    records = [each.get_help_record(context) for each in command.params if each.name not in _OF_EVERY_COMMAND]
    rows = [f"| `{_cell(typed)}` | {_cell(meaning)} |" for typed, meaning in filter(None, records)]
    table = ["| | |\n|---|---|\n" + "\n".join(rows)] if rows else []
    return "\n\n".join([f"## {name}", said, *table]) + "\n"


def page() -> str:
    """Return the whole page."""
    return "\n".join([_HEAD, *(section(name, command) for name, command in commands(typer.main.get_command(app)))])


def main() -> None:
    """Print the page, or write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put it into docs/commands.md")
    if parser.parse_args().write:
        PAGE.write_text(page(), encoding="utf-8")
    else:
        sys.stdout.write(page())


if __name__ == "__main__":
    main()
