"""Stores to look at, and what looks at them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.shop import ITEMS, csv_of, drop, drop_all, item, new_store, product, run

# `pytest` also runs without the packages for browser tests.
if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.web.looking import Asker

#: longer than anything takes, however busy the machine; only a failing test waits this long
_PATIENCE_MS: Final = 30_000


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ignore the settings of this machine."""
    for name in [name for name in os.environ if name.startswith("TAKINGS_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with everything a page shows: good and bad files, quarantine, an orphan, a copy; no test changes it."""
    root = drop_all(new_store(tmp_path_factory.mktemp("shown") / "shop"))
    drop(root, "order-items/orphan.csv", csv_of(item(90, 77)))
    run(root)
    drop(root, "products/formula.csv", csv_of(product(4, "=1+1"), product(5, "<b>Bold</b>")))
    drop(root, "order-items/formula.csv", csv_of(item(4, 1, 4, "3.00"), item(5, 1, 5, "4.00")))
    drop(root, "order-items/bad.csv", csv_of(item(6, 1, sale_price="0"), item(7, 1)))
    drop(root, "order-items/copy.csv", ITEMS)
    run(root)
    rows = [item(10, 1, 1, "1.00", status="=cmd()"), *(item(number, 1, 1, "1.00") for number in (11, 12, 13))]
    drop(root, "order-items/some-bad.csv", csv_of(*rows))
    run(root, policy="row", max_rejected="50%")
    return root


@pytest.fixture(scope="session")
def site(shown: Path) -> Iterator[str]:
    """Return the address of the store's page."""
    from tests.web.site import served

    with served(shown) as address:
        yield address


@pytest.fixture(scope="session")
def ask(site: str) -> Iterator[Asker]:
    """Return a function that requests pages of this store."""
    from tests.web.looking import asking

    with asking(site) as ask:
        yield ask


@pytest.fixture(scope="session")
def chrome() -> Iterator[Browser]:
    """Return a real browser; without one, the test is skipped, or fails if TAKINGS_REQUIRE=browser."""
    from tests.web import browser

    if browser.chromium() is None:
        if browser.is_required():
            pytest.fail("TAKINGS_REQUIRE=browser, and there is no chromium")
        pytest.skip("no browser: there is no chromium on the PATH, and CHROMIUM names none")
    from playwright.sync_api import expect

    expect.set_options(timeout=_PATIENCE_MS)
    with browser.started() as started:
        yield started


@pytest.fixture
def page(chrome: Browser) -> Iterator[Page]:
    """Return a page; console messages, failures and requests to other hosts fail the test."""
    from tests.web.looking import Watched

    context = chrome.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    page = context.new_page()
    watched = Watched.of(page)
    yield page
    context.close()
    assert watched.complaints == []
