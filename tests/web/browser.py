"""Find a real browser: `$CHROMIUM`, or `chromium` on the PATH; if TAKINGS_REQUIRE asks for one, a missing browser fails."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright


def chromium() -> str | None:
    """Return the path of an installed browser."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium")


def is_required() -> bool:
    """Return whether a missing browser is a failure; tests/conftest.py passes TAKINGS_REQUIRE on."""
    return "browser" in os.environ.get("REQUIRED_BY_TESTS", "").split(",")


@contextmanager
def started() -> Iterator[Browser]:
    """Start the browser without a window; it may run as root, in a container."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--lang=en-GB"])
        try:
            yield browser
        finally:
            browser.close()
