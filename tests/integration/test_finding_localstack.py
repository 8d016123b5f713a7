"""A LocalStack on its usual port is found without a variable; whatever else listens there is left alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.emulators import ROOT
from tests.integration.conftest import USUAL, localstack_at


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """Serve one answer on a port of this machine."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/_localstack/health" else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_localstack_is_found() -> None:
    """By what it says of its services."""
    with answering(200, b'{"services": {"s3": "running", "dynamodb": "available"}}') as url:
        assert localstack_at(url) == url
    assert localstack_at(url) is None, "nothing listens there any more"


@pytest.mark.parametrize(
    ("status", "body"),
    [(404, b""), (200, b"<html>"), (200, b"[]"), (200, b"{}"), (200, b'{"services": {"sqs": "running"}}')],
)
def test_anything_else_is_no_localstack(status: int, body: bytes) -> None:
    """Such as a shop's own web server."""
    with answering(status, body) as url:
        assert localstack_at(url) is None


def test_the_usual_port_is_that_of_the_file() -> None:
    """With which it is started."""
    assert f'"{USUAL.removeprefix("http://")}:4566"' in (ROOT / "docker-compose.localstack.yml").read_text()
