"""The generator of sample shops: the same plan makes the same bytes; valid, or exactly as invalid as asked."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import pytest

from takings.adapters.shop_generator import Generated, ShopFormat, ShopPlan, draws, generate_shop, season, writing
from takings.adapters.shop_generator.faults import FAULTS
from takings.contracts.model import Dataset
from takings.errors import UsageError

Rows = dict[Dataset, list[dict[str, str]]]

#: the formats with a file for each dataset, in its columns
FORMATS = (ShopFormat.PLAIN, ShopFormat.THELOOK)

STATUSES = {
    ShopFormat.PLAIN: {"processing", "shipped", "delivered", "returned", "cancelled"},
    ShopFormat.THELOOK: {"Processing", "Shipped", "Complete", "Returned", "Cancelled"},
}
TIME = {
    ShopFormat.PLAIN: re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"),
    ShopFormat.THELOOK: re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})? UTC"),
}


def bytes_of(generated: Generated) -> dict[str, bytes]:
    return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in generated.files}


def rows_of(generated: Generated) -> Rows:
    rows: Rows = {dataset: [] for dataset in Dataset}
    for path in generated.files:
        with path.open(encoding="utf-8", newline="") as text:
            rows[Dataset(path.name.partition("_part")[0])] += csv.DictReader(text, strict=True)
    return rows


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.removesuffix(" UTC"))


@pytest.fixture(scope="module", params=FORMATS)
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[ShopPlan, Generated, Rows]:
    plan = ShopPlan(orders=4_000, seed=5, days=40, parts=2, format=request.param)
    generated = generate_shop(tmp_path_factory.mktemp("shop"), plan)
    return plan, generated, rows_of(generated)


# The same plan, the same bytes


def test_same_plan_gives_same_bytes_whatever_the_threads(tmp_path: Path) -> None:
    plan = ShopPlan(orders=500, seed=1, parts=2, dirty=Decimal(5))
    one = generate_shop(tmp_path / "one", plan, threads=1)
    three = generate_shop(tmp_path / "three", plan, threads=3)
    assert bytes_of(one) == bytes_of(three)


def test_another_seed_gives_another_shop(tmp_path: Path) -> None:
    one = generate_shop(tmp_path / "one", ShopPlan(orders=100, seed=1))
    two = generate_shop(tmp_path / "two", ShopPlan(orders=100, seed=2))
    assert [a == b for a, b in zip(bytes_of(one).values(), bytes_of(two).values(), strict=True)] == [False] * 3


GOLDEN = {
    ShopFormat.PLAIN: [
        [
            "id,sku,cost,category,name,brand,retail_price,department",
            '1,nor-76502879,47.97,Jeans,"Everyday Denim Jeans, ""deluxe""",Globex 25,95.95,Women',
            "2,TKG-91962438,19.17,Swim,Soft Cotton Swim Trunks,Mori 8,39.95,Men",
        ],
        [
            "order_id,user_id,status,created_at,returned_at,shipped_at,delivered_at,num_of_item",
            "1,12,processing,2025-01-01T02:32:31,,,,2",
            "2,16,shipped,2025-01-01T08:29:33,,2025-01-01T21:06:49,,1",
        ],
        [
            "id,order_id,user_id,product_id,status,created_at,shipped_at,delivered_at,returned_at,sale_price",
            "1,1,12,6,processing,2025-01-01T02:45:25,,,,37.40",
            "2,1,12,18,processing,2025-01-01T03:04:37,,,,38.59",
        ],
    ],
    ShopFormat.THELOOK: [
        [
            "id,cost,category,name,brand,retail_price,department,sku,distribution_center_id",
            '1,47.97,Jeans,"Everyday Denim Jeans, ""deluxe""",Globex 25,95.95,Women,nor-76502879,1',
            "2,19.17,Swim,Soft Cotton Swim Trunks,Mori 8,39.95,Men,TKG-91962438,6",
        ],
        [
            "order_id,user_id,status,gender,created_at,returned_at,shipped_at,delivered_at,num_of_item",
            "1,12,Processing,M,2025-01-01 02:32:31 UTC,,,,2",
            "2,16,Shipped,M,2025-01-01 08:29:33.706373 UTC,,2025-01-01 21:06:49 UTC,,1",
        ],
        [
            "id,order_id,user_id,product_id,inventory_item_id,status,created_at,shipped_at,delivered_at,returned_at,sale_price",
            '1,1,12,6,3,Processing,2024-12-31 23:24:07.834702 UTC,,"",,37.4',
            "2,1,12,18,5,Processing,2025-01-01 00:40:57.878261 UTC,,,,38.5923047455687148",
        ],
    ],
}
DIGESTS = {
    ShopFormat.PLAIN: "06caae0ca8ea6653acd9af56bc228594255e2d5be7459b129a261075cb160aef",
    ShopFormat.THELOOK: "8d166081a81ddcfc42e4bf83a9504b3b9a9f7754498656235a7298108405af70",
}


