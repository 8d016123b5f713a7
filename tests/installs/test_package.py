"""The package is the same bytes each time, and its wheel alone is enough for the demo."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import takings
from tools.build_package import NotTheSame, build, compared

pytest.importorskip("hatchling")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """Return sdist and wheel; building compares copies of other times and permissions, and the wheel of the sdist."""
    return build(tmp_path_factory.mktemp("dist"))


def test_an_sdist_and_a_wheel_are_built(built: tuple[Path, ...]) -> None:
    """Under the names that an index expects."""
    version = takings.__version__
    assert sorted(file.name for file in built) == [f"takings-{version}-py3-none-any.whl", f"takings-{version}.tar.gz"]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"a.whl": b"1", "b.tar.gz": b"3"}, "another b.tar.gz"),
        ({"a.whl": b"1"}, "['a.whl'] instead of ['a.whl', 'b.tar.gz']"),
    ],
)
def test_a_build_that_differs_is_refused(tmp_path: Path, other: dict[str, bytes], said: str) -> None:
    """In one byte, or by a file."""

    def files(folder: str, contents: dict[str, bytes]) -> list[Path]:
        (tmp_path / folder).mkdir()
        for name, content in contents.items():
            (tmp_path / folder / name).write_bytes(content)
        return sorted((tmp_path / folder).iterdir())

    one = files("one", {"a.whl": b"1", "b.tar.gz": b"2"})
    compared(one, files("same", {"a.whl": b"1", "b.tar.gz": b"2"}), "it gives")
    with pytest.raises(NotTheSame) as refused:
        compared(one, files("other", other), "it gives")
    assert said in str(refused.value)


@pytest.mark.no_cover
def test_the_demo_runs_from_the_wheel_alone(built: tuple[Path, ...], tmp_path: Path) -> None:
    """In a folder without the sources; `make package` does so in an environment without anything else as well."""
    with zipfile.ZipFile(next(file for file in built if file.suffix == ".whl")) as wheel:
        wheel.extractall(tmp_path / "wheel")
    (tmp_path / "here").mkdir()
    alone = {**os.environ, "PYTHONPATH": str(tmp_path / "wheel")}

    def run(*words: str) -> str:
        ended = subprocess.run(
            [sys.executable, *words], cwd=tmp_path / "here", env=alone, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    where = run("-c", "import takings; print(takings.__file__)").strip()
    assert Path(where).is_relative_to(tmp_path / "wheel")
    assert "takings serve demo-shop" in run("-m", "takings", "demo")
    assert run("-m", "takings", "verify", "demo-shop").startswith("no difference: ")
