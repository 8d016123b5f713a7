"""takings serve: how it starts, and how it ends."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from httpx import Client

from tests.cli.terminal import Takings
from tests.web.looking import asking
from tests.web.site import served


def test_another_address_needs_a_token(takings: Takings, done: Path) -> None:
    """It refuses to start, and says which setting to use."""
    ended = takings("serve", done, "--host", "0.0.0.0")
    assert (ended.code, ended.out) == (2, "")
    assert "TAKINGS_SERVE_TOKEN" in ended.err


def test_a_short_token_is_refused(takings: Takings, done: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not printed."""
    monkeypatch.setenv("TAKINGS_SERVE_TOKEN", "guessable")
    ended = takings("serve", done, "--host", "0.0.0.0")
    assert ended.code == 2
    assert "16 characters" in ended.err
    assert "guessable" not in ended.err


def test_no_store_no_page(takings: Takings, tmp_path: Path) -> None:
    """As for every command."""
    assert takings("serve", tmp_path / "nowhere").code == 2


def test_explain_as_csv_is_what_the_command_prints(takings: Takings, done: Path) -> None:
    """The CSV for spreadsheets is the same, without formulas."""
    with served(done) as site, asking(site) as ask:
        answer = ask("/api/v1/explain?day=2025-03-30&format=csv")
        assert answer.text == takings("explain", done, "2025-03-30", "--format", "csv").out
        sheet = ask("/api/v1/explain?day=2025-03-30&format=csv&for_spreadsheet=true")
        assert sheet.text == answer.text.replace("\n", "\r\n")
        chosen = ask("/explain?day=2025-03-30&category=Toys")
        assert (chosen.status_code, chosen.headers["location"]) == (303, "/explain/2025-03-30?category=Toys")


def test_only_serve_loads_what_a_page_needs() -> None:
    """Other commands work without the extra."""
    asked = (
        "import sys, takings.entrypoints.cli; print({'fastapi', 'jinja2', 'starlette', 'uvicorn'} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", asked], text=True) == "set()\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_serve_ends_as_asked(done: Path, number: signal.Signals, code: int) -> None:
    """Even while a page listens."""
    command = [sys.executable, "-m", "takings", "serve", str(done), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        try:
            address = str(re.search(r"http://\S+", server.stderr.readline())[0])  # type: ignore[index]
            with Client(trust_env=False) as client, client.stream("GET", f"{address}/live") as events:
                assert next(events.iter_lines()) == "retry: 2000"
                server.send_signal(number)
                assert server.wait(timeout=30) == code
        finally:
            server.kill()