@pytest.mark.parametrize("shop_format", FORMATS)
def test_bytes_stay_what_they_were(tmp_path: Path, shop_format: ShopFormat) -> None:
    """A new DuckDB or Python changes nothing; an intended change of the generator changes these lines."""
    generated = generate_shop(tmp_path, ShopPlan(orders=40, seed=8, days=3, format=shop_format))
    assert [path.read_text(encoding="utf-8").splitlines()[:3] for path in generated.files] == GOLDEN[shop_format]


@pytest.mark.parametrize("shop_format", FORMATS)
def test_every_byte_of_a_dirty_shop_stays_what_it_was(tmp_path: Path, shop_format: ShopFormat) -> None:
    generated = generate_shop(tmp_path, ShopPlan(orders=2_000, seed=8, format=shop_format, dirty=Decimal(2)))
    assert sha256(b"".join(bytes_of(generated).values())).hexdigest() == DIGESTS[shop_format]


def test_sql_and_python_draw_alike() -> None:
    plan = ShopPlan(orders=100, seed=-3)
    word = draws.seed_word_of(plan.seed)
    asked = [(1, 1, 100), (20, 4_294_967_296 + 5, 4_294_967_295), (127, 3_000_000_000, 7)]
    with writing._connected(plan, 1) as engine:
        drawn = [engine.execute(f"select pick({s}, {r}, {a})").fetchall()[0][0] for s, r, a in asked]
    assert drawn == [draws.pick(word, *question) for question in asked]


def test_parts_only_cut(tmp_path: Path) -> None:
    """Whatever the number of parts, the records are the same, ordered by id."""
    whole = generate_shop(tmp_path / "whole", ShopPlan(orders=333, seed=4))
    cut = generate_shop(tmp_path / "cut", ShopPlan(orders=333, seed=4, parts=3))
    assert rows_of(cut) == rows_of(whole)
    assert [path.name for path in cut.files] == [
        "products_part1.csv",
        *(f"orders_part{part}.csv" for part in range(1, 4)),
        *(f"order_items_part{part}.csv" for part in range(1, 4)),
    ]


# What a shop looks like


def test_ids_count_from_one_in_file_order(shop: tuple[ShopPlan, Generated, Rows]) -> None:
    _, generated, rows = shop
    for dataset, key, count in (
        (Dataset.PRODUCTS, "id", generated.products),
        (Dataset.ORDERS, "order_id", generated.orders),
        (Dataset.ORDER_ITEMS, "id", generated.items),
    ):
        assert [row[key] for row in rows[dataset]] == [str(number) for number in range(1, count + 1)]


def test_products_are_valid(shop: tuple[ShopPlan, Generated, Rows]) -> None:
    _, _, rows = shop
    for row in rows[Dataset.PRODUCTS]:
        assert 0 < Decimal(row["cost"]) <= Decimal(row["retail_price"]), row
        assert all(row[name] for name in ("sku", "category", "name", "department")), row


