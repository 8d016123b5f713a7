"""`takings notify`: send what there is to tell, or a digest."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.terminal import Takings
from tests.notices.servers import free_port, web_server
from tests.shop import csv_of, drop, drop_all, order, run

NEEDS_APPRISE = "the extra takings[notify] is not installed"
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


def test_a_digest_can_be_printed_without_any_address(takings: Takings, landed: Path) -> None:
    """Nothing is sent."""
    ended = takings("notify", landed, "--digest", "--print", "--day", "2025-03-31")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[1].split() == ["Revenue", "4.25", "–"]


def test_what_there_is_to_tell_is_sent_and_listed(
    takings: Takings, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 0, also where there is nothing."""
    pytest.importorskip("apprise", reason=NEEDS_APPRISE)
    with web_server() as hook:
        monkeypatch.setenv("TAKINGS_NOTIFY", f"json://127.0.0.1:{hook.port}/hook")
        assert takings("notify", root).out == "nothing to tell\n"
        drop(drop_all(root), "orders/bad.csv", csv_of(order(9, num_of_item=0)))
        run(root)
        ended = takings("notify", root)
    assert (ended.code, ended.out) == (0, f"sent: {root}: A file was refused\n")
    assert len(hook.came) == 1


def test_an_address_that_is_down_ends_with_3(takings: Takings, landed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a warning that says which."""
    pytest.importorskip("apprise", reason=NEEDS_APPRISE)
    monkeypatch.setenv("TAKINGS_NOTIFY", f"json://127.0.0.1:{free_port()}/hook")
    monkeypatch.setattr("takings.adapters.clock.time.sleep", lambda _: None)
    ended = takings("notify", landed, "--test")
    assert (ended.code, ended.out) == (3, "")
    assert "a message was not sent" in ended.err
    assert "1 address could not be reached" in ended.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--print",), "--day and --print go with --digest."),
        (("--digest", "--test"), "--digest and --test both say what to send. Keep one of them."),
        ((), "notify names no address."),
    ],
)
def test_what_cannot_be_meant_is_refused(
    takings: Takings, landed: Path, options: tuple[str, ...], message: str
) -> None:
    """Exit 2."""
    ended = takings("notify", landed, *options)
    assert ended.code == 2
    assert message in ended.err
