"""A job on EMR Serverless begins with its arguments, and ends with the exit code of its step."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("pyspark")


def test_a_job_without_its_work_ends_at_once() -> None:
    """As wrong usage does, before any JVM starts; the state machine alone names the work."""
    program = [sys.executable, "-m", "takings.entrypoints.spark_step", "validate", "s3://shop"]
    ended = subprocess.run(program, capture_output=True, text=True, check=False, timeout=60)
    assert (ended.returncode, "name a step, a store, a batch, an attempt and a job" in ended.stdout) == (2, True)
