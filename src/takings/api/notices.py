"""Tell people what happened to a store, by the addresses of its settings."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import date
from typing import TYPE_CHECKING

from takings.composition.messengers import open_messenger
from takings.composition.stores import Shop as OpenedStore
from takings.errors import SettingsError
from takings.ports import Message, Messenger
from takings.queries.news import NewsRules

if TYPE_CHECKING:
    from takings.runs.notify import Notified


def notify(name: str, opened: AbstractContextManager[OpenedStore]) -> Notified:
    """Send what there is to tell and was not told yet."""
    from takings.runs import notify as sending

    with opened as store:
        return sending.notify(store.ports, _messenger(store), NewsRules.of(store.settings), name)


def send_digest(name: str, opened: AbstractContextManager[OpenedStore], day: date | None) -> Notified:
    """Send the digest of a day."""
    from takings.runs import notify as sending

    with opened as store:
        return sending.send_digest(store.ports, _messenger(store), name, day)


def send_test(name: str, opened: AbstractContextManager[OpenedStore]) -> Notified:
    """Send a message that says where messages come from, to try addresses out."""
    from takings.runs import notify as sending

    text = f"Messages about {name} come to this address. Nothing happened."
    with opened as store:
        return sending.send_to_all(store.ports, _messenger(store), Message(title=f"{name}: a test", text=text))


def _messenger(store: OpenedStore) -> Messenger:
    messenger = open_messenger(store.settings)
    if messenger is None:
        raise SettingsError(
            "notify names no address. Set it in takings.toml or as TAKINGS_NOTIFY, such as"
            " notify = ['mailto://user:password@example.org']."
        )
    return messenger
