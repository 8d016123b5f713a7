"""Messages reach a mail server and a web server on loopback, at least once, and no batch waits for them."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import takings
from takings.composition.messengers import open_messenger, telling_news
from takings.errors import NotSent, SettingsError
from takings.ports import Message
from takings.queries.news import NewsRules
from takings.runs import notify as sending
from takings.runs.notify import Notified
from takings.settings import Settings, merge_settings
from tests.notices.servers import free_port, mail_server, web_server
from tests.shop import csv_of, drop, drop_all, opened, order, run, silent

pytest.importorskip("apprise", reason="the extra takings[notify] is not installed")
# Apprise asks for a module that Python 3.13 no longer has, and does without it there.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send without Apprise's pauses between two messages to one service."""
    monkeypatch.setattr("apprise.URLBase.throttle", lambda *_, **__: None)


def mail(port: int) -> str:
    """Return the address of a mailbox on a mail server."""
    return f"mailto://127.0.0.1:{port}?from=shop@example.org&to=me@example.org&mode=insecure"


def web(port: int) -> str:
    """Return the address of a webhook."""
    return f"json://127.0.0.1:{port}/hook"


def settings(*addresses: str) -> Settings:
    """Return settings with these addresses."""
    return merge_settings([("test", {"notify": list(addresses)})])


def check(root: Path, *addresses: str, events: list[tuple[str, Mapping[str, object]]] | None = None) -> Notified:
    """Send what there is to tell; pauses between attempts take no time."""
    chosen = settings(*addresses)
    messenger = open_messenger(chosen)
    assert messenger is not None
    with opened(root) as shop:
        ports = shop.ports if events is None else replace(shop.ports, tell=lambda *event: events.append(event))
        return sending.notify(ports, messenger, NewsRules.of(chosen), "shop")


@pytest.fixture
def troubled(root: Path) -> Path:
    """Return a store whose batch refused a file, after somebody was there to be told."""
    with web_server() as inbox:
        assert check(root, web(inbox.port)) == Notified(sent=(), failed={})
    drop(drop_all(root), "orders/bad.csv", csv_of(order(9, num_of_item=0)))
    run(root)
    return root


def test_a_refused_file_comes_by_mail_and_by_webhook(troubled: Path) -> None:
    """Once to each; the second check has nothing to tell."""
    with mail_server() as post, web_server() as hook:
        addresses = mail(post.port), web(hook.port)
        assert check(troubled, *addresses).sent == ("shop: A file was refused",) * 2
        assert check(troubled, *addresses) == Notified(sent=(), failed={})
    (letter,), (posted,) = post.mails, hook.came
    assert letter["Subject"] == posted["title"] == "shop: A file was refused"
    assert "raw-data/orders/bad.csv: 1 of 1 records refused" in str(letter.get_body(("plain",)))
    assert "raw-data/orders/bad.csv: 1 of 1 records refused" in posted["message"]
    assert posted["type"] == "warning"


def test_an_address_that_refuses_is_tried_three_times(troubled: Path) -> None:
    """Within one check."""
    with mail_server(refusals=2) as post, web_server(refusals=2) as hook:
        assert check(troubled, mail(post.port), web(hook.port)).failed == {}
    assert (post.tries, len(post.came), hook.tries, len(hook.came)) == (3, 1, 3, 1)


def test_what_could_not_be_sent_is_sent_by_the_next_check(troubled: Path) -> None:
    """The address that was reached is not told again; the event names no password."""
    port, events = free_port(), list[tuple[str, Mapping[str, object]]]()
    down = f"json://me:secret@127.0.0.1:{port}/hook"
    with mail_server() as post:
        done = check(troubled, mail(post.port), down, events=events)
        assert len(done.sent) == len(done.failed) == 1
        told = [dict(known) for event, known in events if event == "notice.not_sent"]
        assert len(told) == 1
        assert "127.0.0.1" in str(told[0]["reason"])
        assert "secret" not in json.dumps(told)
        assert len(post.came) == 1
    with web_server() as hook:
        assert check(troubled, web(hook.port)).sent == ("shop: A file was refused",)


def test_a_death_between_message_and_note_sends_it_again(troubled: Path) -> None:
    """At least once: the note comes last."""
    with web_server() as hook:
        check(troubled, web(hook.port))
        (note,) = (troubled / "notices" / "rejected").glob("*/*.json")
        note.unlink()
        check(troubled, web(hook.port))
    assert [posted["title"] for posted in hook.came] == ["shop: A file was refused"] * 2


