"""The pages in a real browser, which reports no problem and contacts no other host."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from takings.composition.sample_shops import ShopPlan, generate_shop
from takings.queries.batches import batch_ids
from tests.shop import ITEMS, ORDERS, PRODUCTS, csv_of, drop, drop_all, item, new_store, opened, run
from tests.web.looking import Watched
from tests.web.site import served

pytestmark = pytest.mark.xdist_group("browser")

PAGES = {
    "overview": "/?from=2025-03-30&to=2025-03-31",
    "overview of categories": "/?category=Toys&category=Books",
    "batches": "/batches",
    "batch": "/batches/{batch}",
    "files": "/files",
    "file": "/file?key=raw-data/order-items/some-bad.csv",
    "quality": "/quality",
    "explain": "/explain/2025-03-30",
    "explain a category": "/explain/2025-03-30?category=Toys",
    "api": "/api",
}


@pytest.fixture(scope="module")
def addresses(site: str, shown: Path) -> dict[str, str]:
    """Return the address of each page."""
    with opened(shown) as shop:
        batch = batch_ids(shop.ports)[1]
    return {name: site + path.format(batch=batch) for name, path in PAGES.items()}


def there(page: Page, address: str) -> Page:
    """Open a page and wait until all of it is there."""
    page.goto(address)
    page.wait_for_selector("html[data-live=true][data-filled=true]")
    return page


@pytest.mark.parametrize("name", PAGES)
def test_nothing_keeps_people_out(page: Page, addresses: dict[str, str], name: str) -> None:
    """Axe finds nothing serious, in light and dark; the console is silent and no request leaves the machine."""
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        there(page, addresses[name])
        found = Axe().run(page).response["violations"]
        serious = [each for each in found if each["impact"] in {"serious", "critical"}]
        assert [(each["id"], each["nodes"][0]["html"]) for each in serious] == [], theme


@pytest.mark.parametrize("name", PAGES)
def test_a_phone_shows_all_of_a_page(page: Page, addresses: dict[str, str], name: str) -> None:
    """Nothing exceeds a narrow screen; wide tables scroll by themselves."""
    page.set_viewport_size({"width": 360, "height": 740})
    there(page, addresses[name])
    assert page.evaluate_handle("document.documentElement.scrollWidth").json_value() <= 360


def test_pictures_are_drawn_of_the_tables(page: Page, addresses: dict[str, str]) -> None:
    """Three on the overview, each with its table in a section that the keyboard opens."""
    there(page, addresses["overview"])
    assert page.locator("figure[data-chart]:has(canvas)").count() == 3
    summary = page.locator("#t-days > summary")
    summary.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#t-days tbody tr")).to_have_count(2)
    expect(page.locator("#t-days tbody tr").last).to_contain_text("4.25")


def test_filters_stand_in_the_address(page: Page, addresses: dict[str, str]) -> None:
    """Choosing a category changes the numbers and the address, which can be shared."""
    there(page, addresses["overview"])
    page.locator("#pick-categories > summary").click()
    page.get_by_label("Toys").check()
    page.get_by_role("button", name="Show these").click()
    page.wait_for_url("**category=Toys**")
    expect(page.locator("dl.tiles .tile").first).to_contain_text("24.50")
    page.get_by_role("link", name="Leave out Toys").click()
    page.wait_for_url(lambda address: "category" not in address)
    page.locator("#from").fill("2025-03-31")
    page.locator("#from").dispatch_event("change")
    page.wait_for_url("**from=2025-03-31**")
    expect(page.get_by_role("heading", level=1)).to_contain_text("31 Mar 2025")


def test_a_number_leads_to_its_rows_and_their_file(page: Page, addresses: dict[str, str]) -> None:
    """Day, then category, then the file's history, then its batch."""
    there(page, addresses["overview"])
    page.locator("#t-days > summary").click()
    page.locator("#t-days tbody tr").first.locator("td.num a").first.click()
    expect(page.get_by_text("as published")).to_be_visible()
    page.get_by_role("table").get_by_role("link", name="Toys").first.click()
    expect(page.locator(".sum strong")).to_have_text("20.25")
    page.get_by_role("link", name="order-items/a.csv").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("order-items/a.csv")
    page.locator(".card-head a").first.click()
    expect(page.get_by_role("heading", name="Days restated")).to_be_visible()


def test_a_bar_is_a_link(page: Page, addresses: dict[str, str]) -> None:
    """A click on a bar leads where the table does."""
    there(page, addresses["overview"])
    box = page.locator("[data-chart=days] canvas").bounding_box()
    assert box is not None
    page.wait_for_timeout(500)
    page.mouse.click(box["x"] + box["width"] * 0.27, box["y"] + box["height"] * 0.8)
    page.wait_for_url("**/explain/2025-03-30")


