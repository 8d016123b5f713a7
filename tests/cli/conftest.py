"""What every test of the command line needs: something like a terminal."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from takings.entrypoints import cli
from takings.entrypoints.console import out as console
from tests.cli.terminal import Ended, Takings


@pytest.fixture
def takings(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path) -> Takings:
    """Return a function that runs a command through `main`, like a shell, in a folder without settings."""
    for name in [name for name in os.environ if name.startswith("TAKINGS_")]:
        monkeypatch.delenv(name)
    # As wide as a pipe, whatever pytest says that a terminal has.
    monkeypatch.setattr(console, "width", 160)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")

    def command(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["takings", *map(str, arguments)])
        capfdbinary.readouterr()
        code: Any = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return Ended(code=code or 0, out=out.decode(), err=err.decode())

    return command
