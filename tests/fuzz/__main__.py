"""Fuzz one target: `python -m tests.fuzz structure --seconds 3600 --corpus build/fuzz`; needs atheris (`make fuzz`).

What takes a new path is kept in the corpus' folder, from which the next run goes on. A fault ends the run with an exit code
other than 0 and leaves the input as crash-…, and `python -m tests.fuzz structure --again FILE` tries it once more.

Atheris never gives memory back (10 kB an input; without it the structure scan stays at 33 MB). So a long run is many processes,
one after the other.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Final

HERE: Final = Path(__file__).parent
TARGETS: Final = ("structure", "mappings", "loader")
#: an input may take this long: PyYAML takes a third of a second for deep nesting
SECONDS_EACH: Final = 60
#: how long one process runs
SECONDS_OF_A_PROCESS: Final = 300
#: longer ones take more time and no other paths
LONGEST: Final = {"structure": 300, "mappings": 600, "loader": 3000}


def main(arguments: list[str]) -> int:
    """Read the command line, and fuzz until the time is over or a fault is found; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=3600)
    parser.add_argument("--corpus", type=Path, default=Path("build/fuzz"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--again", type=Path, help="try this input alone")
    parser.add_argument("--alone", action="store_true", help="fuzz in this process, however long")
    asked = parser.parse_args(arguments)
    if asked.again:
        import_module(f"tests.fuzz.{asked.target}").check(asked.again.read_bytes())
        print(f"{asked.again}: nothing is wrong")
        return 0
    if not asked.alone:
        return in_processes(asked.target, asked.corpus, seconds=asked.seconds, seed=asked.seed)
    corpus = asked.corpus / asked.target
    corpus.mkdir(parents=True, exist_ok=True)
    fuzz(asked.target, corpus, ["-max_total_time=" + str(asked.seconds), "-seed=" + str(asked.seed)])
    return 0


def in_processes(target: str, corpus: Path, *, seconds: int, seed: int) -> int:
    """Fuzz in one process after the other, each with the next seed; return the exit code of the first that fails, or 0."""
    end = time.monotonic() + seconds
    while (left := round(end - time.monotonic())) > 0:
        given = {"--seconds": min(left, SECONDS_OF_A_PROCESS), "--corpus": corpus, "--seed": seed}
        words = [str(word) for option in given.items() for word in option]
        ended = subprocess.run([sys.executable, "-m", "tests.fuzz", target, "--alone", *words], check=False)
        if ended.returncode:
            return ended.returncode
        seed += 1
    return 0


def fuzz(name: str, corpus: Path, options: list[str]) -> None:
    """Let atheris find inputs; it ends the process."""
    import atheris

    with atheris.instrument_imports(include=["takings", "yaml"]):
        target: ModuleType = import_module(f"tests.fuzz.{name}")
    fixed = [
        f"-timeout={SECONDS_EACH}",
        f"-max_len={LONGEST[name]}",
        f"-dict={HERE / 'seeds' / f'{name}.dict'}",
        f"-artifact_prefix={corpus.parent}/{name}-",
        "-rss_limit_mb=3000",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], str(corpus), str(HERE / "seeds" / name), *fixed, *options], target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