def test_orders_are_valid(shop: tuple[ShopPlan, Generated, Rows]) -> None:
    plan, _, rows = shop
    first, end = datetime.combine(plan.first_day, datetime.min.time()), datetime.combine(plan.end, datetime.min.time())
    for row in rows[Dataset.ORDERS]:
        assert row["status"] in STATUSES[plan.format], row
        assert first <= moment(row["created_at"]) < end, row
        assert (row["status"].lower() == "returned") == bool(row["returned_at"]), row


def test_items_are_valid_and_have_parents(shop: tuple[ShopPlan, Generated, Rows]) -> None:
    plan, _, rows = shop
    orders = {row["order_id"]: row for row in rows[Dataset.ORDERS]}
    products = {row["id"] for row in rows[Dataset.PRODUCTS]}
    earliest, latest = (0, 3600) if plan.format is ShopFormat.PLAIN else (-14_400 - 1, 1)
    for row in rows[Dataset.ORDER_ITEMS]:
        order = orders[row["order_id"]]
        delay = moment(row["created_at"]) - moment(order["created_at"])
        assert timedelta(seconds=earliest) <= delay <= timedelta(seconds=latest), row
        assert row["product_id"] in products, row
        assert row["user_id"] == order["user_id"], row
        assert row["status"] in STATUSES[plan.format], row
        assert Decimal(row["sale_price"]) > 0, row
        assert (row["status"].lower() == "returned") == bool(row["returned_at"]), row


def test_num_of_item_counts_the_items(shop: tuple[ShopPlan, Generated, Rows]) -> None:
    _, generated, rows = shop
    counted = Counter(row["order_id"] for row in rows[Dataset.ORDER_ITEMS])
    assert counted == {row["order_id"]: int(row["num_of_item"]) for row in rows[Dataset.ORDERS]}
    assert set(counted.values()) == {1, 2, 3, 4, 5, 6, 7}
    assert generated.items == generated.orders * 3


def test_habits_of_real_shops_are_there(shop: tuple[ShopPlan, Generated, Rows]) -> None:
    _, _, rows = shop
    products = {row["id"]: row for row in rows[Dataset.PRODUCTS]}
    orders = {row["order_id"]: row for row in rows[Dataset.ORDERS]}
    items = rows[Dataset.ORDER_ITEMS]
    prices = [(Decimal(row["sale_price"]), products[row["product_id"]]) for row in items]
    pairs = {(orders[row["order_id"]]["status"].lower(), row["status"].lower()) for row in items}
    delivered = "complete" if ("complete", "complete") in pairs else "delivered"
    habits = {
        "some brands are empty": 0.005 < _share(not row["brand"] for row in products.values()) < 0.1,
        "names with a comma": any("," in row["name"] for row in products.values()),
        "names with a quote": any('"' in row["name"] for row in products.values()),
        "names beyond ASCII": any(not row["name"].isascii() for row in products.values()),
        "28 categories": len({row["category"] for row in products.values()}) == 28,
        "a category with an ampersand": any("&" in row["category"] for row in products.values()),
        "a category with a comma": any("," in row["category"] for row in products.values()),
        "half sold above the retail price": 0.4 < _share(p > Decimal(row["retail_price"]) for p, row in prices) < 0.6,
        "a few sold below cost": 0.005 < _share(p < Decimal(row["cost"]) for p, row in prices) < 0.05,
        "delivered without a time": any(
            o["status"].lower() == delivered and not o["delivered_at"] for o in orders.values()
        ),
        "a returned order with kept items": ("returned", delivered) in pairs,
        "a delivered order with returned items": (delivered, "returned") in pairs,
        "the same product twice": max(Counter((row["order_id"], row["product_id"]) for row in items).values()) > 1,
        "an item of the next or previous day": any(
            moment(row["created_at"]).date() != moment(orders[row["order_id"]]["created_at"]).date() for row in items
        ),
        "some products are popular": max(Counter(row["product_id"] for row in items).values()) > 5 * len(items) // 300,
    }
    assert [habit for habit, is_there in habits.items() if not is_there] == []


def _share(facts: Iterable[bool]) -> float:
    known = list(facts)
    return sum(known) / len(known)


