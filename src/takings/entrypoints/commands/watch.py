"""Watch a store and process files as they arrive: `takings watch`."""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Final

import typer

from takings.archive.outcome import BatchOutcome, outcome_document
from takings.batch.store_format import check_lake, check_order_of_versions
from takings.composition.messengers import telling_news
from takings.composition.stores import Shop, notice_changes, open_store
from takings.entrypoints import legible, run_output
from takings.entrypoints.app import EXIT_INTERRUPTED, EXIT_UNFINISHED
from takings.entrypoints.console import Teller, err, out
from takings.entrypoints.faults import explain_memory_error, explain_os_error
from takings.entrypoints.legible import marked
from takings.entrypoints.options import Contracts, Engine, Json, Store
from takings.entrypoints.streams import nobody_reads
from takings.intake.batching import NothingPending
from takings.intake.next_action import Blocked, blocked_message
from takings.ports import Changes, Clock
from takings.runs.watch import Failed, Happening, LeftAlone, Waiting
from takings.runs.watch import watch as watch_store

#: how long a running batch may take to end after the first signal: most batches are done by then, and service managers kill
#: after 10 s at the earliest
_GRACE_SECONDS: Final = 5


def watch(store: Store, as_json: Json = False, contracts: Contracts = None, engine: Engine = None) -> None:
    """Process files as they arrive, until Ctrl-C or SIGTERM; several processes may watch one store."""
    tell = Teller()
    options = {"contracts": None if contracts is None else str(contracts), "engine": engine}
    with (
        open_store(store, tell, options) as shop,
        notice_changes(shop) as changes,
        telling_news(store, shop.settings, tell, options) as tell_news,
    ):
        check_order_of_versions(shop.ports.store, shop.ports.contracts)
        check_lake(shop.ports)
        asked, happening = _Asked(changes=changes), None
        try:
            with asked.by_signals():
                err.print(f"watching {marked(store)}; Ctrl-C ends it", highlight=False, soft_wrap=True)
                for happening in watch_store(shop.ports, changes, sweep=shop.settings.sweep):
                    tell.be_quiet()
                    _show(happening, store, shop.ports.clock, as_json=as_json)
                    tell_news()
                    if nobody_reads():
                        break
        except BaseException:
            # Whatever error the interruption became, it was requested, and the batch was released.
            if not asked.is_interrupted:
                raise
        finally:
            tell.be_quiet()
        raise typer.Exit(_exit_code(shop, asked, has_failed=isinstance(happening, Failed)))


def _show(happening: Happening, store: object, clock: Clock, *, as_json: bool) -> None:
    """Print a batch on stdout; with --json, nothing else goes there."""
    beside = err if as_json else out
    match happening:
        case BatchOutcome() if as_json:
            sys.stdout.write(legible.as_json(outcome_document(happening)) + "\n")
            sys.stdout.flush()
        case BatchOutcome():
            run_output.show_batch(happening, store)
        case Waiting(decision=NothingPending()):
            pass
        case Waiting(decision=decision, files=files):
            run_output.show_decision(decision, files, clock.now(), did_work=True, to=beside)
        case LeftAlone(key=key, reason=reason):
            beside.print(f"[yellow]left alone[/] {marked(key)}: {marked(reason)}", highlight=False, soft_wrap=True)
        case Blocked(batch_id=batch_id, reason=reason):
            _complain(
                f"{blocked_message(batch_id, reason, shlex.quote(str(store))).rstrip('.')}; the watch continues by itself."
            )
        case Failed(error=error, retry_in=retry_in):
            _complain(f"{_explain(error)} The next try is in {retry_in.total_seconds():.0f} s.")


def _complain(text: str) -> None:
    err.print(f"[red]takings:[/] {marked(text)}", highlight=False, soft_wrap=True)


def _explain(error: Exception) -> str:
    match error:
        case OSError():
            return explain_os_error(error)
        case MemoryError():
            return explain_memory_error()
    return str(error)


def _exit_code(shop: Shop, asked: _Asked, *, has_failed: bool) -> int:
    """Return the exit code: interrupted, with something left to finish, or successful."""
    state = shop.ports.ledger.gate()
    is_unfinished = state.has_batch and state.owner in {None, shop.ports.owners.me()}
    if is_unfinished and state.reason is None:
        err.print(
            f"batch {state.batch_id} is not finished; the next `takings run` or `takings watch` continues it",
            highlight=False,
            soft_wrap=True,
        )
    if asked.by == signal.SIGINT:
        return EXIT_INTERRUPTED
    return EXIT_UNFINISHED if is_unfinished or has_failed else 0


class _Interrupted(KeyboardInterrupt):
    """Interrupt a batch that does not end in time; a KeyboardInterrupt, because Py4J aborts a call for nothing else."""


@dataclass
class _Asked:
    """What signals have requested."""

    changes: Changes
    by: int | None = None
    is_interrupted: bool = False

    def stop(self, number: int, frame: FrameType | None) -> None:
        """Stop after the running batch; at the second signal, stop at once; ignore further ones."""
        if self.is_interrupted:
            return
        if self.by is not None:
            self.interrupt(number, frame)
        self.by = number
        signal.alarm(_GRACE_SECONDS)
        self.changes.stop()

    def interrupt(self, _: int, __: FrameType | None) -> None:
        """Stop at once; the batch is released on the way out, so that anybody can resume it."""
        self.is_interrupted = True
        raise _Interrupted

    @contextmanager
    def by_signals(self) -> Iterator[None]:
        """Listen to SIGINT and SIGTERM until the block ends."""
        handlers = {signal.SIGINT: self.stop, signal.SIGTERM: self.stop, signal.SIGALRM: self.interrupt}
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield
        finally:
            signal.alarm(0)
            for number, handler in before.items():
                signal.signal(number, handler)
