"""Each profile gets the right KPIs from its sample in one command, whichever engine validates."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from takings.adapters.shop_generator import ShopFormat, ShopPlan, generate_shop
from tests.cli.terminal import Takings, unwrapped
from tests.oracle.kpis import Lake, category_kpis, kpis_csv, order_kpis
from tests.profile_samples import PlainShop, olist, shopify, woocommerce
from tests.shop import drop, drop_all, expected, new_store

PLAN = ShopPlan(orders=300, seed=4, days=4)
ENGINES = ("duckdb", "pandas")


def store_of(root: Path, profile: str, engine: str, time_zone: str = "UTC") -> Path:
    """Make a store whose settings name a profile."""
    settings = {"contracts": f"profile:{profile}", "validation_engine": engine, "time_zone": time_zone}
    new_store(root).joinpath("takings.toml").write_text(
        "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
    )
    return root


def sampled(root: Path, profile: str, engine: str) -> Path:
    """Make a store of a profile with its sample in raw-data/."""
    store = store_of(root, profile, engine)
    generate_shop(store / "raw-data", ShopPlan(**{**PLAN.__dict__, "format": ShopFormat(profile)}))
    return store


def kpis_of(takings: Takings, store: Path) -> tuple[str, str]:
    ended = [takings("kpis", store, "--by", by, "--format", "csv") for by in ("day", "category")]
    assert [(each.code, each.err) for each in ended] == [(0, "")] * 2
    return ended[0].out, ended[1].out


def kpis_as_csv(lake: Lake) -> tuple[str, str]:
    return kpis_csv(order_kpis(lake), "day"), kpis_csv(category_kpis(lake), "category")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> PlainShop:
    return PlainShop(tmp_path_factory.mktemp("plain"), PLAN)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("profile", "worth"), [("shopify", shopify), ("woocommerce", woocommerce)])
def test_a_sample_comes_to_its_kpis(
    takings: Takings, tmp_path: Path, shop: PlainShop, profile: str, worth: Callable[[PlainShop], Lake], engine: str
) -> None:
    """In one command, to the cent, for every day and category."""
    store = sampled(tmp_path / "store", profile, engine)
    ended = takings("run", store, "--now")
    assert (ended.code, "warning" in ended.out) == (0, False), ended
    assert kpis_of(takings, store) == kpis_as_csv(worth(shop))


@pytest.mark.parametrize(("profile", "worth"), [("shopify", shopify), ("woocommerce", woocommerce)])
def test_orders_alone_make_do_until_the_products_come(
    takings: Takings, tmp_path: Path, shop: PlainShop, profile: str, worth: Callable[..., Lake]
) -> None:
    """Stand-ins take the products' place; the products export restates their categories, whenever it comes."""
    store = sampled(tmp_path / "store", profile, "duckdb")
    products = store / "raw-data" / f"{profile}-products"
    shutil.move(products, tmp_path / "later")
    assert takings("run", store, "--now").code == 0
    assert kpis_of(takings, store) == kpis_as_csv(worth(shop, has_products=False))
    shutil.move(tmp_path / "later", products)
    assert takings("run", store, "--now").code == 0
    assert kpis_of(takings, store) == kpis_as_csv(worth(shop))


# Small exports of Shopify, written by hand


#: an order of two lines with a discount, just before midnight; a cancelled one just after, without mail address or SKU
MUGS = """\
Name,Financial Status,Created at,Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku,Cancelled at,Discount Amount,\
Subtotal
#7001,paid,2026-04-05 23:30:00 +0500,2,Mug - Blue,10.00,,,5.00,25.00
#7001,,,1,Tray,10.00,,,,
#7002,voided,2026-04-06 00:10:00 +0500,1,Mug - Blue,10.00,,2026-04-06 01:00:00 +0500,0.00,10.00
"""


def shopify_store(root: Path, text: str, engine: str = "duckdb") -> Path:
    store = store_of(root, "shopify", engine, "Asia/Karachi")
    drop(store, "shopify-orders/orders_export_1.csv", text.encode())
    return store


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_small_export_of_shopify(takings: Takings, tmp_path: Path, engine: str) -> None:
    """Days are the shop's, pieces are counted, a discount is split to the cent, and a cancelled order nets nothing."""
    store = shopify_store(tmp_path / "store", MUGS, engine)
    assert takings("run", store, "--now").code == 0
    days, categories = kpis_of(takings, store)
    assert days == (
        "order_date,total_orders,total_revenue,total_items_sold,return_rate,unique_customers,avg_order_value,"
        "returned_value,cancelled_value,net_revenue\n"
        "2026-04-05,1,25.00,3,0.00,1,25.00,0.00,0.00,25.00\n"
        "2026-04-06,1,10.00,1,0.00,1,10.00,0.00,10.00,0.00\n"
    )
    assert [(row["category"], row["daily_revenue"]) for row in rows_of(categories)] == [
        ("Uncategorized", "25.00"),
        ("Uncategorized", "10.00"),
    ]
    explained = rows_of(takings("explain", store, "2026-04-05", "--format", "csv").out)
    assert [(row["line"], row["pieces"], row["amount"]) for row in explained] == [
        ("2", "2", "16.67"),
        ("3", "1", "8.33"),
    ]