def test_weekends_sell_more(shop: tuple[ShopPlan, Generated, Rows]) -> None:
    plan, _, rows = shop
    per_weekday = Counter(moment(row["created_at"]).weekday() for row in rows[Dataset.ORDERS])
    assert min(per_weekday[5], per_weekday[6]) > max(per_weekday[0], per_weekday[1])
    assert len({moment(row["created_at"]).date() for row in rows[Dataset.ORDERS]}) == plan.days


def test_times_money_and_empties_are_written_as_the_format_does(shop: tuple[ShopPlan, Generated, Rows]) -> None:
    plan, generated, rows = shop
    times, money = _times_in(rows), _money_in(rows)
    item_lines = generated.files[-1].read_bytes().splitlines()
    written = {
        "times": {bool(TIME[plan.format].fullmatch(text)) for text in times},
        "times with microseconds": {"." in text for text in times},
        "decimals of money": {len(text.partition(".")[2]) for text in money},
        "lines with quoted empties": {b'""' in line for line in item_lines},
        "lines with bare empties": {b",," in line for line in item_lines},
    }
    is_thelook = plan.format is ShopFormat.THELOOK
    assert written == {
        "times": {True},
        "times with microseconds": {True, False} if is_thelook else {False},
        "decimals of money": {1, 2, 16} if is_thelook else {2},
        "lines with quoted empties": {True, False} if is_thelook else {False},
        "lines with bare empties": {True, False},
    }


def _times_in(rows: Rows) -> list[str]:
    names = ("created_at", "shipped_at", "delivered_at", "returned_at")
    records = rows[Dataset.ORDERS] + rows[Dataset.ORDER_ITEMS]
    return [row[name] for row in records for name in names if row[name]]


def _money_in(rows: Rows) -> list[str]:
    products = rows[Dataset.PRODUCTS]
    return [row[name] for row in products for name in ("cost", "retail_price")] + [
        row["sale_price"] for row in rows[Dataset.ORDER_ITEMS]
    ]


def test_later_orders_have_higher_numbers_unless_spread(tmp_path: Path) -> None:
    """The hard case for a lake partitioned by day: every file holds orders of all days."""
    by_time = generate_shop(tmp_path / "by_time", ShopPlan(orders=400, seed=1, days=4, parts=2))
    spread = generate_shop(tmp_path / "spread", ShopPlan(orders=400, seed=1, days=4, parts=2, number_by_time=False))
    moments = [row["created_at"] for row in rows_of(by_time)[Dataset.ORDERS]]
    assert all(one <= other for one, other in pairwise(moments))
    for path in spread.files[1:3]:
        days = {line.split(",")[3][:10] for line in path.read_text(encoding="utf-8").splitlines()[1:]}
        assert days == {f"2025-01-0{day}" for day in range(1, 5)}


def test_curve_runs_from_the_first_midnight_to_the_last() -> None:
    curve = season.curve_of(date(1970, 1, 3), 2, seed_word=9)
    assert (curve[0], curve[-1], len(curve)) == (2 * 86_400, 4 * 86_400, 49)
    assert curve == sorted(curve)


def test_smallest_shop_has_every_file(tmp_path: Path) -> None:
    generated = generate_shop(tmp_path, ShopPlan(orders=1, seed=0, days=1))
    rows = rows_of(generated)
    assert (len(rows[Dataset.PRODUCTS]), len(rows[Dataset.ORDERS])) == (50, 1)
    assert generated.items == int(rows[Dataset.ORDERS][0]["num_of_item"]) == len(rows[Dataset.ORDER_ITEMS])


# Where the files go


def test_folders_are_those_of_raw_data_unless_flat(tmp_path: Path) -> None:
    plan = ShopPlan(orders=2, seed=0)
    in_folders = generate_shop(tmp_path / "raw-data", plan)
    flat = generate_shop(tmp_path / "flat", plan, flat=True)
    assert [str(path.relative_to(tmp_path)) for path in (*in_folders.files, *flat.files)] == [
        "raw-data/products/products_part1.csv",
        "raw-data/orders/orders_part1.csv",
        "raw-data/order-items/order_items_part1.csv",
        "flat/products_part1.csv",
        "flat/orders_part1.csv",
        "flat/order_items_part1.csv",
    ]
    assert not list(tmp_path.rglob("*.part"))


