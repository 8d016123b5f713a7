"""Run one step of a batch as a container task: `python -m takings.entrypoints.tasks validate|transform`.

What to work on stands in the environment: TAKINGS_STORE (a folder or s3://bucket), TAKINGS_BATCH_ID and TAKINGS_ATTEMPT.
Facts are printed as JSON, one a line. The exit code says what became of the step:

    0    it is done, or a newer attempt has the batch
    1    bad data: no file of the batch was accepted
    2    wrong usage, settings or contracts: no retry would mend it
    3    it could not finish; it can be run again
    4    it ran out of memory; it can be run again with more
    143  SIGTERM: the batch was handed back, and can be taken up again at once
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

from takings.composition.stores import open_store
from takings.entrypoints import legible
from takings.entrypoints.faults import explain_os_error
from takings.errors import OutOfMemory, Superseded, TakingsError, UsageError
from takings.layout import BatchId, format_instant
from takings.ports import Ports
from takings.runs import steps
from takings.runs.steps import Validated

DONE: Final = 0
BAD_DATA: Final = 1
UNFINISHED: Final = 3
OUT_OF_MEMORY: Final = 4
TERMINATED: Final = 128 + signal.SIGTERM

#: what is broken off has so long to end in order; a spot instance goes after 120 s
_GRACE_SECONDS: Final = 20
#: what wakes a thread from a call of the system, and has no other meaning here
_WAKING: Final = signal.SIGUSR1
#: who has it may tell something; who ends the process keeps it, so that nobody else goes on
_last_word: Final = threading.RLock()
#: settings of the command line's environment that name the work instead
_WORK: Final = ("TAKINGS_STORE", "TAKINGS_BATCH_ID", "TAKINGS_ATTEMPT")


class Terminated(KeyboardInterrupt):
    """The platform asks the task to end: whatever it does is broken off, as libraries know it of Ctrl-C.

    Py4J, for one, gives up a connection whose answer is still to come for no other exception: the next call would get it.
    """


def main() -> None:
    """Run the step that the command line names, and end the process."""
    hand_back: list[Callable[[], None]] = []
    _insist(hand_back)
    try:
        code = run(sys.argv[1:], hand_back)
    except Exception:  # noqa: BLE001 - told in full; it is neither bad data nor wrong usage, whatever Python's own code says
        traceback.print_exc()
        code = UNFINISHED
    with _last_word:
        if code == TERMINATED:
            tell("task.terminated", {})
        sys.stdout.flush()
        sys.stderr.flush()
        # Nothing is left to be cleaned up; broken off libraries would only complain of what they were doing.
        os._exit(code)


def run(arguments: list[str], hand_back: list[Callable[[], None]]) -> int:
    """Run a step and return the exit code; once the batch is known, `hand_back` says how it is handed back."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
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
    except TakingsError as failure:
        tell("task.failed", {"cause": str(failure)})
        return failure.exit_code
    except OSError as refused:
        tell("task.failed", {"cause": explain_os_error(refused)})
        return UNFINISHED


def tell(fact: str, known: Mapping[str, object]) -> None:
    """Print a fact as one line of JSON, as CloudWatch and its like take it."""
    line = {"at": format_instant(datetime.now(UTC)), "fact": fact, **known}
    with _last_word:
        sys.stdout.write(legible.as_json(line, default=str) + "\n")
        sys.stdout.flush()


def _terminate(_: int, __: FrameType | None) -> None:
    # Another one would only disturb the batch's being handed back.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Terminated


def _insist(hand_back: list[Callable[[], None]]) -> None:
    """See to it that SIGTERM is heard, whichever thread the system gave it to and whatever the main thread waits for.

    A call into a library may not return for it: it is woken up for some seconds, then the batch is handed back without it.
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
        raise UsageError(f"say which step to run, one of {', '.join(steps)}; got {' '.join(arguments) or 'nothing'}.")
    return steps[arguments[0]]


def _work() -> tuple[str, BatchId, int]:
    """Take what to work on out of the environment, in which only settings may stay."""
    found = [os.environ.pop(name, "") for name in _WORK]
    missing = [name for name, value in zip(_WORK, found, strict=True) if not value]
    if missing:
        raise UsageError(f"the environment lacks {', '.join(missing)}. A state machine sets them for its tasks.")
    store, batch_id, attempt = found
    if not attempt.isdigit():
        raise UsageError(f"TAKINGS_ATTEMPT is '{attempt}', which is no number.")
    return store, BatchId(batch_id), int(attempt)


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
