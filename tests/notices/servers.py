"""A mail server and a web server on loopback that keep what they get, and may refuse it first."""

from __future__ import annotations

import email.policy
import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Inbox:
    """What came, and how many times it is refused before it is taken."""

    port: int = 0
    refusals: int = 0
    came: list[Any] = field(default_factory=list)
    tries: int = 0

    def takes(self) -> bool:
        """Count a try; return whether it is taken."""
        self.tries += 1
        return self.tries > self.refusals

    @property
    def mails(self) -> list[EmailMessage]:
        """Return what came as mails."""
        return [BytesParser(EmailMessage, policy=email.policy.default).parsebytes(content) for content in self.came]


@contextmanager
def mail_server(refusals: int = 0) -> Iterator[Inbox]:
    """Speak SMTP (RFC 5321) on loopback; refuse the first mails with 451."""
    inbox = Inbox(refusals=refusals)

    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.say("220 test")
            while line := self.rfile.readline().decode().strip():
                match line.split(" ")[0].upper():
                    case "DATA":
                        self.say("354 go on")
                        self.take()
                    case "QUIT":
                        self.say("221 bye")
                        return
                    case _:
                        self.say("250 ok")

        def take(self) -> None:
            lines = []
            while (line := self.rfile.readline()) != b".\r\n":
                lines.append(line.removeprefix(b"."))
            if inbox.takes():
                inbox.came.append(b"".join(lines))
                self.say("250 taken")
            else:
                self.say("451 later")

        def say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session) as server:
        yield from _serving(server, inbox)


@contextmanager
def web_server(refusals: int = 0, path: str = "") -> Iterator[Inbox]:
    """Take JSON by POST on loopback; refuse the first requests with 503."""
    inbox = Inbox(refusals=refusals)

    class Session(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            is_taken = inbox.takes() and self.path.startswith(path)
            if is_taken:
                inbox.came.append(json.loads(content) | {"_headers": dict(self.headers)})
            self.send_response(200 if is_taken else 503)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Session) as server:
        yield from _serving(server, inbox)


def _serving(server: socketserver.TCPServer, inbox: Inbox) -> Iterator[Inbox]:
    inbox.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield inbox
    finally:
        server.shutdown()
        thread.join()


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as server:
        return int(server.server_address[1])
