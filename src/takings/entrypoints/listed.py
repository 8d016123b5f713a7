"""Know every command by its name and summary, and load the module of the one that is asked for.

To load them all takes many times as long as `takings --version`, a list of the commands, or a completion.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer._click.core import Command, Context
from typer.core import TyperCommand, TyperGroup


class ListedCommands(TyperGroup):
    """A group that lists its commands without loading them."""

    #: the package with a module for each command
    package: ClassVar[str]
    #: name -> summary
    listed: ClassVar[Mapping[str, str]]

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - Typer's own
        commands = {name: TyperCommand(name, help=summary) for name, summary in self.listed.items()}
        super().__init__(**options | {"commands": commands | options["commands"]})

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        """Find the command that the arguments name, to run it, show its help or complete its options."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command if name is None else self.loaded(name), rest

    def loaded(self, name: str) -> Command:
        """Return a command of the group with its options."""
        if name not in self.listed:
            return self.commands[name]
        found = getattr(import_module(f"{self.package}.{name}"), name)
        if not isinstance(found, typer.Typer):
            app = typer.Typer(add_completion=False)
            app.command()(found)
            found = app
        command = typer.main.get_command(found)
        command.name = name
        return command
