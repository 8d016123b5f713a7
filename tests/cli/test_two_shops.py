"""Two shops in one store: the drop's folder is part of the keys, so equal order numbers are two orders."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any, Final

import pytest

from takings.contracts.model import Dataset
from takings.validation.findings import Verdict
from tests.cli.terminal import Takings
from tests.mapped_contracts import Columns, write_contracts
from tests.shop import PRODUCTS, csv_of, drop, item, lineage, new_store, order, published, run

TEXT: Final[dict[str, Any]] = {"logicalType": "string", "physicalType": "VARCHAR"}


def of_shop(part: str) -> dict[str, Any]:
    """Return the keys of a column that is numbered by the shop in whose folder the file is."""
    return {**TEXT, "takingsFrom": {"concat": [part, {"folder": 1}][::-1], "separator": "/"}}


ORDERS_OF_SHOPS: Final[Columns] = {"order_id": of_shop("order_id"), "shop": {**TEXT, "takingsFrom": {"folder": 1}}}
ITEMS_OF_SHOPS: Final[Columns] = {"id": of_shop("id"), "order_id": of_shop("order_id")}


@pytest.fixture
def contracts(tmp_path: Path) -> Path:
    """Write the contracts of a store with several shops."""
    changes = {Dataset.ORDERS: (ORDERS_OF_SHOPS, None), Dataset.ORDER_ITEMS: (ITEMS_OF_SHOPS, None)}
    return write_contracts(tmp_path / "contracts", changes)


def explained(takings: Takings, root: Path, contracts: Path) -> list[dict[str, str]]:
    """Return the rows behind a day."""
    (root / "takings.toml").write_text(f'contracts = "{contracts.as_posix()}"\n', encoding="utf-8")
    ended = takings("explain", root, "2025-03-30", "--format", "csv")
    assert ended.err == ""
    return list(csv.DictReader(io.StringIO(ended.out)))


def test_equal_order_numbers_of_two_shops_both_count(tmp_path: Path, contracts: Path, takings: Takings) -> None:
    """The KPIs are the same as with complete keys in the files, and explain names the file of each item."""
    root, plain = new_store(tmp_path / "shops"), new_store(tmp_path / "plain")
    keyed = write_contracts(
        tmp_path / "keyed",
        {
            Dataset.ORDERS: ({"order_id": TEXT, "shop": TEXT}, None),
            Dataset.ORDER_ITEMS: ({"id": TEXT, "order_id": TEXT}, None),
        },
    )
    for store in (root, plain):
        drop(store, "products/p.csv", PRODUCTS)
    for shop, price in (("a", "10.00"), ("b", "7.00")):
        drop(root, f"orders/shop-{shop}/o.csv", csv_of(order(1), order(2)))
        drop(root, f"order-items/shop-{shop}/i.csv", csv_of(item(1, 1, sale_price=price), item(2, 2, sale_price=price)))
        keys = [{"order_id": f"shop-{shop}/{number}"} for number in (1, 2)]
        drop(plain, f"orders/{shop}.csv", csv_of(*({**order(1), **key, "shop": f"shop-{shop}"} for key in keys)))
        items = (
            {**item(1, 1, sale_price=price), **key, "id": f"shop-{shop}/{at}"} for at, key in enumerate(keys, start=1)
        )
        drop(plain, f"order-items/{shop}.csv", csv_of(*items))

    run(root, contracts=str(contracts))
    run(plain, contracts=str(keyed))

    assert {record.verdict for record in lineage(root)} == {Verdict.ACCEPTED}
    assert published(root, contracts=str(contracts)) == published(plain, contracts=str(keyed))
    rows = explained(takings, root, contracts)
    assert {(row["order_id"], row["sale_price"], row["key"]) for row in rows} == {
        (f"shop-{shop}/{number}", price, f"raw-data/order-items/shop-{shop}/i.csv")
        for shop, price in (("a", "10.00"), ("b", "7.00"))
        for number in (1, 2)
    }


def test_equal_bytes_in_two_folders_are_no_duplicate(tmp_path: Path, contracts: Path) -> None:
    """The folder makes their rows different; a second copy in the same folder is a duplicate, at any depth."""
    root = new_store(tmp_path / "shops")
    content = csv_of(order(1))
    for file in ("orders/shop-a/o.csv", "orders/shop-b/o.csv", "orders/shop-a/again.csv", "orders/shop-a/deeper/o.csv"):
        drop(root, file, content)
        run(root, contracts=str(contracts))

    copy = "same bytes as raw-data/orders/shop-a/o.csv, which was accepted before"
    assert [(record.file_key, record.verdict, record.reason) for record in lineage(root)] == [
        ("raw-data/orders/shop-a/o.csv", Verdict.ACCEPTED, None),
        ("raw-data/orders/shop-b/o.csv", Verdict.ACCEPTED, None),
        ("raw-data/orders/shop-a/again.csv", Verdict.DUPLICATE, copy),
        ("raw-data/orders/shop-a/deeper/o.csv", Verdict.DUPLICATE, copy),
    ]


def test_many_small_files_of_two_shops_are_told_apart(tmp_path: Path, contracts: Path) -> None:
    """Files that are read together are from one folder."""
    root = new_store(tmp_path / "shops")
    drop(root, "products/p.csv", PRODUCTS)
    for number in range(1, 18):
        for shop in ("a", "b"):
            drop(root, f"orders/shop-{shop}/{number}.csv", csv_of(order(number)))
            drop(root, f"order-items/shop-{shop}/{number}.csv", csv_of(item(number, number)))
    run(root, contracts=str(contracts))
    by_day, _ = published(root, contracts=str(contracts))
    assert [row["total_orders"] for row in csv.DictReader(io.StringIO(by_day))] == ["34"]


def test_a_row_of_a_shop_comes_back_from_quarantine(tmp_path: Path, contracts: Path, takings: Takings) -> None:
    """It stays a row of that shop wherever it is dropped, even after two quarantines."""
    root = new_store(tmp_path / "shops")
    options: dict[str, Any] = {"contracts": str(contracts), "policy": "row", "max_rejected": "100"}
    drop(root, "products/p.csv", PRODUCTS)
    drop(root, "order-items/shop-a/i.csv", csv_of(item(1, 1)))
    drop(root, "orders/shop-a/o.csv", csv_of(order(1, user_id="x"), order(2)))
    run(root, **options)
    mended = b""
    for source, before, after in (("o.csv", b"1,x", b"1,y"), ("once.csv", b"1,y", b"1,7")):
        (kept,) = (path for path in (root / "quarantine").rglob(source))
        mended = kept.read_bytes().replace(before, after)
        drop(root, f"orders/mended/{'once' if after == b'1,y' else 'twice'}.csv", mended)
        run(root, **options)
    drop(root, "orders/elsewhere/copy.csv", mended)
    run(root, **options)

    assert lineage(root)[-1].verdict is Verdict.DUPLICATE
    rows = explained(takings, root, contracts)
    assert [(row["order_id"], row["item_id"]) for row in rows] == [("shop-a/1", "shop-a/1"), ("shop-a/2", "")]


def test_a_dry_run_knows_the_folder(tmp_path: Path, contracts: Path, takings: Takings) -> None:
    """A file in the place where it would be dropped is validated for that place."""
    target = drop(new_store(tmp_path / "shops"), "orders/shop-a/o.csv", csv_of(order(1), order("1/2")))  # type: ignore[arg-type]
    ended = takings("validate", target, "--contracts", contracts)
    assert (ended.code, "order_id|type" in ended.out) == (1, True)
    loose = tmp_path / "o.csv"
    loose.write_bytes(csv_of(order(1)))
    ended = takings("validate", loose, "--dataset", "orders", "--contracts", contracts)
    assert (ended.code, "order_id|required" in ended.out) == (1, True)


def test_equal_bytes_of_another_dataset_are_no_copy(tmp_path: Path) -> None:
    """A file first dropped into a wrong folder does not make the right one a duplicate, nor the other way round."""
    root = new_store(tmp_path / "shop")
    for file in ("orders/o.csv", "order-items/o.csv", "orders/again.csv"):
        drop(root, file, csv_of(order(1)))
        run(root)
    assert [record.verdict for record in lineage(root)] == [Verdict.ACCEPTED, Verdict.REJECTED, Verdict.DUPLICATE]
