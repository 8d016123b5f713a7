"""Let mutmut change the Python of one part, and read what it found."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.mutants.parts import Part
from tests.mutants.results import Survivor, Tried
from tests.mutants.workspace import workspace

#: what a test run ends with that noticed nothing: 0 passed, 5 and 33 no test came that way, None not tried
_UNNOTICED: Final = {0, 5, 33, None}


def try_python(name: str, part: Part) -> Tried:
    """Run mutmut over a part's files; CalledProcessError where the unchanged tests fail."""
    with workspace(name) as folder:
        with (folder / "pyproject.toml").open("a", encoding="utf-8") as project:
            project.write(_settings(part))
        mutmut = Path(sys.executable).with_name("mutmut")
        with (folder / "mutmut.log").open("w", encoding="utf-8") as log:
            subprocess.run([mutmut, "run", "--max-children", "1"], cwd=folder, check=True, stdout=log, stderr=log)
        made, survivors = 0, []
        for file in part.files:
            ended = json.loads((folder / "mutants" / f"{file}.meta").read_text())["exit_code_by_key"]
            made += len(ended)
            unnoticed = [mutant for mutant, code in ended.items() if code in _UNNOTICED]
            survivors += [_survivor(folder, mutmut, file, mutant) for mutant in unnoticed]
    return Tried(made=made, survivors=tuple(survivors))


def _settings(part: Part) -> str:
    """Return the settings of mutmut; what it copies beside is not changed."""
    settings = {
        "source_paths": ["src"],
        "only_mutate": list(part.files),
        "also_copy": ["tests", "tools"],
        "pytest_add_cli_args": ["-p", "no:cacheprovider"],
        "pytest_add_cli_args_test_selection": list(part.tests),
        # Workers are forked from a process that has started neither DuckDB nor a thread.
        "process_isolation": "forkserver",
    }
    written = "\n".join(f"{key} = {json.dumps(value)}" for key, value in settings.items())
    return f"\n[tool.mutmut]\n{written}\nuse_git_change_detection = false\ntrack_dependencies = false\n"


def _survivor(folder: Path, mutmut: Path, file: str, mutant: str) -> Survivor:
    shown = subprocess.run([mutmut, "show", mutant], cwd=folder, check=True, capture_output=True, text=True).stdout
    return Survivor(file=file, before=" ".join(_lines(shown, "-")), after=" ".join(_lines(shown, "+")))


def _lines(diff: str, sign: str) -> Iterator[str]:
    """Yield the lines that a diff takes away or adds."""
    for line in diff.splitlines():
        if line.startswith(sign) and not line.startswith(sign * 3):
            yield " ".join(line[1:].split())
