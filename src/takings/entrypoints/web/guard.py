"""Refuse unwanted requests: only reads and known hosts are allowed, with a token if others can reach the machine."""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
from collections.abc import Collection
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from takings.entrypoints.web.problems import problem

#: nothing inline, nothing from other sites, and no frame around the page
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "content-security-policy": _POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
#: needs no token, so that monitoring can ask for it; it reveals nothing about the shop
_OPEN: Final = {"/health"}
#: set in the scope of a request whose answer has no body
HEAD: Final = "takings.head"


class Guard:
    """What every request passes before it reaches the application."""

    def __init__(self, app: ASGIApp, *, names: Collection[str], token: str | None) -> None:
        self._app = app
        self._names = frozenset(name.lower() for name in names)
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on; add the headers that every answer has."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        is_head = scope["method"] == "HEAD"

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            elif is_head:
                message = {**message, "body": b""}
            await send(message)

        refusal = self._refusal(scope)
        if is_head:
            scope = {**scope, "method": "GET", HEAD: True}
        await (refusal or self._app)(scope, receive, answer)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        headers = Headers(scope=scope)
        if scope["method"] not in {"GET", "HEAD"}:
            return problem(
                405, f"{scope['method']} is not allowed: this server only reads. Use GET.", {"Allow": "GET, HEAD"}
            )
        if not self._is_known(headers.get("host", "")):
            return problem(
                421,
                "this host name is not known here, so another site may have made your browser ask. Open the page by its"
                " address, or list the name in the setting `serve_names`.",
            )
        if self._token is not None and scope["path"] not in _OPEN and not self._is_let_in(headers):
            return problem(
                401,
                "a token is needed: as password (with any user name), or as `Authorization: Bearer TOKEN`.",
                {"WWW-Authenticate": 'Basic realm="Takings", charset="UTF-8"'},
            )
        return None

    def _is_known(self, host: str) -> bool:
        """Return whether a Host header names this machine; unlike a name, an address cannot be rebound."""
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and not host.endswith("]") else host
        if name.lower() in self._names:
            return True
        try:
            ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
        except ValueError:
            return False
        return True

    def _is_let_in(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        match scheme.lower():
            case "bearer":
                told = given.strip().encode()
            case "basic":
                try:
                    told = base64.b64decode(given, validate=True).partition(b":")[2]
                except binascii.Error:
                    return False
            case _:
                return False
        return hmac.compare_digest(told, str(self._token).encode())
