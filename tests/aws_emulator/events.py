"""S3's event notifications under a test's control: held back, delivered late, twice, in another order or never."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ministack.services import s3

from tests.aws_emulator.lifetime import leave_if_over
from tests.aws_emulator.patching import Function, patch


@dataclass(kw_only=True)
class Held:
    """The events that are not delivered yet."""

    holding: bool = False
    #: key, name of the event, and how to deliver it
    events: list[tuple[str, str, Callable[[], None]]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def hold(self, *, holding: bool) -> None:
        """Hold every event back from now on, or stop doing so."""
        with self.lock:
            self.holding = holding

    def shown(self) -> list[dict[str, str]]:
        """Return the held events, in the order of the writes."""
        with self.lock:
            return [{"key": key, "event": event} for key, event, _ in self.events]

    def release(self, order: Sequence[int]) -> None:
        """Deliver held events by number, one after the other; a number may occur twice."""
        with self.lock:
            chosen = [self.events[number][2] for number in order]
            self.events = [event for number, event in enumerate(self.events) if number not in order]
        for deliver in chosen:
            deliver()

    def drop(self) -> None:
        """Lose every event that is held."""
        with self.lock:
            self.events = []


def hold_in(held: Held) -> None:
    """Put events under the test's control."""
    parameters = "bucket_name, key, event_name, size, etag, deletion_type, restore_event_data, "
    parameters += "version_id, sequencer, object_extra, record_extra"

    def change(original: Function) -> Function:
        def fire(bucket_name: str, key: str, event_name: str, *args: Any, **kwargs: Any) -> None:
            leave_if_over()
            context = contextvars.copy_context()

            def deliver() -> None:
                context.copy().run(original, bucket_name, key, event_name, *args, **kwargs)

            with held.lock:
                if held.holding:
                    held.events.append((key, event_name, deliver))
                    return
            deliver()

        return fire

    patch(s3, "_fire_s3_event", parameters, change)
