"""Tell people what happened, after the batch and beside it: a message that cannot be sent holds up nothing.

Each thing is told to each address at least once: the note that it was sent is written after it was, so a death between the two
tells it again. What cannot be sent is tried again by the next check, for three days.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from typing import Final

from takings import layout
from takings.documents import NOTICE, need_document
from takings.errors import NotSent
from takings.intake.manifest import to_json
from takings.ports import Message, Messenger, Ports
from takings.queries import digest_text
from takings.queries.digest import find_digest
from takings.queries.news import News, NewsRules, find_news

#: between the attempts to reach an address: a server that restarts is back by then
_PAUSES: Final = (1.0, 4.0)
#: before this, nothing is told: a store's past is no news to whoever sets an address
_BEGAN: Final = "began"


@dataclass(frozen=True, kw_only=True)
class Notified:
    """What was sent, and what could not be."""

    #: a title per message and address
    sent: tuple[str, ...]
    #: address, without its passwords and tokens -> why it could not be reached
    failed: Mapping[str, str]


def notify(ports: Ports, messenger: Messenger, rules: NewsRules, shop: str) -> Notified:
    """Send what there is to tell and was not told yet; `shop` is the store's name for people."""
    news = list(find_news(ports, rules, _began(ports)))
    sent: list[str] = []
    failed: dict[str, str] = {}
    for address in messenger.addresses:
        for each in news:
            if ports.store.read(_note(each, address)) is not None:
                continue
            message = Message(title=f"{shop}: {each.title}", text=each.text, is_warning=True)
            if (reason := _send(ports, messenger, address, message)) is not None:
                failed[address] = reason
                break
            ports.store.create(_note(each, address), _told(ports.clock.now(), each.kind.value, each.id, address))
            sent.append(message.title)
    return Notified(sent=tuple(sent), failed=failed)


def send_digest(ports: Ports, messenger: Messenger, shop: str, day: date | None) -> Notified:
    """Send the digest of a day (None: yesterday) to every address."""
    digest = find_digest(ports, day)
    message = Message(
        title=digest_text.title(digest, shop), text=digest_text.as_text(digest), html=digest_text.as_html(digest)
    )
    return send_to_all(ports, messenger, message)


def send_to_all(ports: Ports, messenger: Messenger, message: Message) -> Notified:
    """Send a message to every address, whether or not it was sent before."""
    reasons = {address: _send(ports, messenger, address, message) for address in messenger.addresses}
    return Notified(
        sent=tuple(message.title for reason in reasons.values() if reason is None),
        failed={address: reason for address, reason in reasons.items() if reason is not None},
    )


def _send(ports: Ports, messenger: Messenger, address: str, message: Message) -> str | None:
    """Send a message, and try again after short pauses; return why that failed."""
    for pause in (*_PAUSES, None):
        try:
            messenger.send(address, message)
        except NotSent as failure:
            if pause is None:
                ports.tell("notice.not_sent", {"address": address, "reason": str(failure)})
                return str(failure)
            ports.clock.sleep(pause)
        else:
            ports.tell("notice.sent", {"address": address, "title": message.title})
            return None
    raise AssertionError("the last attempt returns")


def _began(ports: Ports) -> datetime:
    """Return since when there is somebody to tell; from now on, if this is the first time."""
    key = layout.notice(_BEGAN)
    ports.store.create(key, _told(ports.clock.now(), None, None, None))
    return layout.parse_instant(need_document(ports.store, key, NOTICE)["at"])


def _note(news: News, address: str) -> str:
    """Return the key of the note that an address was told; its name may hold characters that a key may not."""
    return layout.notice(f"{news.kind}/{news.id}/{sha256(address.encode()).hexdigest()[:16]}")


def _told(now: datetime, kind: str | None, name: str | None, address: str | None) -> bytes:
    return to_json(
        {"schema_version": 1, "at": layout.format_instant(now), "kind": kind, "id": name, "address": address}
    )
