"""Start the emulators of AWS on the loopback interface: moto, and MiniStack from an environment of its own.

A worker starts each one once, when a test first asks for it; every test begins with an empty one. Nothing here goes
beyond 127.0.0.1, and the credentials are not secret.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import pytest
from botocore.loaders import create_loader

from takings.adapters.aws.bucket import Bucket
from takings.adapters.aws.clients import Clients, connected
from takings.adapters.aws.tables import TABLES

ROOT: Final = Path(__file__).resolve().parent.parent
#: `make` creates it; the variable names another one
MINISTACK: Final = Path(os.environ.get("MINISTACK", ROOT / ".venv-ministack" / "bin" / "ministack"))
#: MiniStack with ECS tasks as child processes, and whatever else the pipeline needs
_LAUNCH: Final = Path(__file__).resolve().parent / "aws_emulator" / "launch.py"
REGION: Final = "eu-west-1"
BUCKET: Final = "shop"
_START_SECONDS: Final = 60
#: moto checks a condition first and writes afterwards, so it must answer one request at a time
_MOTO: Final = """
import sys
from urllib.parse import unquote, urlparse
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple
from moto.s3.exceptions import PreconditionFailed
from moto.s3.responses import S3Response

copy = S3Response.copy_object

def strictly(self):
    # S3 knows both conditions of a copy, moto neither.
    if self.headers.get("If-None-Match") == "*" and self.backend.head_object(self.bucket_name, self.parse_key_name()):
        raise PreconditionFailed("If-None-Match")
    wanted = self.headers.get("x-amz-copy-source-if-match")
    if wanted:
        bucket, key = unquote(urlparse(self.headers["x-amz-copy-source"]).path).lstrip("/").split("/", 1)
        source = self.backend.get_object(bucket, key)
        if source is not None and source.etag.strip('"') != wanted.strip('"'):
            raise PreconditionFailed("x-amz-copy-source-If-Match")
    return copy(self)

S3Response.copy_object = strictly
run_simple("127.0.0.1", int(sys.argv[1]), DomainDispatcherApplication(create_backend_app), threaded=False)
"""


@dataclass(frozen=True, kw_only=True)
class Emulator:
    """A running emulator."""

    name: str
    url: str
    #: a POST to it empties the emulator
    reset_path: str
    clients: Clients
    #: where it writes; tasks/ has the output of tasks
    folder: Path

    def reset(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Empty it, and point every AWS client of this process at it."""
        find(self.url, monkeypatch)
        reset = urllib.request.Request(self.url + self.reset_path, method="POST")
        with urllib.request.urlopen(reset, timeout=30):
            pass

    def emptied(self, monkeypatch: pytest.MonkeyPatch) -> Clients:
        """Empty it, create bucket and tables, and point every AWS client of this process at it."""
        self.reset(monkeypatch)
        make_bucket(self.clients)
        for table in TABLES:
            self.clients.dynamodb.create_table(**table.definition(""))
        return self.clients


def find(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point every AWS client of this process at an emulator, and at nothing else."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in environment(url).items():
        monkeypatch.setenv(name, value)


def environment(url: str) -> dict[str, str]:
    """Return the standard variables that point AWS clients at an emulator and at nothing else."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def make_bucket(clients: Clients, name: str = BUCKET) -> Bucket:
    """Create a bucket with versioning."""
    clients.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    clients.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return Bucket(clients.s3, name)


@contextmanager
def started(name: str, folder: Path) -> Iterator[Emulator]:
    """Start an emulator that writes into a folder, and stop it at the end of the block."""
    port = _free_port()
    if name == "moto":
        command = [sys.executable, "-c", _MOTO, str(port)]
        reset_path = "/moto-api/reset"
    else:
        if not MINISTACK.exists():
            pytest.skip(f"MiniStack is not installed ({MINISTACK}); `make test` installs it")
        command = [str(MINISTACK.with_name("python")), str(_LAUNCH), str(port), str(folder / "tasks"), sys.executable]
        reset_path = "/_ministack/reset"
    clean = {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder)}
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, cwd=folder, env=clean, stdin=subprocess.DEVNULL, stdout=log, stderr=log) as process,
    ):
        try:
            _wait_until_it_listens(process, port, folder / "log")
            url = f"http://127.0.0.1:{port}"
            with pytest.MonkeyPatch.context() as monkeypatch:
                find(url, monkeypatch)
                # Reading boto3's service descriptions takes longer than most tests.
                monkeypatch.setattr("botocore.session.create_loader", cache(create_loader))
                with connected() as clients:
                    yield Emulator(name=name, url=url, reset_path=reset_path, clients=clients, folder=folder)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until the process itself listens: if another process had taken the port, this one would have ended."""
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0 and _is_listener(process.pid, port):
                return
        time.sleep(0.05)
    raise AssertionError(f"it did not start: {log.read_text(errors='replace')[-2000:]}")


def _is_listener(pid: int, port: int) -> bool:
    """Return whether a process listens on a port; True if the system does not say."""
    sockets, listening = Path(f"/proc/{pid}/fd"), Path("/proc/net/tcp")
    if not (sockets.exists() and listening.exists()):
        return True
    rows = [line.split() for line in listening.read_text().splitlines()[1:]]
    inodes = {f"socket:[{row[9]}]" for row in rows if row[3] == "0A" and row[1] == f"0100007F:{port:04X}"}
    return any(str(each.readlink()) in inodes for each in sockets.iterdir() if each.is_symlink())
