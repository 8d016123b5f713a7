"""Serve the page and the read API: `takings serve`."""

from __future__ import annotations

import ipaddress
import socket
import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer

from takings.composition.stores import read_settings_of
from takings.entrypoints.console import Teller, err
from takings.entrypoints.legible import marked
from takings.entrypoints.options import Store
from takings.errors import SettingsError

if TYPE_CHECKING:
    from takings.settings import Settings

#: how long a thread keeps the interpreter while others wait: other answers should not wait for one page's rendering
_SWITCH_SECONDS: Final = 0.001

#: too many characters to guess
_SHORTEST_TOKEN: Final = 16


def serve(
    store: Store,
    host: Annotated[str | None, typer.Option(help="An address other than 127.0.0.1; needs a token.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="A port other than 8321; 0 takes a free one.")
    ] = None,
) -> None:
    """Serve the page and the read API of a store until Ctrl-C or SIGTERM; only reads."""
    settings = read_settings_of(store, {"serve_host": host, "serve_port": port})
    check_exposure(settings)
    try:
        import uvicorn

        from takings.entrypoints.web.application import application
        from takings.entrypoints.web.live import Live
        from takings.entrypoints.web.opening import OpenedStore
        from takings.entrypoints.web.server import PageServer
        from takings.entrypoints.web.store_reader import StoreReader
    except ModuleNotFoundError as missing:
        raise SettingsError(
            f"`takings serve` needs the package {missing.name}. Install it: pip install 'takings[web]'."
        ) from missing
    opened = OpenedStore(store, Teller())
    try:
        with opened.reading():
            pass
        sys.setswitchinterval(_SWITCH_SECONDS)
        reader = StoreReader(opened)
        live = Live(reader)
        page = application(reader, live, names=settings.serve_names, token=settings.serve_token)
        listener = _listen(settings)
        config = uvicorn.Config(
            page, log_config=None, server_header=False, proxy_headers=False, timeout_graceful_shutdown=3
        )
        address = _address(settings.serve_host, listener.getsockname()[1])
        err.print(f"{marked(store)} is at {address} (Ctrl-C ends it)", highlight=False, soft_wrap=True)
        PageServer(config, live).run([listener])
    finally:
        opened.close()


def check_exposure(settings: Settings) -> None:
    """Raise SettingsError where others could reach the page without a token."""
    token = settings.serve_token
    if token is not None and len(token) < _SHORTEST_TOKEN:
        raise SettingsError(f"serve_token is too short. Choose {_SHORTEST_TOKEN} characters or more, at random.")
    if token is None and not _is_loopback(settings.serve_host):
        raise SettingsError(
            f"--host {settings.serve_host}: others can reach that address, so a token is needed. Set TAKINGS_SERVE_TOKEN to"
            " 16 characters or more, for instance the output of `openssl rand -hex 16`."
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listen(settings: Settings) -> socket.socket:
    """Listen before the address is printed; SettingsError where the address is not available."""
    host, port = settings.serve_host, settings.serve_port
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen(128)
    except OSError as refused:
        raise SettingsError(
            f"--host {host} --port {port}: {refused.strerror}. Choose another, or end the process that listens there;"
            " --port 0 takes a free one."
        ) from refused
    return listener


def _address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
