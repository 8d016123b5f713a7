"""The meter counts everything that a command starts."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.meter import CommandFailed, measured, output_of

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="the meter reads /proc")
#: uses so many processor seconds
_BURN = "import time\nwhile time.process_time() < 0.4: pass\n"


def python(source: str) -> list[str]:
    return [sys.executable, "-c", source]


@linux_only
def test_counts_a_child_that_is_waited_for(tmp_path: Path) -> None:
    """Two processes use 0.4 processor seconds each."""
    cost = measured(
        python(f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {_BURN!r}])\n{_BURN}"),
        log=tmp_path / "log",
    )
    assert 0.8 <= cost.processor < 2


@linux_only
def test_counts_a_child_that_outlives_its_parent(tmp_path: Path) -> None:
    """As Spark's JVM may: nobody waits for it, and the wall clock ends with the command itself."""
    late = f"import time\ntime.sleep(0.5)\n{_BURN}"
    cost = measured(
        python(f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {late!r}])"), log=tmp_path / "log"
    )
    assert 0.4 <= cost.processor < 1.5
    assert cost.wall < 0.5


@linux_only
def test_adds_up_the_memory_of_the_tree(tmp_path: Path) -> None:
    """Parent and child hold 100 MB each at the same time."""
    hold = "held = b'x' * 100_000_000\nimport time\ntime.sleep(0.8)\n"
    cost = measured(
        python(
            f"import subprocess, sys\nchild = subprocess.Popen([sys.executable, '-c', {hold!r}])\n{hold}child.wait()"
        ),
        log=tmp_path / "log",
    )
    assert 200 < cost.peak_mb < 300


@linux_only
def test_a_command_that_fails_has_no_cost(tmp_path: Path) -> None:
    """What it said last is part of the error."""
    with pytest.raises(CommandFailed, match=r"ended with 3; see .*log: no room"):
        measured(python("print('no room')\nraise SystemExit(3)"), log=tmp_path / "log")


@linux_only
def test_a_command_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    """With everything that it started."""
    with pytest.raises(CommandFailed, match="took too long"):
        measured(python("import time\ntime.sleep(60)"), log=tmp_path / "log", limit=0.2)


def test_takings_settings_of_this_process_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every measurement is of the default settings; and a variable that is no setting would end Takings."""
    monkeypatch.setenv("TAKINGS_REQUIRE", "browser")
    program = "import os; print([name for name in os.environ if name.startswith('TAKINGS_')])"
    assert output_of([sys.executable, "-c", program]) == b"[]\n"
