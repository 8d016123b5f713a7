"""Emit OpenLineage events beside a batch: a thread sends them, and a failure is an event of ours, nothing more."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import SimpleQueue
from typing import Any, Final

from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import RunEvent, RunState

from takings.adapters.openlineage_events import Described
from takings.errors import cause_of
from takings.layout import BatchId, format_instant
from takings.ports import Tell

#: how long the end of a run waits for events that are being sent
_LAST_SECONDS: Final = 10.0
#: a catalogue on the own network answers at once, or not at all; each is tried again twice
_HTTP: Final = {"timeout": 3.0, "retry": {"total": 2, "connect": 2, "read": 2, "backoff_factor": 0.2}}

_Make = Callable[[], RunEvent]


@contextmanager
def emitting(described: Described, tell: Tell, url: str, key: str | None) -> Iterator[Tell]:
    """Lend what logs events like `tell`, and emits those of batches to `url`, a catalogue or a file."""
    emitter = _Emitter(client=_client(url, key), tell=tell)
    thread = threading.Thread(target=emitter.work, name="takings openlineage", daemon=True)
    thread.start()

    def told(event: str, known: Mapping[str, object]) -> None:
        tell(event, known)
        if (make := _event_of(described, event, known)) is not None:
            emitter.waiting.put((str(known["batch_id"]), make))

    try:
        yield told
    finally:
        emitter.waiting.put(None)
        thread.join(_LAST_SECONDS)
        if thread.is_alive():
            tell("lineage.not_sent", {"batch_id": "–", "reason": f"{url} did not answer in time"})


def _client(url: str, key: str | None) -> OpenLineageClient:
    """Return the official client, with this address alone."""
    transport: dict[str, Any]
    if url.startswith("file:"):
        path = url.removeprefix("file:")
        transport = {"type": "file", "log_file_path": path.removeprefix("//"), "append": True}
    else:
        transport = {"type": "http", "url": url, **_HTTP}
        if key is not None:
            transport["auth"] = {"type": "api_key", "apiKey": key}
    return OpenLineageClient(config={"transport": transport})


def _event_of(described: Described, event: str, known: Mapping[str, object]) -> _Make | None:
    """Return what makes the OpenLineage event of an event of ours, if there is one."""
    batch_id, now = BatchId(str(known.get("batch_id"))), format_instant(datetime.now(UTC))
    match event:
        case "batch.dispatched":
            return lambda: described.started(batch_id)
        case "batch.done":
            return lambda: described.done(batch_id)
        case "batch.given_up":
            return lambda: described.stopped(batch_id, RunState.ABORT, now, str(known["cause"]))
        case "batch.blocked":
            return lambda: described.stopped(batch_id, RunState.FAIL, now, str(known["reason"]))
    return None


@dataclass
class _Emitter:
    """What sends events one after the other."""

    client: OpenLineageClient
    tell: Tell

    def __post_init__(self) -> None:
        #: the batch, and what makes the event; None at the end
        self.waiting: SimpleQueue[tuple[str, _Make] | None] = SimpleQueue()

    def work(self) -> None:
        """Make and send events until the end."""
        while (next_one := self.waiting.get()) is not None:
            batch_id, make = next_one
            try:
                self.client.emit(make())
            except Exception as failed:  # noqa: BLE001 - whatever the client raises, the batch goes on, and people are told
                self.tell("lineage.not_sent", {"batch_id": batch_id, "reason": cause_of(failed)})
        self.client.close(_LAST_SECONDS)
