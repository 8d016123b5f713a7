"""Pick what sends messages, and send what there is to tell while a store is watched."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from takings.composition.stores import Shop, open_store_to_look
from takings.errors import SettingsError, TakingsError, cause_of
from takings.ports import Messenger, Tell
from takings.queries.news import NewsRules
from takings.settings import Settings

#: how long the end of a watch waits for messages that are being sent
_LAST_SECONDS: Final = 10.0


def open_messenger(settings: Settings) -> Messenger | None:
    """Return what sends to the addresses of the settings; None where there is none.

    SettingsError where Apprise is not installed, or does not know an address.
    """
    if not settings.notify:
        return None
    try:
        from takings.adapters.apprise_messenger import AppriseMessenger
    except ModuleNotFoundError as missing:
        raise SettingsError(
            f"notify needs the package {missing.name}. Install it: pip install 'takings[notify]'."
        ) from missing
    return AppriseMessenger(settings.notify)


def tell_news(store: Shop, messenger: Messenger | None, name: str) -> None:
    """Send what there is to tell of an opened store; what goes wrong is an event, and nothing more."""
    if messenger is None:
        return
    from takings.runs.notify import notify

    ports = store.ports
    try:
        with ports.faults():
            notify(ports, messenger, NewsRules.of(store.settings), name)
    except (TakingsError, OSError) as failed:
        ports.tell("notice.failed", {"reason": cause_of(failed)})


@contextmanager
def telling_news(
    store: str | Path, settings: Settings, tell: Tell, options: Mapping[str, Any]
) -> Iterator[Callable[[], None]]:
    """Lend a function that has news sent soon, by a thread with its own view of the store: no batch waits for a mail server.

    The thread also looks by itself, once per `sweep`: silence and age announce themselves by nothing.
    """
    messenger = open_messenger(settings)
    if messenger is None:
        yield lambda: None
        return
    wanted, is_over = threading.Event(), threading.Event()

    def look_again() -> None:
        while True:
            wanted.wait(settings.sweep.total_seconds())
            is_last = is_over.is_set()
            wanted.clear()
            try:
                with open_store_to_look(store, tell, options) as opened:
                    tell_news(opened, messenger, str(store))
            except (TakingsError, OSError) as failed:
                tell("notice.failed", {"reason": cause_of(failed)})
            if is_last:
                return

    teller = threading.Thread(target=look_again, name="takings notify", daemon=True)
    teller.start()
    try:
        yield wanted.set
    finally:
        is_over.set()
        wanted.set()
        teller.join(_LAST_SECONDS)
