"""Play AWS Lambda's Runtime API on the loopback interface, so that AWS's own client runs a function from its archive."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any, Final
from uuid import uuid4

_DEADLINE_SECONDS: Final = 120


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A function's answer."""

    #: the error that it raised, in Lambda's form, if any
    is_error: bool
    document: Any


@dataclass
class Function:
    """A running function."""

    log: Path
    events: Queue[tuple[str, bytes]] = field(default_factory=Queue)
    answers: Queue[Answer] = field(default_factory=Queue)

    def call(self, event: object) -> Answer:
        """Invoke the function and wait for its answer."""
        self.events.put((str(uuid4()), json.dumps(event).encode()))
        return self.answers.get(timeout=_DEADLINE_SECONDS)

    def lines(self) -> list[dict[str, Any]]:
        """Return the lines that it logged as JSON."""
        text = self.log.read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


@contextmanager
def running(archive: Path, folder: Path, variables: Mapping[str, str]) -> Iterator[Function]:
    """Unpack a function and run it with only these variables, until the block ends."""
    code = folder / "code"
    with zipfile.ZipFile(archive) as zipped:
        zipped.extractall(code)
    function = Function(log=folder / "log")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(function))
    Thread(target=server.serve_forever, daemon=True).start()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_port}",
        "AWS_LAMBDA_FUNCTION_NAME": archive.stem,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
        "LAMBDA_TASK_ROOT": str(code),
        "PYTHONDONTWRITEBYTECODE": "1",
        **variables,
    }
    # The runtime's client is this environment's; the function finds everything else in its archive first.
    command = [sys.executable, "-c", _BOOTSTRAP, str(code)]
    with (
        function.log.open("wb") as log,
        subprocess.Popen(command, cwd=code, env=environment, stdout=log, stderr=log) as process,
    ):
        try:
            yield function
        finally:
            process.kill()
            server.shutdown()
            server.server_close()


_BOOTSTRAP: Final = """
import sys
sys.path.insert(0, sys.argv[1])
from awslambdaric.__main__ import main
main(["awslambdaric", "handler.handle"])
"""


def _handler(function: Function) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Log nothing."""

        def do_GET(self) -> None:
            request_id, event = function.events.get()
            self.send_response(200)
            for name, value in {
                "Lambda-Runtime-Aws-Request-Id": request_id,
                "Lambda-Runtime-Deadline-Ms": str(int((time.time() + _DEADLINE_SECONDS) * 1000) + 900_000),
                "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-west-1:000000000000:function:f",
                "Content-Type": "application/json",
                "Content-Length": str(len(event)),
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(event)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            function.answers.put(Answer(is_error=not self.path.endswith("/response"), document=json.loads(body)))
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()

    return Handler
