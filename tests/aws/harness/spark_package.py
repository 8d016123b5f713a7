"""The package of jobs on EMR Serverless, built as `make spark` does, but with the packages of the tests' own Python."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.aws.harness.deployed import SERVICES
from tests.aws.harness.pipeline import Aws, environment_of_tasks
from tools.build_spark import ROOT, pack

#: what runs in place of a job, and has its name in the emulator
IMAGE: Final = "emr-serverless"
RUNNER: Final = [sys.executable, str(ROOT / "tests" / "aws_emulator" / "job_runner.py")]


def package_for_tests(folder: Path) -> Path:
    """Build a package whose modules are this source; all else comes with the Python that it finds."""
    content = folder / "content"
    shutil.copytree(
        ROOT / "src" / "takings", content / "packages" / "takings", ignore=shutil.ignore_patterns("web", "__pycache__")
    )
    pack(content, folder / "spark", f"{sys.version_info.major}.{sys.version_info.minor}")
    return folder / "spark"


def run_jobs(aws: Aws, instead: list[str] | None = None, more: Mapping[str, str] | None = None) -> None:
    """Let jobs run on this Python, or something else in their place, beside the usual services."""
    environment = environment_of_tasks(aws.url) | dict(more or {})
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    aws.run_images({**SERVICES, IMAGE: instead or RUNNER}, environment)
