"""Guess which dataset each file is, and which column is which."""

from __future__ import annotations

from collections.abc import Mapping

from takings.adoption.forms import patterns
from takings.adoption.guess import guess, money_form
from takings.adoption.looks import ColumnLook, Containments, FileLook
from takings.contracts.file_format import USUAL
from takings.contracts.model import Dataset

NUMBER = "identifier"
PRICE = "money ."
TIME = "time ISO"


def look(name: str, records: int, **columns: tuple[int, str]) -> FileLook:
    """Return a file whose columns have this many different values, all of one form."""
    return FileLook(
        names=(name,),
        format=USUAL,
        records=records,
        broken=0,
        columns=tuple(
            ColumnLook(
                header=header.replace("_", " "), filled=records, distinct=distinct, longest=9, forms={form: records}
            )
            for header, (distinct, form) in columns.items()
        ),
    )


def read_from(files: list[FileLook], contained: Containments) -> Mapping[Dataset, dict[str, str]]:
    """Return, per dataset, the header that each column is read from."""
    return {
        dataset: {column: one.file.header[matched.place] for column, matched in sorted(one.columns.items())}
        for dataset, one in guess(files, contained).items()
    }


def test_names_tell_the_columns() -> None:
    """However they are spelt, and in whatever order the files come."""
    items = look(
        *("items.csv", 9), Line_ID=(9, NUMBER), Order_Number=(5, NUMBER), Product_ID=(3, NUMBER), Unit_price=(4, PRICE)
    )
    orders = look("orders.csv", 5, Order_Number=(5, NUMBER), Customer=(4, NUMBER), Order_date=(5, TIME))
    products = look("products.csv", 3, Product_ID=(3, NUMBER), Category=(2, "text"))
    for files in ([items, orders, products], [products, items, orders]):
        assert read_from(files, {}) == {
            Dataset.PRODUCTS: {"category": "Category", "id": "Product ID"},
            Dataset.ORDERS: {"created_at": "Order date", "order_id": "Order Number", "user_id": "Customer"},
            Dataset.ORDER_ITEMS: {
                "id": "Line ID",
                "order_id": "Order Number",
                "product_id": "Product ID",
                "sale_price": "Unit price",
            },
        }


def test_references_tell_keys_that_have_no_name() -> None:
    """A column refers to another file if its values are that file's unique ones."""
    items = look("a.csv", 9, z=(9, NUMBER), y=(5, NUMBER), x=(3, NUMBER), w=(4, PRICE))
    orders = look("b.csv", 5, v=(5, NUMBER), u=(4, NUMBER), t=(5, TIME))
    products = look("c.csv", 3, s=(3, NUMBER), r=(2, "text"))
    contained = {(0, 1, 1, 0): 1.0, (0, 2, 2, 0): 1.0}
    found = read_from([items, orders, products], contained)
    assert found[Dataset.ORDER_ITEMS] == {"id": "z", "order_id": "y", "product_id": "x", "sale_price": "w"}
    assert found[Dataset.ORDERS] == {"created_at": "t", "order_id": "v", "user_id": "u"}
    assert found[Dataset.PRODUCTS] == {"category": "r", "id": "s"}


def test_a_name_is_not_believed_against_its_values() -> None:
    """A price without amounts, or a date without dates, is not accepted."""
    items = look(
        *("items.csv", 9),
        id=(9, NUMBER),
        order_id=(5, NUMBER),
        product_id=(3, NUMBER),
        price=(4, "text"),
        paid=(4, PRICE),
    )
    orders = look("orders.csv", 5, order_id=(5, NUMBER), created_at=(5, "text"), day=(5, TIME))
    products = look("products.csv", 3, id=(3, NUMBER), category=(2, "text"))
    found = read_from([items, orders, products], {})
    assert found[Dataset.ORDER_ITEMS]["sale_price"] == "paid"
    assert found[Dataset.ORDERS]["created_at"] == "day"


def test_amounts_of_one_form_are_found_although_only_large_ones_have_a_thousands_sign() -> None:
    """1.234,50 and 12,50 are written in the same form."""
    one = ColumnLook(header="p", filled=9, distinct=9, longest=9, forms={"money ,": 5, "money ,.": 4})
    assert money_form(one) == (None, ",", ".")
    both = ColumnLook(header="p", filled=9, distinct=9, longest=9, forms={"money .": 5, "money ,": 4})
    assert money_form(both) is None
    assert {"€ money ,", "money ."} < patterns().keys()
