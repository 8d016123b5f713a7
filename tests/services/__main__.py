"""Install each service as its Dockerfile does, then run its command and its tests: `python -m tests.services`.

It follows the Dockerfile's first stage line by line in a temporary folder, so it needs no container engine and shows nothing
about the base image. It downloads about 300 MB.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.services.dockerfile import ROOT, SERVICES, read_dockerfile

#: where the Dockerfiles put what the second stage copies
_PREFIX: Final = "/opt/takings"
_WHEELS: Final = "--only-binary=:all:"
_BUILT: Final = "--no-build-isolation"
#: the tests that show most about a service in the shortest time
_TESTS: Final = ("tests/services", "tests/stages", "tests/golden", "tests/test_workshop.py")


def main() -> None:
    """Try each service."""
    for service in SERVICES:
        with TemporaryDirectory(prefix="takings-service-") as folder:
            began = time.monotonic()
            root = Path(folder)
            prefix = install(service, root)
            size = sum(file.lstat().st_size for file in prefix.rglob("*")) // 10**6
            say(f"{service}: installed {size} MB in {time.monotonic() - began:.0f} s")
            image = {"SERVICE": service, "SERVICE_PYTHON": str(prefix / "bin" / "python")}
            run([sys.executable, "-m", "pytest", "-q", "-n", "0", "tests/services"], image)
            python = root / "tested" / "bin" / "python"
            run([sys.executable, "-m", "venv", str(root / "tested")])
            # PySpark is a source package: it is built with the pinned tools, not with the newest.
            for options, pins in ((_WHEELS, "requirements/build.txt"), (_BUILT, f"{service}/requirements.txt")):
                run([str(python), "-m", "pip", "install", "-q", "--require-hashes", options, "-r", pins])
            run([str(python), "-m", "pytest", "-q", "--collect-only", "-o", "addopts=--import-mode=importlib -q"])
            run([str(python), "-m", "pytest", "-q", "-n", "0", *_TESTS])
            say(f"{service}: done after {time.monotonic() - began:.0f} s")


def install(service: str, root: Path) -> Path:
    """Follow the first stage of a service's Dockerfile in a folder; return where the packages are."""
    here = root / "build"
    prefix = root / "takings"
    environment = dict(os.environ)
    # The image has the Python of its base; here it is this one.
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    for instruction, rest in read_dockerfile(service).stages[0]:
        match instruction:
            case "FROM":
                continue
            case "WORKDIR":
                here.mkdir()
            case "ENV":
                environment |= dict(pair.split("=", 1) for pair in rest.split())
            case "COPY":
                *sources, target = rest.split()
                copy([ROOT / source for source in sources], here / target)
            case "RUN":
                run(["sh", "-ec", rest.replace(_PREFIX, str(prefix))], environment, cwd=here)
            case _:
                raise SystemExit(f"{service}/Dockerfile: nobody has said here what {instruction} does")
    return prefix


def copy(sources: list[Path], target: Path) -> None:
    """Copy files into a folder, or a folder's content."""
    for source in sources:
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)


def run(command: list[str], environment: dict[str, str] | None = None, *, cwd: Path = ROOT) -> None:
    """Run a command; exit if it fails."""
    ended = subprocess.run(command, env=os.environ | (environment or {}), cwd=cwd, check=False)
    if ended.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {ended.returncode}")


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