def test_files_are_searched(page: Page, addresses: dict[str, str]) -> None:
    """By a part of the key; an empty result says what to do."""
    there(page, addresses["files"])
    page.locator("#search").fill("some-bad")
    page.keyboard.press("Enter")
    page.wait_for_url("**search=some-bad**")
    expect(page.locator("tbody tr")).to_have_count(1)
    there(page, addresses["files"] + "?search=nothing")
    expect(page.get_by_role("link", name="Show all files")).to_be_visible()


def test_dark_and_light_are_remembered(page: Page, addresses: dict[str, str]) -> None:
    """The system's preference, until somebody chooses."""
    page.emulate_media(color_scheme="dark")
    there(page, addresses["overview"])
    dark = page.locator("body").evaluate("each => getComputedStyle(each).backgroundColor")
    page.get_by_role("button", name="Switch between light and dark").click()
    light = page.locator("body").evaluate("each => getComputedStyle(each).backgroundColor")
    there(page, addresses["batches"])
    assert page.locator("body").evaluate("each => getComputedStyle(each).backgroundColor") == light != dark


def test_the_keyboard_reaches_the_content(page: Page, addresses: dict[str, str]) -> None:
    """The first key skips the menu."""
    there(page, addresses["overview"])
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_a_store_without_numbers_says_what_to_do(page: Page, tmp_path: Path) -> None:
    """And the page fills in by itself after the first batch."""
    root = new_store(tmp_path / "shop")
    with served(root) as site:
        there(page, site)
        expect(page.get_by_role("heading", name="Nothing is published yet")).to_be_visible()
        for address in ("/batches", "/files", "/quality"):
            there(page, site + address)
            expect(page.locator(".empty pre")).to_be_visible()
        there(page, site)
        run(drop_all(root))
        expect(page.locator("dl.tiles .tile").first).to_contain_text("34.50")


def test_a_real_batch_is_followed(page: Page, tmp_path: Path) -> None:
    """Progress while it runs, and then the new numbers, without a reload."""
    root = new_store(tmp_path / "shop")
    drop_all(root)
    run(root)
    generate_shop(tmp_path / "more", ShopPlan(orders=12_000, seed=3, days=20, parts=6))
    with served(root) as site:
        there(page, f"{site}/?from=2025-01-01&to=2025-12-31")
        before = page.locator("dl.tiles dd").first.inner_text()
        for file in sorted((tmp_path / "more").rglob("*.csv")):
            drop(root, str(file.relative_to(tmp_path / "more")), file.read_bytes())
        batch = subprocess.Popen(
            [sys.executable, "-m", "takings", "run", str(root), "--now"], stdout=subprocess.DEVNULL
        )
        try:
            expect(page.locator(".running")).to_be_visible()
            expect(page.locator(".pulse")).to_have_attribute("data-state", "RUNNING")
            assert batch.wait(timeout=120) == 0
        finally:
            batch.kill()
        expect(page.locator(".running")).to_be_hidden()
        expect(page.locator("dl.tiles dd").first).not_to_have_text(before)
        expect(page.locator("#said")).to_contain_text("up to date")


def test_an_unfinished_day_is_drawn_as_unfinished(page: Page, tmp_path: Path) -> None:
    """Hatched in the legend, and marked in the table."""
    today = time.strftime("%Y-%m-%d", time.gmtime())
    root = new_store(tmp_path / "shop")
    drop(root, "products/a.csv", PRODUCTS)
    drop(root, "orders/a.csv", ORDERS.replace(b"2025-03-31T09:00:00", f"{today}T00:00:00".encode()))
    drop(root, "order-items/a.csv", ITEMS)
    run(root)
    with served(root) as site:
        there(page, f"{site}/?from={today}&to={today}")
        expect(page.locator(".key")).to_contain_text("not over yet")
        page.locator("#t-days > summary").click()
        expect(page.locator("#t-days tbody tr[data-unfinished=true]")).to_contain_text("not over yet")


def test_a_lost_connection_is_told(chrome: Browser, tmp_path: Path) -> None:
    """The numbers stay, and the page says that updates have stopped."""
    root = drop_all(new_store(tmp_path / "shop"))
    drop(root, "order-items/more.csv", csv_of(item(9, 1, 1, "5.00")))
    run(root)
    context = chrome.new_context()
    page = context.new_page()
    Watched.of(page)
    with served(root) as site:
        there(page, site)
    expect(page.locator(".pulse")).to_have_text("No connection")
    context.close()
