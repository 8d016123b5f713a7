"""Run one step of a batch as a container task, or maintenance.

`python -m takings.entrypoints.tasks validate|transform|maintain`

The environment names the work: TAKINGS_STORE (a folder or s3://bucket) and, for a step, TAKINGS_BATCH_ID and
TAKINGS_ATTEMPT. Events are printed as JSON, one per line. The exit code says what became of the step:

    0    it is done, or a newer attempt has the batch
    1    bad data: no file of the batch was accepted
    2    wrong usage, settings or contracts: no retry would help
    3    it could not finish; it can be run again
    4    it ran out of memory; it can be run again with more
    5    the disk is full; it can be run again with a larger one
    143  SIGTERM: the batch was handed back, and can be resumed at once
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from types import FrameType
from typing import Final

from takings.batch.store_format import check_lake
from takings.composition.buckets import S3
from takings.composition.stores import open_store
from takings.entrypoints import legible
from takings.entrypoints.faults import explain_os_error
from takings.entrypoints.metrics import embedded_metrics
from takings.errors import OutOfDisk, OutOfMemory, Superseded, TakingsError, UsageError
from takings.layout import BatchId, format_instant
from takings.ports import Ports
from takings.refusals import is_full
from takings.runs import maintenance, steps
from takings.runs.steps import Validated

_MAINTAIN: Final = "maintain"
#: the dimension of its metric
_MAINTENANCE: Final = "maintenance"

DONE: Final = 0
BAD_DATA: Final = 1
UNFINISHED: Final = 3
OUT_OF_MEMORY: Final = 4
OUT_OF_DISK: Final = 5
TERMINATED: Final = 128 + signal.SIGTERM

#: how long an interrupted step may take to end in order; a spot instance is stopped after 120 s
_GRACE_SECONDS: Final = 20
#: a signal that only wakes a thread from a system call
_WAKING: Final = signal.SIGUSR1
#: held while an event is printed; the thread that ends the process keeps it, so that no other prints
_last_word: Final = threading.RLock()
#: variables that name the work and are not settings
_WORK: Final = ("TAKINGS_STORE", "TAKINGS_BATCH_ID", "TAKINGS_ATTEMPT")

#: what hands a step's batch back, once it is known
HandBack = list[Callable[[], None]]


class Terminated(KeyboardInterrupt):
    """The platform stops the task: interrupt it as Ctrl-C would, because libraries handle that.

    Py4J, for example, drops a connection with a pending answer for no other exception; the next call would get that answer.
    """


def main() -> None:
    """Run the step that the command line names, and end the process."""
    conclude(partial(run, sys.argv[1:]))


def conclude(work: Callable[[HandBack], int], leave: Callable[[int], object] = lambda _: None) -> None:
    """Do some work, let `leave` have its exit code, and end the process with it."""
    hand_back: HandBack = []
    _insist(hand_back)
    try:
        code = work(hand_back)
    except Exception:  # noqa: BLE001 - logged in full; it is neither bad data nor wrong usage, so Python's code 1 is wrong
        traceback.print_exc()
        code = UNFINISHED
    leave(code)
    with _last_word:
        if code == TERMINATED:
            tell("task.terminated", {})
        sys.stdout.flush()
        sys.stderr.flush()
        # Nothing is left to clean up, and interrupted libraries would only print errors.
        os._exit(code)


def run(arguments: list[str], hand_back: HandBack) -> int:
    """Run a step and return the exit code; once the batch is known, `hand_back` holds what hands it back."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        if arguments == [_MAINTAIN]:
            return _maintain(_store())
        step = _step(arguments)
        store, batch_id, attempt = _work()
        with open_store(store, tell) as shop:
            hand_back.append(partial(steps.hand_back, shop.ports, batch_id, attempt))
            return step(shop.ports, batch_id, attempt)
    except Superseded as newer:
        tell("task.superseded", {"cause": str(newer)})
        return DONE
    except KeyboardInterrupt:
        return TERMINATED
    except (OutOfMemory, MemoryError) as full:
        tell("task.out_of_memory", {"cause": str(full)})
        return OUT_OF_MEMORY
    except OutOfDisk as full:
        tell("task.out_of_disk", {"cause": str(full)})
        return OUT_OF_DISK
    except TakingsError as failure:
        tell("task.failed", {"cause": str(failure)})
        return failure.exit_code
    except OSError as refused:
        if is_full(refused.errno):
            tell("task.out_of_disk", {"cause": explain_os_error(refused)})
            return OUT_OF_DISK
        tell("task.failed", {"cause": explain_os_error(refused)})
        return UNFINISHED


