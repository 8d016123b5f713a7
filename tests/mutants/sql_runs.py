"""Run the tests of SQL files once for each mutant, in processes that are forked from one that has imported everything."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from tests.mutants.parts import Part
from tests.mutants.results import Survivor, Tried
from tests.mutants.sql import Mutant, mutants
from tests.mutants.workspace import workspace

#: tests that noticed one mutant often notice the next one
_KILLERS: Final = "killers.txt"


def try_sql(name: str, part: Part) -> Tried:
    """Run the tests of one part over each mutant of its files."""
    with workspace(name) as folder:
        program = [sys.executable, "-m", "tests.mutants.sql_runs", *part.files, "--", *part.tests]
        environment = {**os.environ, "PYTHONPATH": f"{folder / 'src'}{os.pathsep}{folder}"}
        ended = subprocess.run(program, cwd=folder, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    lines = [line.split("\t") for line in ended.stdout.splitlines()]
    survivors = [
        Survivor(file=file, before=before, after=after)
        for verdict, file, before, after in lines
        if verdict == "survived"
    ]
    return Tried(made=len(lines), survivors=tuple(survivors))


class FirstTheKillers:
    """Runs the tests first that noticed the latest mutants, and notes which one notices this."""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Bring the latest killers to the front."""
        known = Path(_KILLERS).read_text(encoding="utf-8").splitlines() if Path(_KILLERS).exists() else []
        order = {node: place for place, node in enumerate(reversed(known))}
        items.sort(key=lambda item: order.get(item.nodeid, len(order)))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a killer."""
        if report.failed:
            with Path(_KILLERS).open("a", encoding="utf-8") as file:
                file.write(f"{report.nodeid}\n")


def _ended(tests: Sequence[str]) -> int:
    """Run the tests until the first fails, in a child; return how it ended."""
    child = os.fork()
    if child == 0:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        os._exit(int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests], plugins=[FirstTheKillers()])))
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _import_all(tests: Sequence[str]) -> None:
    """Import what the tests import, so that no child has to."""
    pytest.main(["--collect-only", "-qq", "-p", "no:cacheprovider", *tests])


def run(files: Sequence[str], tests: Sequence[str]) -> Iterator[tuple[str, str, Mutant]]:
    """Yield verdict, file and mutant; the files are changed in place."""
    if _ended(tests) != 0:
        sys.exit(f"the tests fail without any change: {' '.join(tests)}")
    for file in files:
        path = Path(file)
        original = path.read_text(encoding="utf-8")
        for mutant in mutants(original):
            path.write_text(mutant.text, encoding="utf-8")
            yield "survived" if _ended(tests) == 0 else "killed", file, mutant
        path.write_text(original, encoding="utf-8")


def main(arguments: list[Any]) -> None:
    """Print one line for each mutant."""
    split = arguments.index("--")
    files, tests = arguments[:split], arguments[split + 1 :]
    shown, quiet = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    _import_all(tests)
    os.dup2(shown, 1)
    for verdict, file, mutant in run(files, tests):
        print(verdict, file, mutant.before, mutant.after, sep="\t", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