def test_a_run_sends_after_its_last_batch(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it published does not depend on it."""
    monkeypatch.chdir(root.parent)
    with web_server() as hook:
        shop = takings.open(root, notify=web(hook.port))
        shop.run(now=True)
        drop(drop_all(root), "orders/bad.csv", csv_of(order(9, num_of_item=0)))
        assert shop.run(now=True).batches[0].commit == 1
    assert [posted["title"] for posted in hook.came] == [f"{root}: A file was refused"]


def test_a_run_whose_messages_cannot_be_sent_is_done_all_the_same(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch has ended before; the event says what was not sent."""
    monkeypatch.setattr("takings.adapters.clock.time.sleep", lambda _: None)
    monkeypatch.chdir(root.parent)
    events = []
    shop = takings.open(root, notify=web(free_port()), tell=lambda *event: events.append(event[0]))
    shop.run(now=True)
    drop(drop_all(root), "orders/bad.csv", csv_of(order(9, num_of_item=0)))
    done = shop.run(now=True)
    assert ([batch.commit for batch in done.batches], done.has_rejections) == ([1], True)
    assert events.index("batch.done") < events.index("notice.not_sent")
    assert shop.status().state == "IDLE"


def test_a_watch_has_messages_sent_beside_it(root: Path) -> None:
    """Whoever watches goes on at once, while the server takes its time."""
    with web_server() as hook:
        chosen = settings(web(hook.port))
        with opened(root) as shop:
            messenger = open_messenger(chosen)
            assert messenger is not None
            sending.notify(shop.ports, messenger, NewsRules.of(chosen), "shop")
        with telling_news(root, chosen, silent, {}) as tell_news:
            drop(drop_all(root), "orders/bad.csv", csv_of(order(9, num_of_item=0)))
            run(root)
            began = time.monotonic()
            tell_news()
            assert time.monotonic() - began < 0.5
    assert [posted["title"] for posted in hook.came] == [f"{root}: A file was refused"]


def test_a_test_message_reaches_every_address(root: Path) -> None:
    """Each time it is asked for."""
    with mail_server() as post:
        shop = takings.Shop(root, notify=mail(post.port))
        assert shop.send_test().failed == shop.send_test().failed == {}
    assert [letter["Subject"] for letter in post.mails] == [f"{root}: a test"] * 2


def test_the_digest_is_a_mail_with_numbers_and_bars(root: Path) -> None:
    """HTML and text; the chart is in both, without an image."""
    run(drop_all(root))
    with mail_server() as post, web_server() as hook:
        takings.Shop(root, notify=f"{mail(post.port)} {web(hook.port)}").send_digest("2025-03-31")
    (letter,), (posted,) = post.mails, hook.came
    assert letter["Subject"] == f"{root}: 4.25 of revenue on Monday, 2025-03-31"
    shown = letter.get_body(("html",))
    assert shown is not None
    html = str(shown.get_content())
    assert 'title="2025-03-30: 30.25"' in html
    assert 'height="80"' in html
    assert "<img" not in html
    assert "█▁" in posted["message"]


class TestAddresses:
    """What an address must be."""

    def test_one_that_apprise_does_not_know_is_refused_without_its_password(self) -> None:
        """Before anything is begun."""
        with pytest.raises(SettingsError) as refused:
            open_messenger(settings("nobody://user:secret@example.org"))
        assert "begins with 'nobody://'" in str(refused.value)
        assert "secret" not in str(refused.value)

    @pytest.mark.parametrize("written", ["user:secret@example.org", 7, ["mail"]])
    def test_one_without_a_service_is_refused_without_its_password(self, written: Any) -> None:
        """Neither the message nor its cause shows it."""
        with pytest.raises(SettingsError) as refused:
            merge_settings([("takings.toml", {"notify": written})])
        assert str(refused.value).startswith("takings.toml: notify = …: ")
        assert refused.value.__cause__ is None

    def test_spaces_part_them_in_a_variable(self) -> None:
        """A list does in a file."""
        assert merge_settings([("environment", {"notify": "json://a  json://b"})]).notify == ("json://a", "json://b")

    def test_two_that_look_alike_without_their_passwords_have_two_names(self, root: Path) -> None:
        """Each is told."""
        messenger = open_messenger(settings("json://me:one@127.0.0.1:1/hook", "json://me:two@127.0.0.1:1/hook"))
        assert messenger is not None
        first, second = messenger.addresses
        assert (second, "one" in first, "two" in second) == (f"{first}#2", False, False)
        with pytest.raises(NotSent):
            messenger.send(first, Message(title="a", text="b"))

    def test_none_is_an_error_for_whoever_asks_to_send(self, root: Path) -> None:
        """It says how to set one."""
        with pytest.raises(SettingsError, match="notify names no address"):
            takings.Shop(root).notify()


def test_a_note_that_is_damaged_names_itself(root: Path) -> None:
    """Nobody is told twice by silently starting anew."""
    with web_server() as hook:
        check(root, web(hook.port))
        (root / "notices" / "began.json").write_text("{}")
        with pytest.raises(takings.errors.CorruptState, match=r"notices/began\.json"):
            check(root, web(hook.port))


def test_later_is_told_by_the_clock_of_the_store(root: Path) -> None:
    """Silence of two days, seen three days later."""
    with web_server() as hook:
        check(root, web(hook.port))
        messenger, chosen = open_messenger(settings(web(hook.port))), settings(web(hook.port))
        assert messenger is not None
        with opened(root, later=timedelta(days=3)) as shop:
            sending.notify(shop.ports, messenger, NewsRules.of(chosen), "shop")
    assert [posted["title"].split(" since")[0] for posted in hook.came] == ["shop: Nothing was taken"]