def test_many_products_fill_several_files(tmp_path: Path) -> None:
    assert ShopPlan(orders=200_020, seed=0, parts=9).product_parts == 2
    assert ShopPlan(orders=200_000, seed=0, parts=9).product_parts == 1
    assert ShopPlan(orders=10_000_000, seed=0, parts=9).product_parts == 3


def test_existing_file_is_named_and_kept(tmp_path: Path) -> None:
    kept = tmp_path / "orders_part1.csv"
    kept.write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match=r"orders_part1\.csv already exists"):
        generate_shop(tmp_path, ShopPlan(orders=2, seed=0), flat=True)
    assert [path.name for path in tmp_path.iterdir()] == ["orders_part1.csv"]
    assert kept.read_text(encoding="utf-8") == "mine"


def test_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match="choose a folder"):
        generate_shop(tmp_path / "taken", ShopPlan(orders=2, seed=0))


def test_progress_counts_records_to_the_end(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    generate_shop(tmp_path, ShopPlan(orders=160, seed=0), progress=lambda *news: told.append(news))
    assert told == [
        ("products_part1.csv", 50, 690),
        ("orders_part1.csv", 210, 690),
        ("order_items_part1.csv", 690, 690),
    ]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"orders": 0}, "orders is 0"),
        ({"orders": 10**9 + 1}, "orders is 1000000001"),
        ({"days": 0}, "days is 0"),
        ({"parts": 11}, "parts is 11: choose 1 to 10"),
        ({"parts": 0}, "parts is 0"),
        ({"dirty": Decimal("-0.1")}, "dirty is -0.1 percent"),
        ({"dirty": Decimal("100.1")}, "dirty is 100.1 percent"),
        ({"dirty": Decimal("NaN")}, "dirty is NaN percent"),
        ({"dirty": Decimal(1), "format": ShopFormat.SHOPIFY}, "'shopify' can only be written clean"),
        ({"first_day": date(1969, 12, 31)}, "the first day's year is 1969"),
    ],
)
def test_impossible_plans_are_refused(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(UsageError, match=re.escape(reason)):
        ShopPlan(**({"orders": 10, "seed": 1} | changes))  # type: ignore[arg-type]


def test_orders_from_the_future_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="orders from the future are invalid"):
        generate_shop(tmp_path / "shop", ShopPlan(orders=10, seed=1, first_day=date(2100, 1, 1)))
    assert not (tmp_path / "shop").exists()


# Dirty shops


@pytest.fixture(scope="module", params=FORMATS)
def dirty_shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Generated, Generated]:
    plan = ShopPlan(orders=896, seed=3, parts=2, format=request.param)
    clean = generate_shop(tmp_path_factory.mktemp("clean"), plan)
    dirty = generate_shop(tmp_path_factory.mktemp("dirty"), replace(plan, dirty=Decimal("33.3")))
    return clean, dirty


def test_exactly_the_wanted_share_of_each_file_violates(dirty_shop: tuple[Generated, Generated]) -> None:
    """Checked by an independent reading of the contract, which does not know the faults."""
    _, dirty = dirty_shop
    violating = {path.name: len(violating_records(path)) for path in dirty.files}
    assert violating == {
        "products_part1.csv": 17,  # of 50
        "orders_part1.csv": 149,  # of 448
        "orders_part2.csv": 149,
        "order_items_part1.csv": 448,  # of 1,344
        "order_items_part2.csv": 448,
    }
    assert dirty.damaged == sum(dirty.faults.values()) == sum(violating.values())


