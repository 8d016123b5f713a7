"""Build wheel and sdist, check that they are the same bytes each time, and try the wheel: `python -m tools.build_package DIR`.

The wheel is built three times: twice from copies of the sources with other times and permissions, and once from the sdist,
as pip does where it takes no wheel. `--installed` then installs it into an empty environment, without a compiler, and runs
its demo there.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
from hashlib import sha256
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
#: all that a package is built from
SOURCES: Final = ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "src")


class NotTheSame(Exception):
    """Two builds of the same sources differ."""


def main() -> None:
    """Build and compare; try the wheel, if an environment is named."""
    parser = argparse.ArgumentParser(description="Build wheel and sdist, and check that they are the same each time.")
    parser.add_argument("folder", type=Path, help="where to put them")
    parser.add_argument("--installed", type=Path, help="an environment to make, in which the wheel's demo is run")
    options = parser.parse_args()
    try:
        built = build(options.folder)
    except NotTheSame as differing:
        sys.exit(f"make package: {differing}")
    for file in built:
        sys.stdout.write(f"{sha256(file.read_bytes()).hexdigest()}  {file}\n")
    if options.installed:
        try_wheel(next(file for file in built if file.suffix == ".whl"), options.installed)


def build(folder: Path) -> tuple[Path, ...]:
    """Build wheel and sdist, and return them; NotTheSame where a second build or the sdist gives other bytes."""
    with tempfile.TemporaryDirectory() as made:
        first = _built(_copy(Path(made) / "first", mode=0o644, time=1_000_000_000), "sdist", "wheel")
        second = _built(_copy(Path(made) / "second", mode=0o600, time=2_000_000_000), "sdist", "wheel")
        with tarfile.open(next(file for file in first if file.suffix == ".gz")) as packed:
            packed.extractall(Path(made) / "unpacked", filter="data")
        (unpacked,) = (Path(made) / "unpacked").iterdir()
        again = _built(unpacked, "wheel")
        compared(first, second, "another copy of the sources gives")
        compared([file for file in first if file.suffix == ".whl"], again, "the sdist gives")
        folder.mkdir(parents=True, exist_ok=True)
        for old in (*folder.glob("*.whl"), *folder.glob("*.tar.gz")):
            old.unlink()
        return tuple(Path(shutil.copy(file, folder)) for file in first)


def compared(one: list[Path], other: list[Path], what: str) -> None:
    """Raise NotTheSame where files differ, in names or bytes."""
    named = {file.name: file.read_bytes() for file in other}
    if [file.name for file in one] != sorted(named):
        raise NotTheSame(f"{what} {sorted(named)} instead of {[file.name for file in one]}")
    for file in one:
        if file.read_bytes() != named[file.name]:
            raise NotTheSame(f"{what} another {file.name}. Look for what depends on time, place or permissions.")


def try_wheel(wheel: Path, environment: Path) -> None:
    """Install a wheel into an empty environment, and run its demo there, in a folder without the sources."""
    venv.create(environment, clear=True, with_pip=True)
    python = environment.resolve() / "bin" / "python"
    install: list[str | Path] = [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-input"]
    # Wheels, so nobody needs a compiler; pinned, for what is built next to this is deployed. `make tried` takes others.
    _run([*install, "--require-hashes", "--only-binary=:all:", "-r", ROOT / "requirements" / "core.txt"], ROOT)
    _run([*install, "--no-deps", "--no-index", wheel.resolve()], ROOT)
    with tempfile.TemporaryDirectory() as elsewhere:
        _run([environment.resolve() / "bin" / "takings", "demo"], Path(elsewhere))
        _run([environment.resolve() / "bin" / "takings", "verify", "demo-shop"], Path(elsewhere))


def _copy(folder: Path, *, mode: int, time: int) -> Path:
    """Copy the sources, as somebody else would have them at another time."""
    folder.mkdir()
    for name in SOURCES:
        place = ROOT / name
        if place.is_dir():
            shutil.copytree(place, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(place, folder)
    for file in folder.rglob("*"):
        if file.is_file():
            file.chmod(mode)
        os.utime(file, (time, time))
    return folder


def _built(sources: Path, *targets: str) -> list[Path]:
    told = [option for target in targets for option in ("-t", target)]
    _run([sys.executable, "-m", "hatchling", "build", "-d", "dist", *told], sources)
    return sorted((sources / "dist").iterdir())


def _run(words: list[str | Path], folder: Path) -> None:
    alone = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "SOURCE_DATE_EPOCH"}}
    subprocess.run([str(word) for word in words], cwd=folder, env=alone, check=True)  # noqa: S603 - pip, hatchling, takings


if __name__ == "__main__":
    main()