def test_an_export_that_names_more_columns_and_byte_order(takings: Takings, tmp_path: Path) -> None:
    """Columns that no KPI needs are silently ignored, in any order, with CRLF and a UTF-8 byte order mark."""
    records = [line.split(",") for line in MUGS.splitlines()]
    turned = [
        ",".join([*reversed(record), "more" if number else "Tax 1 Name"]) for number, record in enumerate(records)
    ]
    store = shopify_store(tmp_path / "store", "\ufeff" + "\r\n".join(turned) + "\r\n")
    ended = takings("run", store, "--now")
    assert (ended.code, "warning" in ended.out) == (0, False), ended
    assert [row["total_revenue"] for row in rows_of(kpis_of(takings, store)[0])] == ["25.00", "10.00"]


def test_a_later_export_restates_what_changed(takings: Takings, tmp_path: Path) -> None:
    """An order refunded since then: the refund counts on the order's own day."""
    store = shopify_store(tmp_path / "store", MUGS)
    assert takings("run", store, "--now").code == 0
    header, *lines = MUGS.splitlines()
    refunded = [f"{header},Refunded Amount", f"{lines[0]},25.00".replace("paid", "refunded"), f"{lines[1]},"]
    drop(store, "shopify-orders/orders_export_2.csv", "".join(line + "\n" for line in refunded).encode())
    assert takings("run", store, "--now").code == 0
    days = rows_of(kpis_of(takings, store)[0])
    assert [(row["order_date"], row["returned_value"], row["return_rate"], row["net_revenue"]) for row in days] == [
        ("2026-04-05", "25.00", "100.00", "0.00"),
        ("2026-04-06", "0.00", "0.00", "0.00"),
    ]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_line_that_was_taken_off_an_order_stops_counting(takings: Takings, tmp_path: Path, engine: str) -> None:
    """An export holds whole orders, so its lines replace all earlier ones of the order."""
    store = shopify_store(tmp_path / "store", MUGS, engine)
    assert takings("run", store, "--now").code == 0
    header, mugs, *_ = MUGS.splitlines()
    edited = f"{header}\n{mugs.replace('25.00', '15.00')}\n"
    drop(store, "shopify-orders/orders_export_2.csv", edited.encode())
    assert takings("run", store, "--now").code == 0
    days = rows_of(kpis_of(takings, store)[0])
    assert [(row["order_date"], row["total_items_sold"], row["total_revenue"]) for row in days] == [
        ("2026-04-05", "2", "15.00"),
        ("2026-04-06", "1", "10.00"),
    ]
    assert takings("verify", store).code == 0


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("25.00", "25;00", "order_items.discount|type"),
        ("paid,2026-04-05", "bezahlt,2026-04-05", "orders.status|one_of"),
        ("23:30:00 +0500", "23:30 pm", "orders.created_at|type"),
        ("2,Mug", "two,Mug", "order_items.quantity|type"),
        ("2,Mug - Blue,10.00", "2,Mug - Blue,10 EUR", "order_items.sale_price|type"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(
    takings: Takings, tmp_path: Path, old: str, new: str, told: str, engine: str
) -> None:
    """A value that does not fit is never guessed: the file is refused, and the line is named."""
    store = shopify_store(tmp_path / "store", MUGS.replace(old, new, 1), engine)
    assert takings("run", store, "--now").code == 1
    (reasons,) = [json.loads(path.read_text()) for path in store.rglob("*.reason.json")]
    assert told in reasons["errors"], reasons
    assert reasons["violations"][0]["line"] == 2


# Other profiles


@pytest.mark.parametrize("engine", ENGINES)
def test_the_sample_of_olist_comes_to_its_kpis(takings: Takings, tmp_path: Path, shop: PlainShop, engine: str) -> None:
    """Items have their order's status, ids consist of two columns, and products without a category get one of their own."""
    store = sampled(tmp_path / "store", "olist", engine)
    ended = takings("run", store, "--now")
    assert ended.code == 0, ended
    assert kpis_of(takings, store) == kpis_as_csv(olist(shop))


def test_the_sample_of_thelook_comes_to_its_kpis(takings: Takings, tmp_path: Path) -> None:
    """The shipped contracts read it; three columns that they do not name are left out with a warning."""
    store = sampled(tmp_path / "store", "thelook", "duckdb")
    assert takings("run", store, "--now").code == 0
    assert kpis_of(takings, store) == expected(store)


def test_the_brief_is_the_shipped_contracts(takings: Takings, tmp_path: Path) -> None:
    """So a store may name it or not, and nothing is restated."""
    store = drop_all(store_of(tmp_path / "store", "brief", "duckdb"))
    assert takings("run", store, "--now").code == 0
    (store / "takings.toml").unlink()
    assert takings("verify", store).code == 0
    assert "nothing to do" in takings("run", store, "--now").out


def test_an_unknown_profile_is_named_with_the_known_ones(takings: Takings, tmp_path: Path) -> None:
    """A similar name is not guessed."""
    ended = takings("run", new_store(tmp_path / "store"), "--contracts", "profile:shopfy")
    assert ended.code == 2
    assert unwrapped(ended.err) == (
        "takings: contracts = 'profile:shopfy': there is no profile 'shopfy'. Name one of brief, thelook, shopify,"
        " woocommerce, olist, or a folder of contracts."
    )
