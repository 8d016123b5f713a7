"""Run several threads one step at a time, in an order decided by a seed: the same seed gives the same run.

A task gives up control before each step, and the scheduler picks who continues, so exactly one thread runs at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

#: a step takes milliseconds; a thread that is silent for this long is lost
_PATIENCE_SECONDS: Final = 60


class Killed(BaseException):
    """The process died: it does nothing more, not even cleaning up."""


class Stuck(AssertionError):
    """A task waits for something that never comes, so the run would not end."""


@dataclass(eq=False)
class Process:
    """One life of an instance, with a unique name: its tasks are paused and killed together."""

    name: str
    host: str
    is_dead: bool = False
    #: until when the whole process pauses
    paused_until: datetime | None = None
    tasks: list[Task] = field(default_factory=list)
    #: called before a part of a call
    step_within: Callable[[str], None] = lambda _: None

    @property
    def is_over(self) -> bool:
        """Return whether it runs nothing any more."""
        return all(task.is_finished for task in self.tasks)


class Task:
    """Work in its own thread."""

    def __init__(self, scheduler: Scheduler, process: Process, body: Callable[[], object]) -> None:
        self.scheduler = scheduler
        self.process = process
        self.is_finished = False
        #: the error it ended with, if any
        self.error: Exception | None = None
        #: what it does next
        self.doing = "begin"
        self.wakes_at = scheduler.now
        self._body = body
        self._go = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._live, name=process.name, daemon=True)
        self._is_started = False

    def _live(self) -> None:
        self._go.acquire()
        _CURRENT.task = self
        try:
            if not self.process.is_dead:
                self._body()
        except Killed:
            pass
        except Exception as error:  # noqa: BLE001 - the world asks for it
            self.error = error
        finally:
            self.is_finished = True
            self.scheduler.control.release()

    def go_on(self) -> None:
        """Let it take its step; only the scheduler calls this."""
        if not self._is_started:
            self._is_started = True
            self._thread.start()
        self._go.release()
        if not self.scheduler.control.acquire(timeout=_PATIENCE_SECONDS):
            raise Stuck(f"{self.process.name} has been at {self.doing} for {_PATIENCE_SECONDS} s")

    def give_up_control(self) -> None:
        """Wait for this task's next turn; raise Killed if its process died meanwhile."""
        if self.process.is_dead:
            raise Killed
        self.scheduler.control.release()
        self._go.acquire()
        if self.process.is_dead:
            raise Killed


class _Current(threading.local):
    task: Task | None = None


_CURRENT = _Current()


def current_process() -> Process | None:
    """Return the process whose turn it is; None outside tasks."""
    return None if _CURRENT.task is None else _CURRENT.task.process


def is_main_task() -> bool:
    """Return whether it is the turn of a process's first task, the one that signals interrupt."""
    task = _CURRENT.task
    return task is not None and task.process.tasks[0] is task


def current_task() -> Task:
    """Return the task whose turn it is."""
    assert _CURRENT.task is not None
    return _CURRENT.task


def take_step(doing: str, *, seconds: float = 0) -> None:
    """Wait for the turn to take a step, for some time at least; code outside tasks needs no turn."""
    task = _CURRENT.task
    if task is not None:
        task.doing = doing
        task.wakes_at = task.scheduler.now + timedelta(seconds=seconds)
        task.give_up_control()


class Scheduler:
    """The time, and everybody who lives in it."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.tasks: list[Task] = []
        self.control = threading.Semaphore(0)

    def begin(self, process: Process, body: Callable[[], object]) -> Task:
        """Start a task of a process."""
        task = Task(self, process, body)
        process.tasks.append(task)
        self.tasks.append(task)
        return task

    def ready(self) -> list[Task]:
        """Return the tasks that can take their next step now."""
        self.tasks = [task for task in self.tasks if not task.is_finished]
        return [task for task in self.tasks if self._wakes_at(task) <= self.now]

    def next_moment(self) -> datetime | None:
        """Return when the next task can take its step; None without tasks."""
        return min((self._wakes_at(task) for task in self.tasks), default=None)

    def _wakes_at(self, task: Task) -> datetime:
        paused_until = task.process.paused_until
        return task.wakes_at if paused_until is None else max(task.wakes_at, paused_until)

    def kill(self, process: Process) -> None:
        """Kill a process between two steps; its threads end at once, without another step."""
        process.is_dead = True
        for task in process.tasks:
            if not task.is_finished:
                task.go_on()

    def end(self) -> None:
        """Kill everybody who is left, so that no thread outlives the run."""
        for task in list(self.tasks):
            if not task.is_finished:
                self.kill(task.process)
