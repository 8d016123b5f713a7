"""Measure what a command costs: wall clock, processor seconds and peak memory of its whole process tree.

    python -m benchmarks.meter [--limit SECONDS] COST.json -- COMMAND...

Linux only. The command runs below a process of its own, which adopts what the command leaves behind (Spark's JVM
outlives its driver), waits for all of it and adds it up. No control group is needed.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).resolve().parent.parent
_PR_SET_CHILD_SUBREAPER: Final = 36
#: looking at resident memory is cheap; the list of processes and their shares of common pages cost more
_LOOK_SECONDS: Final = 0.05
_SHARES_SECONDS: Final = 0.3
#: what a command left behind gets so long to end by itself
_PATIENCE_SECONDS: Final = 30.0
#: no measurement takes longer, unless somebody says so
LIMIT_SECONDS: Final = 7200.0
#: the exit code of what was ended because it took too long, as for timeout(1)
_LATE: Final = 124
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a command cost, with everything that it started."""

    wall: float
    processor: float
    #: proportional shares (PSS): a page that several processes of the tree hold counts once
    peak_mb: float


class CommandFailed(RuntimeError):
    """A measured command ended with an error, or took too long; its log says why."""

    def __init__(self, code: int, command: Sequence[str], log: Path) -> None:
        #: without any path, for figures that are published
        self.how = "took too long" if code == _LATE else f"ended with {code}"
        last = log.read_text(errors="replace").strip().splitlines()[-5:]
        super().__init__(f"{' '.join(command)} {self.how}; see {log}: {' | '.join(last)}")


def measured(
    command: Sequence[str],
    *,
    log: Path,
    limit: float = LIMIT_SECONDS,
) -> Cost:
    """Run a command to its end and return its cost; CommandFailed where it failed, or took longer than `limit` seconds."""
    answer = log.with_suffix(".cost")
    answer.unlink(missing_ok=True)
    meter = [sys.executable, "-m", "benchmarks.meter", "--limit", str(limit), str(answer.absolute()), "--", *command]
    with log.open("wb") as told:
        ended = subprocess.run(meter, stdout=told, stderr=subprocess.STDOUT, env=_environment(), check=False)
    if ended.returncode != 0:
        raise CommandFailed(ended.returncode, command, log)
    return Cost(**json.loads(answer.read_text()))


def output_of(command: Sequence[str]) -> bytes:
    """Return what a command prints; it is not measured."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, env=_environment()).stdout


def _environment() -> dict[str, str]:
    """Return the variables of this process but Takings' settings, in UTC, with the benchmarks among the packages."""
    paths = os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    others = {name: value for name, value in os.environ.items() if not name.startswith("TAKINGS_")}
    return others | {"PYTHONPATH": paths, "TZ": "UTC"}


def tree(root: int) -> list[int]:
    """Return the processes below `root`, without `root` itself."""
    return _below(root, dict(_all_stats()))


def processor_seconds(root: int) -> float:
    """Return the processor seconds of a process, of those below it, and of those that they waited for."""
    stats = dict(_all_stats())
    wanted = [root, *_below(root, stats)]
    return sum(sum(int(field) for field in stats[process][11:15]) for process in wanted) / _TICKS


def _below(root: int, stats: Mapping[int, list[str]]) -> list[int]:
    children: dict[int, list[int]] = {}
    for process, fields in stats.items():
        children.setdefault(int(fields[1]), []).append(process)
    found: list[int] = []
    waiting = [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def memory_mb(processes: Iterable[int]) -> float:
    """Return the memory of processes, common pages counted once."""
    return sum(_share_mb(process) for process in processes)


def _all_stats() -> Iterable[tuple[int, list[str]]]:
    """Yield each process with what stands behind its name in /proc/PID/stat: state, parent and so on."""
    for name in os.listdir("/proc"):  # noqa: PTH208  a thousand path objects a second would disturb what is measured
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as stat:  # noqa: PTH123  see above
                    yield int(name), stat.read().rpartition(")")[2].split()
            except OSError:
                continue  # it has ended meanwhile


def _share_mb(process: int) -> float:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0  # it has ended meanwhile
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024 / 1e6


def _resident_mb(process: int) -> float:
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * _PAGE / 1e6
    except (OSError, IndexError):
        return 0.0  # it has ended meanwhile


class _Watcher(threading.Thread):
    """Follow the memory of everything below this process, and end it when the time is over."""

    def __init__(self, limit: float) -> None:
        super().__init__(daemon=True)
        self.peak_mb = 0.0
        self.is_late = False
        self._limit = limit
        self._over = threading.Event()

    def run(self) -> None:
        """Look until told to stop: the shares now and then, and whenever the resident memory reaches a new height."""
        began = shared_at = time.monotonic() - _SHARES_SECONDS
        highest, processes = 0.0, list[int]()
        while not self._over.wait(_LOOK_SECONDS):
            now = time.monotonic()
            if now - shared_at >= _SHARES_SECONDS:
                processes = tree(os.getpid())
            resident = sum(_resident_mb(process) for process in processes)
            if resident > 1.02 * highest or now - shared_at >= _SHARES_SECONDS:
                highest, shared_at = max(highest, resident), now
                self.peak_mb = max(self.peak_mb, memory_mb(processes))
            if now - began > self._limit:
                self.is_late = True
                _kill(tree(os.getpid()))

    def stop(self) -> None:
        self._over.set()
        self.join()


def main() -> int:
    """Run the command of the command line below this process, and write its cost; return the command's exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("answer", type=Path)
    parser.add_argument("--limit", type=float, default=LIMIT_SECONDS)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "this system cannot adopt orphaned processes; the meter needs Linux")
    watcher = _Watcher(options.limit)
    began = time.perf_counter()
    process = subprocess.Popen(options.command[options.command[0] == "--" :])
    watcher.start()
    try:
        code, wall, processor, largest = _wait(process.pid, began)
    finally:
        watcher.stop()
        _kill(tree(os.getpid()))
    if watcher.is_late:
        return _LATE
    # Samples may miss the peak of a short run; the kernel does not, but knows single processes only.
    cost = Cost(wall=wall, processor=processor, peak_mb=max(watcher.peak_mb, largest))
    options.answer.write_text(json.dumps(asdict(cost)))
    return code


def _wait(command: int, began: float) -> tuple[int, float, float, float]:
    """Wait for the command and for all that it left; return its code and wall, and of all the processor seconds and memory."""
    code, wall, processor, largest, end = 1, 0.0, 0.0, 0.0, float("inf")
    while True:
        try:
            process, status, usage = os.wait4(-1, 0 if end == float("inf") else os.WNOHANG)
        except ChildProcessError:
            return code, wall, processor, largest
        if process == 0:
            if time.monotonic() > end:
                _kill(tree(os.getpid()))
            time.sleep(0.02)
            continue
        processor += usage.ru_utime + usage.ru_stime
        largest = max(largest, usage.ru_maxrss * 1024 / 1e6)
        if process == command:
            code, wall = os.waitstatus_to_exitcode(status), time.perf_counter() - began
            end = time.monotonic() + _PATIENCE_SECONDS


def _kill(processes: Iterable[int]) -> None:
    for process in processes:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue  # it has ended meanwhile


if __name__ == "__main__":
    sys.exit(main())