def tell(fact: str, known: Mapping[str, object]) -> None:
    """Print an event as one line of JSON, for CloudWatch and the like."""
    line = {"at": format_instant(datetime.now(UTC)), "fact": fact, **known}
    with _last_word:
        sys.stdout.write(legible.as_json(line, default=str) + "\n")
        sys.stdout.flush()


def _terminate(_: int, __: FrameType | None) -> None:
    # A second signal would only disturb handing the batch back.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Terminated


def _insist(hand_back: HandBack) -> None:
    """Make sure that SIGTERM has an effect, whichever thread receives it and whatever the main thread waits for.

    A library call may not return for a signal. Wake it for some seconds, then hand the batch back without it.
    """
    hearing, telling = os.pipe()
    os.set_blocking(telling, False)
    signal.set_wakeup_fd(telling, warn_on_full_buffer=False)
    signal.signal(_WAKING, lambda *_: None)
    main_thread = threading.main_thread()

    def listen() -> None:
        while signal.SIGTERM not in os.read(hearing, 64):
            pass
        for _ in range(_GRACE_SECONDS):
            time.sleep(1)
            signal.pthread_kill(main_thread.ident or 0, _WAKING)
        with _last_word:
            try:
                for each in hand_back:
                    each()
                tell("task.terminated", {"after_seconds": _GRACE_SECONDS})
            finally:
                os._exit(TERMINATED)

    threading.Thread(target=listen, name="takings-sigterm", daemon=True).start()


def _step(arguments: list[str]) -> Callable[[Ports, BatchId, int], int]:
    steps = {"validate": _validate, "transform": _transform}
    if len(arguments) != 1 or arguments[0] not in steps:
        raise UsageError(
            f"name the step to run, one of {', '.join((*steps, _MAINTAIN))}; got {' '.join(arguments) or 'nothing'}."
        )
    return steps[arguments[0]]


def _work() -> tuple[str, BatchId, int]:
    """Take the names of the work out of the environment, so that only settings stay in it."""
    found = [os.environ.pop(name, "") for name in _WORK]
    missing = [name for name, value in zip(_WORK, found, strict=True) if not value]
    if missing:
        raise UsageError(
            f"the environment lacks {', '.join(missing)}. Set them as the state machine does for its tasks."
        )
    store, batch_id, attempt = found
    if not attempt.isdigit():
        raise UsageError(f"TAKINGS_ATTEMPT is '{attempt}', not a number. Set it to the attempt's number.")
    return store, BatchId(batch_id), int(attempt)


def _store() -> str:
    """Take the store's name out of the environment."""
    store = os.environ.pop("TAKINGS_STORE", "")
    if not store:
        raise UsageError("the environment lacks TAKINGS_STORE. Set it as the task definition does.")
    return store


def _maintain(store: str) -> int:
    with open_store(store, tell) as shop:
        check_lake(shop.ports)
        done = maintenance.maintain(shop.ports, keep_reports=shop.settings.keep_reports, is_dry_run=False)
    tell(
        "store.maintained",
        {
            "compacted": dict(done.compacted),
            "commit": done.commit,
            "vacuumed": done.vacuumed,
            "expired": done.expired,
            **embedded_metrics(store.removeprefix(S3), _MAINTENANCE, {"LakeFilesVacuumed": float(done.vacuumed)}),
        },
    )
    return DONE


def _validate(ports: Ports, batch_id: BatchId, attempt: int) -> int:
    validated = steps.validate(ports, batch_id, attempt)
    tell("task.done", {"batch_id": batch_id, "attempt": attempt, "validated": validated.value})
    return BAD_DATA if validated is Validated.NOTHING_ACCEPTED else DONE


def _transform(ports: Ports, batch_id: BatchId, attempt: int) -> int:
    steps.transform(ports, batch_id, attempt)
    tell("task.done", {"batch_id": batch_id, "attempt": attempt})
    return DONE


if __name__ == "__main__":
    main()
