"""Send requests to an application, and watch a page in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from httpx import Client, Response
from playwright.sync_api import ConsoleMessage, Error, Page, Request


@dataclass(frozen=True, kw_only=True)
class Asker:
    """What sends requests."""

    client: Client

    def __call__(self, address: str, method: str = "GET", **headers: str) -> Response:
        """Request an address, with headers whose dashes are written as underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.request(method, address, headers=named)

    def json(self, address: str) -> Any:
        """Request a document."""
        answer = self(address)
        assert answer.status_code == 200, answer.text
        return answer.json()


@contextmanager
def asking(site: str) -> Iterator[Asker]:
    """Send requests to a site until the block ends."""
    with Client(base_url=site, trust_env=False, timeout=30) as client:
        yield Asker(client=client)


@dataclass
class Watched:
    """What went wrong on a page."""

    complaints: list[str] = field(default_factory=list)

    @staticmethod
    def of(page: Page) -> Watched:
        """Watch a page from now on."""
        watched = Watched()
        page.on("console", watched.console)
        page.on("pageerror", watched.error)
        page.on("request", watched.request)
        return watched

    def console(self, message: ConsoleMessage) -> None:
        """Keep the browser's complaints."""
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.type}: {message.text}")

    def error(self, error: Error) -> None:
        """Keep the errors that no script caught."""
        self.complaints.append(f"uncaught: {error}")

    def request(self, request: Request) -> None:
        """Keep the requests that would leave the machine."""
        if urlsplit(request.url).hostname not in {"127.0.0.1", None} and not request.url.startswith("data:"):
            self.complaints.append(f"outside: {request.url}")
