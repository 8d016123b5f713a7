"""Try the changes of one part, in copies of what tests need, in which files may be changed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from tests.mutants.parts import Part
from tests.mutants.results import Survivor, Tried

ROOT: Final = Path(__file__).resolve().parent.parent.parent
_NEEDED: Final = ("src", "tests", "tools", "sample", "pyproject.toml")
#: processes that share the changes, each with a copy of its own; as many as the smallest machines have processors
_SHARES: Final = 2
_RESULTS: Final = "results.jsonl"


def try_part(name: str, part: Part) -> Tried:
    """Run the tests of one part over each change of its files; CalledProcessError where the unchanged tests fail."""
    with ExitStack() as stack:
        folders = [stack.enter_context(workspace(f"{name}-{share}")) for share in range(_SHARES)]
        begun = [_begin(folder, share, part) for share, folder in enumerate(folders)]
        for process in begun:
            if process.wait() != 0:
                raise subprocess.CalledProcessError(process.returncode, process.args)
        lines = [json.loads(line) for folder in folders for line in (folder / _RESULTS).read_text().splitlines()]
    survivors = (line for line in lines if not line.pop("is_noticed"))
    return Tried(made=len(lines), survivors=tuple(Survivor(**line) for line in survivors))


def _begin(folder: Path, share: int, part: Part) -> subprocess.Popen[bytes]:
    program = [
        sys.executable,
        "-m",
        "tests.mutants.runs",
        _RESULTS,
        str(share),
        str(_SHARES),
        *part.files,
        "--",
        *part.tests,
    ]
    environment = {**os.environ, "PYTHONPATH": f"{folder / 'src'}{os.pathsep}{folder}"}
    with (folder / "tests.log").open("wb") as log:
        return subprocess.Popen(program, cwd=folder, env=environment, stdout=log, stderr=log)


@contextmanager
def workspace(name: str) -> Iterator[Path]:
    """Make a copy in build/mutants; it is left there where something goes wrong."""
    folder = ROOT / "build" / "mutants" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for needed in _NEEDED:
        if (ROOT / needed).is_dir():
            shutil.copytree(ROOT / needed, folder / needed, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / needed, folder / needed)
    yield folder
    shutil.rmtree(folder)
