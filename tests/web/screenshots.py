"""Take a picture of every page at three widths in both themes, for people to check: `make screenshots`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Final, Literal

from playwright.sync_api import Browser, Page

from takings.queries.batches import batch_ids
from tests.shop import new_store, opened
from tests.web import browser, showcase
from tests.web.site import served

WIDTHS: Final = (390, 820, 1440)
Theme = Literal["light", "dark"]
THEMES: Final[tuple[Theme, ...]] = ("light", "dark")
#: README's pictures: name, page, theme, width, height and scale; they were made with the font Inter, and 64 colours (pngquant)
README: Final[tuple[tuple[str, str, Theme, int, int, int], ...]] = (
    ("overview-light", "overview", "light", 1280, 880, 1),
    ("overview-dark", "overview", "dark", 1280, 880, 1),
    ("explain", "explain", "light", 1100, 800, 1),
    ("batch", "batch", "light", 1100, 800, 1),
    ("phone", "overview", "dark", 390, 844, 2),
)


def addresses(root: Path) -> dict[str, str]:
    """Return the pages worth looking at, by the names of their pictures."""
    with opened(root) as shop:
        batches = batch_ids(shop.ports)
        day = max(file.processing_date for file in shop.ports.ledger.lineage()).date()
    return {
        "overview": "/",
        "overview-category": "/?category=Jeans",
        "overview-categories": "/?category=Jeans&category=Dresses",
        "batches": "/batches",
        "batch": f"/batches/{batches[4]}",
        "files": "/files",
        "file": "/file?key=raw-data/products/spring-catalogue.csv",
        "quality": "/quality",
        "explain": f"/explain/{day}",
        "explain-category": f"/explain/{day}?category=Jeans",
        "api": "/api",
        "no-such-day": "/explain/1999-01-01",
    }


def picture(page: Page, address: str, output: Path, *, full_page: bool = True) -> None:
    """Open a page, wait until everything is there, and save a picture of all of it, or of what is visible without scrolling."""
    page.goto(address)
    page.wait_for_selector("html[data-live=true]")
    page.wait_for_selector("html[data-filled=true]")
    page.wait_for_timeout(450)
    page.screenshot(path=output, full_page=full_page)


def take(chrome: Browser, pages: dict[str, str], output: Path) -> None:
    """Take every page at every width in every theme."""
    for theme in THEMES:
        for width in WIDTHS:
            context = chrome.new_context(
                viewport={"width": width, "height": 900}, color_scheme=theme, device_scale_factor=1, locale="en-GB"
            )
            page = context.new_page()
            for name, address in pages.items():
                picture(page, address, output / f"{name}-{width}-{theme}.png")
            context.close()


def take_for_readme(chrome: Browser, pages: dict[str, str], output: Path) -> None:
    """Take README's pictures, which show only the top."""
    output.mkdir(exist_ok=True)
    for name, shown, theme, width, height, scale in README:
        context = chrome.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme, device_scale_factor=scale, locale="en-GB"
        )
        picture(context.new_page(), pages[shown], output / f"{name}.png", full_page=False)
        context.close()


def main(output: Path) -> None:
    """Make the shop and take its pictures."""
    if browser.chromium() is None:
        sys.exit("make screenshots: there is no chromium. Install it, or name one in CHROMIUM.")
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="takings-") as folder, browser.started() as chrome:
        root = showcase.build(Path(folder) / "shop")
        with served(root) as address:
            pages = {name: address + path for name, path in addresses(root).items()}
            take(chrome, pages, output)
            take_for_readme(chrome, pages, output / "readme")
        with served(new_store(Path(folder) / "new-shop")) as address:
            take(chrome, {"nothing-yet": address, "no-batch-yet": f"{address}/batches"}, output)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
