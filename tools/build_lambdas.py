"""Build the functions for AWS Lambda: `python -m tools.build_lambdas FOLDER`, the same bytes for the same sources.

Each archive holds the handler, the package (without its pages) and the pinned requirements of the folder with its name; from
botocore, only the services in use. Wheels are those for Lambda's platform, whatever this machine is.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
FUNCTIONS: Final = ("file-detector", "file-archiver")
ARCHITECTURE: Final = "x86_64"
#: the services whose descriptions are kept from botocore
CALLED: Final = ("dynamodb", "s3", "scheduler", "sqs", "stepfunctions")
#: what no function needs: pages, caches, commands, and lists of files
_LEFT_OUT: Final = ("__pycache__", "bin", "examples", "web")
#: the earliest time that an archive can store
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


def main() -> None:
    """Build both functions."""
    parser = argparse.ArgumentParser(description="Build the functions for AWS Lambda.")
    parser.add_argument("folder", type=Path, help="where to put <function>.zip and lambdas.json")
    parser.add_argument("--python", default="3.12", help="the runtime's version of Python (3.12)")
    options = parser.parse_args()
    for archive in build(options.folder, options.python):
        sys.stdout.write(f"{archive} {archive.stat().st_size / 1e6:.1f} MB\n")


def build(folder: Path, python: str) -> tuple[Path, ...]:
    """Build both archives and lambdas.json, which says what they run on; return the archives."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as made:
        archives = tuple(
            _archive(_content(name, Path(made), python), ROOT / name / "handler.py", folder / f"{name}.zip")
            for name in FUNCTIONS
        )
    described = {"runtime": f"python{python}", "architecture": ARCHITECTURE}
    (folder / "lambdas.json").write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
    return archives


def _content(name: str, made: Path, python: str) -> Path:
    """Return a folder with all that a function loads but its handler, made once for functions that need the same."""
    requirements = ROOT / name / "requirements.txt"
    content = made / sha256(requirements.read_bytes()).hexdigest()
    if content.exists():
        return content
    _install(requirements, content, python)
    services = content / "botocore" / "data"
    for service in services.iterdir():
        if service.is_dir() and service.name not in CALLED:
            shutil.rmtree(service)
    shutil.copytree(ROOT / "src" / "takings", content / "takings")
    return content


def _install(requirements: Path, target: Path, python: str) -> None:
    platform = ["--platform", f"manylinux2014_{ARCHITECTURE}", "--python-version", python, "--implementation", "cp"]
    subprocess.run(  # noqa: S603 - pip, with our own requirements
        [
            *(sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-input"),
            *("--target", str(target), "--requirement", str(requirements), "--require-hashes", "--no-deps"),
            *("--only-binary=:all:", "--no-compile", *platform),
        ],
        check=True,
    )


def _archive(content: Path, handler: Path, archive: Path) -> Path:
    draft = archive.with_suffix(".draft")
    files = {file.relative_to(content): file for file in _files(content)} | {Path(handler.name): handler}
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as zipped:
        for place, file in sorted(files.items()):
            entry = zipfile.ZipInfo(place.as_posix(), _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            # readable for any user that Lambda takes
            entry.external_attr = 0o644 << 16
            zipped.writestr(entry, file.read_bytes())
    return draft.replace(archive)


def _files(content: Path) -> Iterator[Path]:
    for file in content.rglob("*"):
        parts = file.relative_to(content).parts
        if file.is_file() and not set(parts) & set(_LEFT_OUT) and file.name != "RECORD":
            yield file


if __name__ == "__main__":
    main()
