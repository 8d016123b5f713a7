"""Send messages with Apprise: mail, Slack, Teams, webhooks and a hundred others, each by its own kind of address."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any

import apprise

from takings.errors import NotSent, SettingsError
from takings.ports import Message

# What it logs is the reason that `send` raises, so it need not be printed as well.
logging.getLogger("apprise").propagate = False


class AppriseMessenger:
    """Messages to the addresses of one store; SettingsError where Apprise does not know one of them."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._services: dict[str, Any] = {}
        names = Counter[str]()
        for address in addresses:
            service: Any = apprise.Apprise.instantiate(address, suppress_exceptions=True)
            if service is None:
                # The rest of it may be a password.
                raise SettingsError(
                    f"notify: Apprise cannot use the address that begins with '{address.partition('://')[0]}://'. Write it as"
                    " its documentation has it, such as mailto://user:password@example.org."
                )
            name = service.url(privacy=True).partition("?")[0]
            names[name] += 1
            self._services[name if names[name] == 1 else f"{name}#{names[name]}"] = service

    @property
    def addresses(self) -> Sequence[str]:
        """Return the names of the addresses, without passwords and tokens."""
        return list(self._services)

    def send(self, address: str, message: Message) -> None:
        """Hand a message over to one address; NotSent where that fails. Repeated, it is sent again."""
        service = self._services[address]
        html = message.html if _is_mail(service) else None
        one = apprise.Apprise()
        one.add(service)
        with apprise.LogCapture(level=logging.WARNING, fmt="%(message)s") as log:  # type: ignore[no-untyped-call]
            is_sent = one.notify(
                title=message.title,
                body=html or message.text,
                body_format=apprise.NotifyFormat.HTML if html else apprise.NotifyFormat.TEXT,
                notify_type=apprise.NotifyType.WARNING if message.is_warning else apprise.NotifyType.INFO,
            )
            told = " ".join(log.getvalue().split())
        if not is_sent:
            raise NotSent(f"{address}: {told or 'it did not take the message'}")


def _is_mail(service: Any) -> bool:  # noqa: ANN401 - one of Apprise's plugins
    """Return whether a service prefers HTML, as those for mail do; Telegram does as well, but shows no table.

    Since Apprise 2.3, a service may name several formats, its preferred one first.
    """
    known = service.notify_format
    preferred = known[0] if isinstance(known, tuple) else known
    return bool(preferred == apprise.NotifyFormat.HTML and "tgram" not in {service.protocol, service.secure_protocol})
