"""Hold the Spark application of an engine, and translate what goes wrong in it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import Final

from py4j.protocol import Py4JError, Py4JJavaError, Py4JNetworkError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from takings.adapters.spark.session import end_of_jvm
from takings.errors import ContractError, MachineryError, OutOfDisk, OutOfMemory, OwnKpiFailure
from takings.refusals import code_in, is_full

_OUT_OF_MEMORY: Final = "java.lang.OutOfMemoryError"
#: the error of a job whose JVM is ending; it ends within seconds
_SHUT_DOWN: Final = "SparkContext was shut down"
_END_SECONDS: Final = 30
#: how a JVM ends without enough memory: by itself (Spark's SparkExitCode.OOM), or killed by the kernel
_MEMORY_ENDS: Final = {52, -signal.SIGKILL}


class Application:
    """The application that computes for an engine; it begins with the first use and ends with `close`."""

    def __init__(self, open_session: Callable[[], AbstractContextManager[SparkSession]]) -> None:
        self._open_session = open_session
        self._session: SparkSession | None = None
        self._open = ExitStack()

    @contextmanager
    def use(self, work: str) -> Iterator[SparkSession]:
        """Yield the session for some work, such as "compute the KPIs"; raise Takings errors instead of Spark's."""
        try:
            with _translated_faults(work):
                if self._session is None:
                    self._session = self._open.enter_context(self._open_session())
                yield self._session
        except (OwnKpiFailure, ContractError):
            raise
        except MachineryError:
            # An application that has lost its master or its JVM does not recover; the next attempt starts another.
            with suppress(MachineryError):
                self.close()
            raise
        except Exception:
            raise
        except BaseException as interrupted:
            self._session = None
            self._open.__exit__(type(interrupted), interrupted, interrupted.__traceback__)
            raise

    def close(self) -> None:
        """End the application, if it was begun."""
        self._session = None
        with _translated_faults("end"):
            self._open.close()


@contextmanager
def _translated_faults(work: str) -> Iterator[None]:
    """Raise Takings errors instead of Spark's."""
    try:
        yield
    except (PySparkException, Py4JError, ConnectionError) as failed:
        if lacked_memory(failed):
            raise OutOfMemory(
                f"Spark could not {work}: {cause_of(failed)}. Its JVM ran out of memory: give it more with"
                " `spark.driver.memory`, on a cluster `spark.executor.memory`, and run again; nothing is lost."
            ) from failed
        if is_full(code_in(str(failed))):
            raise OutOfDisk(
                f"Spark could not {work}: {cause_of(failed)}. The disk that it spills to is full. Free some space and"
                " run again; nothing is lost."
            ) from failed
        raise MachineryError(
            f"Spark could not {work}: {cause_of(failed)}. Check that `spark_master` can be reached and its workers have"
            " memory and disk left, and run again; nothing is lost."
        ) from failed


def lacked_memory(failed: Exception) -> bool:
    """Return whether an error is about memory, or the JVM ended without enough of it and the error only says that it ended."""
    if _OUT_OF_MEMORY in str(failed):
        return True
    has_ended = isinstance(failed, Py4JNetworkError | ConnectionError) or _SHUT_DOWN in str(failed)
    return end_of_jvm(_END_SECONDS if has_ended else 0) in _MEMORY_ENDS


def cause_of(failed: Exception) -> str:
    """Return the line that says what happened; Py4J's first one only says where."""
    lines = str(failed).strip().splitlines() or [type(failed).__name__]
    return (lines[1] if isinstance(failed, Py4JJavaError) and len(lines) > 1 else lines[0]).lstrip(": ").rstrip(".")