def test_undamaged_records_are_left_alone(dirty_shop: tuple[Generated, Generated]) -> None:
    clean, dirty = dirty_shop
    for before, after in zip(clean.files, dirty.files, strict=True):
        kept = violating_records(after)
        lines = zip(before.read_bytes().split(b"\n"), after.read_bytes().split(b"\n"), strict=True)
        assert [number for number, (one, other) in enumerate(lines) if one != other and number not in kept] == []


def test_every_fault_appears_and_breaks_its_own_records(tmp_path: Path) -> None:
    """Everything in the shop is dirty; a duplicate key counts both of its records."""
    generated = generate_shop(tmp_path, ShopPlan(orders=1_000, seed=3, dirty=Decimal(100)))
    assert set(generated.faults) == {fault.name for faults in FAULTS.values() for fault in faults}
    assert generated.damaged == generated.products + generated.orders + generated.items
    assert sum(len(violating_records(path)) for path in generated.files) == generated.damaged


def test_clean_shop_has_no_violation(shop: tuple[ShopPlan, Generated, Rows]) -> None:
    _, generated, _ = shop
    assert (generated.damaged, dict(generated.faults)) == (0, {})
    assert [path.name for path in generated.files if violating_records(path)] == []


_ID = re.compile(r"0|[1-9][0-9]{0,18}")
_MONEY = re.compile(r"(?P<whole>[0-9]{1,12})(\.[0-9]{1,16})?")
_FIELD = re.compile(rb'"(?:[^"]|"")*"|[^",]*')


def violating_records(path: Path) -> set[int]:
    """Return the numbers, from 1, of records that violate the CSV structure or an error rule."""
    lines = path.read_bytes().split(b"\n")
    assert lines.pop() == b""
    columns = lines[0].decode().split(",")
    violating: set[int] = set()
    keys: dict[str, int] = {}
    for number, line in enumerate(lines[1:], 1):
        record = _read(line, columns)
        if record is None or not _is_valid(record):
            violating.add(number)
            continue
        key = record["order_id" if "num_of_item" in record else "id"]
        if key in keys:
            violating |= {number, keys[key]}
        keys[key] = number
    return violating


def _read(line: bytes, columns: list[str]) -> dict[str, str] | None:
    fields, position = [], 0
    while True:
        match = _FIELD.match(line, position)
        assert match is not None  # it matches nothing, too
        fields.append(match[0])
        if match.end() == len(line):
            break
        if line[match.end() : match.end() + 1] != b",":
            return None
        position = match.end() + 1
    try:
        texts = [field.decode() for field in fields]
    except UnicodeDecodeError:
        return None
    if len(texts) != len(columns) or "\0" in line.decode():
        return None
    return dict(
        zip(columns, [text[1:-1].replace('""', '"') if text[:1] == '"' else text for text in texts], strict=True)
    )


def _is_valid(record: dict[str, str]) -> bool:
    ids = [name for name in ("id", "order_id", "user_id", "product_id") if name in record]
    if not all(_ID.fullmatch(record[name]) and int(record[name]) < 2**63 for name in ids):
        return False
    if any(len(text.encode()) > 1024 for text in record.values()):
        return False
    if "cost" in record:
        texts = ("sku", "category", "name", "department") if "sku" in record else ()
        money = [record["cost"], record["retail_price"]]
        return (
            all(_MONEY.fullmatch(text) is not None for text in money)
            and 0 < Decimal(money[0]) <= Decimal(money[1])
            and all(record[name].strip() for name in texts)
        )
    if record["status"].lower() not in {"processing", "shipped", "delivered", "complete", "returned", "cancelled"}:
        return False
    if not all(_is_time(record[name]) for name in record if name.endswith("_at") and record[name]):
        return False
    if "num_of_item" in record:
        is_counted = bool(re.fullmatch(r"[0-9]+", record["num_of_item"])) and int(record["num_of_item"]) >= 1
        return is_counted and bool(record["created_at"]) and moment(record["created_at"]).year < 2990
    return bool(_MONEY.fullmatch(record["sale_price"])) and Decimal(record["sale_price"]) > 0


def _is_time(text: str) -> bool:
    try:
        moment(text)
    except ValueError:
        return False
    return True
