"""The commands that verify and repair: explain, verify, restate and maintain; what they print, where, and how they end."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest

from tests.cli.terminal import Ended, Takings, unwrapped
from tests.shop import (
    csv_of,
    drop,
    drop_all,
    expected,
    item,
    lineage,
    new_store,
    order,
    product,
    published,
    run,
)
from tests.worths import contracts_of_worth

HEADER = (
    "order_date,category,order_id,item_id,product_id,status,sale_price,counted_as,key,archived_at,line,"
    "pieces,amount,returned_value,cancelled_value\n"
)
ITEMS_KEY = "raw-data/order-items/a.csv"


@pytest.fixture(scope="module")
def busy_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store of three batches with corrections, orphans, odd names and prices with many digits; no test changes it."""
    root = drop_all(new_store(tmp_path_factory.mktemp("busy") / "shop"))
    run(root)
    drop(root, "products/b.csv", csv_of(product(4, '"[red]Toys, small"')))
    drop(root, "orders/b.csv", csv_of(order(4), order(5, "2025-03-31T08:00:00"), order(6, "2025-03-31T08:00:00")))
    drop(
        root,
        "order-items/b.csv.gz",
        gzip.compress(
            csv_of(
                item(4, 1, 4, "0.3333333333333333", returned_at=""),
                item(5, 2, 4, "0.3350", returned_at=""),
                item(6, 5, 4, "1000", returned_at=""),
                item(7, 404, returned_at=""),
            )
        ),
    )
    run(root)
    drop(
        root,
        "order-items/late/a.csv",
        csv_of(
            item(2, 2, 2, "20.25", status="shipped", returned_at="2025-04-02T00:00:00"),
            item(8, 6, 404, "9.99", returned_at=""),
            item(6, 5, 4, "0.005", status="cancelled", returned_at=""),
        ),
    )
    run(root)
    return root


@pytest.fixture
def busy(busy_once: Path, tmp_path: Path) -> Path:
    """Return such a store for this test alone."""
    return shutil.copytree(busy_once, tmp_path / "shop")


def everything(folder: Path) -> dict[Path, bytes | None]:
    """Return a folder's files with their bytes, and its folders."""
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def table_of(text: str) -> list[dict[str, str]]:
    """Return the rows of a CSV text by column."""
    return list(csv.DictReader(io.StringIO(text)))


def places(root: Path) -> dict[str, str | None]:
    """Return where the original of each key's last arrival is now."""
    return {record.file_key: record.archived_at for record in lineage(root)}


def tamper(root: Path, *statements: str) -> None:
    """Change published rows directly in the database."""
    with closing(sqlite3.connect(root / ".takings" / "takings.db")) as database, database:
        for statement in statements:
            assert database.execute(statement).rowcount > 0, statement


WRONG_MONDAY = "update OrderKPIs set total_revenue = '99.99' where order_date = '2025-03-31'"
WRONG_TOYS = (
    "update CategoryKPIs set items_sold = 7, avg_order_value = null"
    " where category = 'Toys' and order_date = '2025-03-31'"
)
LOST_SUNDAY = "delete from OrderKPIs where order_date = '2025-03-30'"
LOST_BOOKS = "delete from CategoryKPIs where category = 'Books'"
MADE_UP_TUESDAY = (
    "insert into OrderKPIs select '2025-04-01', total_orders, total_revenue, total_items_sold, return_rate,"
    " unique_customers, avg_order_value, returned_value, cancelled_value, net_revenue,"
    " \"commit\", batch_id, computed_at, definition from OrderKPIs where order_date = '2025-03-31'"
)


class TestExplain:
    def test_csv_has_the_rows_behind_a_day(self, takings: Takings, done: Path) -> None:
        """By order and item, each with its file and line; nothing else is on stdout."""
        archived = places(done)[ITEMS_KEY]
        assert takings("explain", done, "2025-03-30", "--format", "csv") == Ended(
            code=0,
            out=HEADER
            + f"2025-03-30,Books,1,1,1,shipped,10.00,net,{ITEMS_KEY},{archived},2,1,10.00,0.00,0.00\n"
            + f"2025-03-30,Toys,2,2,2,returned,20.25,returned,{ITEMS_KEY},{archived},3,1,20.25,20.25,0.00\n",
            err="",
        )

    def test_every_kind_of_row_is_told_apart(self, takings: Takings, busy: Path) -> None:
        """Orders without counted items have no item fields, and name the orders' file; orphans are left out."""
        ended = takings("explain", busy, "2025-03-31", "--format", "csv")
        place = places(busy)
        items, late, orders = "raw-data/order-items/a.csv", "raw-data/order-items/late/a.csv", "raw-data/orders/b.csv"
        assert ended.out == (
            HEADER
            + f"2025-03-31,Toys,3,3,3,cancelled,4.25,cancelled,{items},{place[items]},4,1,4.25,0.00,4.25\n"
            + f'2025-03-31,"[red]Toys, small",5,6,4,cancelled,0.005,cancelled,{late},{place[late]},4,1,0.005,0.00,0.005\n'
            + f"2025-03-31,,6,,,shipped,,order without items,{orders},{place[orders]},4,,,,\n"
        )

    def test_prices_have_all_their_digits(self, takings: Takings, busy: Path) -> None:
        """At least two decimal places, and no zeros after the cents."""
        rows = table_of(takings("explain", busy, "2025-03-30", "--format", "csv").out)
        assert {row["item_id"]: (row["sale_price"], row["counted_as"]) for row in rows} == {
            "1": ("10.00", "net"),
            "2": ("20.25", "returned"),
            "4": ("0.3333333333333333", "net"),
            "5": ("0.335", "net"),
            "": ("", "order without items"),
        }

    def test_file_and_line_hold_the_row(self, takings: Takings, busy: Path) -> None:
        """The archived original has it on that line, even if compressed, and after a correction."""
        rows = table_of(takings("explain", busy, "2025-03-30", "--format", "csv").out)
        assert len(rows) == 5
        for row in rows:
            original = (busy / row["archived_at"]).read_bytes()
            text = gzip.decompress(original) if row["key"].endswith(".gz") else original
            first_field = text.decode().splitlines()[int(row["line"]) - 1].split(",")[0]
            assert first_field == (row["item_id"] or row["order_id"])

    @pytest.mark.parametrize("by", ["day", "category"])
    def test_the_rows_make_the_published_revenue(self, takings: Takings, busy: Path, by: str) -> None:
        """For every day, and every category on it: summed exactly, rounded once."""
        numbers = table_of(takings("kpis", busy, "--by", by, "--format", "csv").out)
        assert len(numbers) == {"day": 2, "category": 5}[by]
        for number in numbers:
            only = ("--category", number["category"]) if by == "category" else ()
            ended = takings("explain", busy, number["order_date"], *only, "--format", "csv")
            rows = table_of(ended.out)
            revenue = sum((Decimal(row["sale_price"] or 0) for row in rows), Decimal(0))
            rounded = revenue.quantize(Decimal("0.01"), ROUND_HALF_UP)
            assert rounded == Decimal(number["total_revenue" if by == "day" else "daily_revenue"])
            net = sum((Decimal(row["sale_price"]) for row in rows if row["counted_as"] == "net"), Decimal(0))
            assert net.quantize(Decimal("0.01"), ROUND_HALF_UP) == Decimal(number["net_revenue"])
            for value in ("returned_value", "cancelled_value"):
                exact = sum((Decimal(row[value] or 0) for row in rows), Decimal(0))
                assert exact.quantize(Decimal("0.01"), ROUND_HALF_UP) == Decimal(number[value])
            assert sum(int(row["pieces"] or 0) for row in rows) == int(
                number["total_items_sold" if by == "day" else "items_sold"]
            )

    def test_one_category(self, takings: Takings, busy: Path) -> None:
        """Only its rows, whatever the name."""
        ended = takings("explain", busy, "2025-03-30", "--category", "[red]Toys, small", "--format", "csv")
        assert [(row["category"], row["item_id"]) for row in table_of(ended.out)] == [
            ("[red]Toys, small", "4"),
            ("[red]Toys, small", "5"),
        ]

    def test_json_tells_the_exact_sum(self, takings: Takings, busy: Path) -> None:
        """Amounts are strings, ids have the lake's type, and a row's missing values are null."""
        document = json.loads(takings("explain", busy, "2025-03-31", "--format", "json").out)
        rows = document.pop("rows")
        assert document == {"schema_version": 1, "commit": 3, "rows_in_all": 3, "revenue": "4.255"}
        assert rows[1:] == [
            {
                "order_date": "2025-03-31",
                "category": "[red]Toys, small",
                "order_id": 5,
                "item_id": 6,
                "product_id": 4,
                "status": "cancelled",
                "sale_price": "0.005",
                "counted_as": "cancelled",
                "key": "raw-data/order-items/late/a.csv",
                "archived_at": places(busy)["raw-data/order-items/late/a.csv"],
                "line": 4,
                "pieces": 1,
                "amount": "0.005",
                "returned_value": "0.00",
                "cancelled_value": "0.005",
            },
            {
                "order_date": "2025-03-31",
                "category": None,
                "order_id": 6,
                "item_id": None,
                "product_id": None,
                "status": "shipped",
                "sale_price": None,
                "counted_as": "order without items",
                "key": "raw-data/orders/b.csv",
                "archived_at": places(busy)["raw-data/orders/b.csv"],
                "line": 4,
                "pieces": None,
                "amount": None,
                "returned_value": None,
                "cancelled_value": None,
            },
        ]

    def test_a_large_sum_is_exact_too(self, takings: Takings, done: Path) -> None:
        """Two prices of 28 digits make a sum of 29."""
        price = "999999999999.9999999999999999"
        drop(done, "order-items/b.csv", csv_of(item(4, 3, 1, price), item(5, 3, 1, price)))
        run(done)
        found = takings("explain", done, "2025-03-31", "--category", "Books", "--format", "json")
        document = json.loads(found.out)
        assert [row["sale_price"] for row in document["rows"]] == [price, price]
        assert document["revenue"] == "1999999999999.9999999999999998"

    def test_a_table_is_for_people(self, takings: Takings, busy: Path) -> None:
        """Rows, then the number of items, their sum, and the commit."""
        ended = takings("explain", busy, "2025-03-31")
        assert (ended.code, ended.err) == (0, "")
        header, _, *rows, summary = [line for line in ended.out.splitlines() if line.strip()]
        assert header.split() == ["category", "order", "item", "status", "sale_price", "counted", "as", "file", "line"]
        assert [unwrapped(row) for row in rows] == [
            "Toys 3 3 cancelled 4.25 cancelled raw-data/order-items/a.csv 4",
            "[red]Toys, small 5 6 cancelled 0.005 cancelled raw-data/order-items/late/a.csv 4",
            "– 6 – shipped order without items raw-data/orders/b.csv 4",
        ]
        assert summary == "2 items, 4.255 in all, as of commit 3"

    def test_a_table_of_items_with_roles_shows_what_they_are_worth(
        self, takings: Takings, root: Path, tmp_path: Path
    ) -> None:
        """After their price; the sum is that of the amounts."""
        contracts = contracts_of_worth(tmp_path / "contracts")
        (root / "takings.toml").write_text(f'contracts = "{contracts}"\n', encoding="utf-8")
        drop(root, "products/a.csv", csv_of(product(1)))
        drop(root, "orders/a.csv", csv_of(order(1), order(2)))
        drop(root, "order-items/a.csv", csv_of(item(1, 1, qty=3, taken_off="0.505", paid_back="4", status="cancelled")))
        assert takings("run", root, "--now").code == 0
        ended = takings("explain", root, "2025-03-30")
        header, _, *rows, summary = [line for line in ended.out.splitlines() if line.strip()]
        assert " ".join(header.split()) == (
            "category order item status sale_price pieces amount returned cancelled counted as file line"
        )
        assert [unwrapped(row) for row in rows] == [
            "Books 1 1 cancelled 10.00 3 29.495 4.00 25.495 returned raw-data/order-items/a.csv 2",
            "– 2 – shipped order without items raw-data/orders/a.csv 3",
        ]
        assert summary == "1 item, 29.495 in all, as of commit 1"

    def test_a_rebuilt_store_computes_amounts_anew(self, takings: Takings, done: Path, tmp_path: Path) -> None:
        """Rows keep the worth that the contract of their time gave them; a rebuilt store uses the present one."""
        drop(done, "order-items/b.csv", csv_of(item(4, 3, qty=3, taken_off="1.00", paid_back="")))
        run(done)
        contracts = contracts_of_worth(tmp_path / "contracts")
        (done / "takings.toml").write_text(f'contracts = "{contracts}"\n', encoding="utf-8")
        assert takings("restate", done).code == 0
        assert takings("rebuild", done, tmp_path / "new").code == 0
        assert takings("verify", tmp_path / "new").code == 0
        of_monday = [
            takings("kpis", store, "--from", "2025-03-31", "--format", "csv").out.splitlines()[1]
            for store in (done, tmp_path / "new")
        ]
        assert of_monday == [
            "2025-03-31,1,14.25,2,0.00,1,14.25,0.00,4.25,10.00",
            "2025-03-31,1,33.25,4,0.00,1,33.25,0.00,4.25,29.00",
        ]

    def test_a_table_separates_thousands(self, takings: Takings, done: Path) -> None:
        """As other tables do; CSV and JSON do not."""
        drop(done, "order-items/b.csv", csv_of(item(4, 3, 1, "1234567.125")))
        run(done)
        shown = takings("explain", done, "2025-03-31", "--category", "Books").out
        assert ("1,234,567.125 " in shown, "1 item, 1,234,567.125 in all" in shown) == (True, True)
        assert "1234567.125" in takings("explain", done, "2025-03-31", "--format", "csv").out

    def test_a_limit_shows_the_first_rows(self, takings: Takings, busy: Path) -> None:
        """Sum and number of rows cover all."""
        limited = ("explain", busy, "2025-03-30", "--limit", 2)
        assert [row["item_id"] for row in table_of(takings(*limited, "--format", "csv").out)] == ["1", "4"]
        document = json.loads(takings(*limited, "--format", "json").out)
        assert ([row["item_id"] for row in document["rows"]], document["rows_in_all"], document["revenue"]) == (
            [1, 4],
            5,
            "30.9183333333333333",
        )
        assert takings(*limited).out.splitlines()[-2:] == [
            "4 items, 30.9183333333333333 in all, as of commit 3",
            "… the table shows 2 of 5 rows; --format csv has all",
        ]

    def test_a_table_ends_after_fifty_rows(self, takings: Takings, done: Path) -> None:
        """CSV and JSON have all."""
        drop(done, "order-items/b.csv", csv_of(*(item(number, 3, 3, "0.01") for number in range(100, 159))))
        run(done)
        assert takings("explain", done, "2025-03-31").out.splitlines()[-2:] == [
            "60 items, 4.84 in all, as of commit 2",
            "… the table shows 50 of 60 rows; --format csv has all",
        ]
        assert len(table_of(takings("explain", done, "2025-03-31", "--format", "csv").out)) == 60
        assert len(json.loads(takings("explain", done, "2025-03-31", "--format", "json").out)["rows"]) == 60

    @pytest.mark.parametrize(
        ("arguments", "of"),
        [
            (["2025-04-01"], "on 2025-04-01"),
            (["2025-03-30", "--category", "Games"], "of category 'Games' on 2025-03-30"),
            (["2025-03-31", "--category", "Books"], "of category 'Books' on 2025-03-31"),
        ],
        ids=["day", "category", "category on that day"],
    )
    def test_2_for_an_unknown_day_or_category(
        self, takings: Takings, done: Path, arguments: list[str], of: str
    ) -> None:
        """In every format; stdout stays empty."""
        for form in ("table", "csv", "json"):
            ended = takings("explain", done, *arguments, "--format", form)
            assert (ended.code, ended.out, unwrapped(ended.err)) == (
                2,
                "",
                f"takings: there is no row {of}. `takings kpis` lists the days and categories there are.",
            )

    @pytest.mark.parametrize("arguments", [["31.3.2025"], ["2025-03-30", "--limit", "0"], []])
    def test_2_for_wrong_usage(self, takings: Takings, done: Path, arguments: list[str]) -> None:
        """The error is on stderr."""
        ended = takings("explain", done, *arguments)
        assert (ended.code, ended.out) == (2, "")
        assert "Usage: takings" in ended.err

    def test_2_for_a_store_without_a_lake(self, takings: Takings, root: Path) -> None:
        """The error says what to do about it."""
        ended = takings("explain", root, "2025-03-30")
        assert (ended.code, ended.out, unwrapped(ended.err)) == (
            2,
            "",
            "takings: nothing is in the lake yet. Drop files and run `takings run STORE --now`.",
        )


class TestVerify:
    def test_0_where_nothing_differs(self, takings: Takings, busy: Path) -> None:
        """The output says how much was compared."""
        assert takings("verify", busy) == Ended(code=0, out="no difference: 7 published rows as of commit 3\n", err="")

    def test_0_for_a_store_without_a_lake(self, takings: Takings, root: Path) -> None:
        """Nothing is published, so nothing is wrong."""
        assert takings("verify", root) == Ended(code=0, out="nothing is published yet\n", err="")
        assert json.loads(takings("verify", root, "--json").out) == {
            "schema_version": 1,
            "commit": None,
            "rows": 0,
            "differences": [],
        }

    def test_it_reads_only(self, takings: Takings, busy: Path) -> None:
        """Even if it finds a difference."""
        tamper(busy, WRONG_MONDAY)
        before = everything(busy)
        assert takings("verify", busy).code == 1
        assert everything(busy) == before

    def test_a_hidden_row_is_no_difference(self, takings: Takings, done: Path) -> None:
        """A key that no longer has rows is published with zeros."""
        drop(done, "orders/b.csv", csv_of(order(3, "2025-04-01T08:00:00")))
        run(done)
        assert takings("verify", done).out == "no difference: 5 published rows as of commit 2\n"

    def test_1_where_a_value_differs(self, takings: Takings, done: Path) -> None:
        """Table, key, column and both values are printed."""
        tamper(done, WRONG_MONDAY, WRONG_TOYS)
        assert takings("verify", done) == Ended(
            code=1,
            out="OrderKPIs 2025-03-31: total_revenue is 99.99, the lake says 4.25\n"
            "CategoryKPIs Toys, 2025-03-31: avg_order_value is empty, the lake says 4.25\n"
            "CategoryKPIs Toys, 2025-03-31: items_sold is 7, the lake says 1\n"
            f"3 differences in 5 rows. `takings restate {done}` publishes what the lake says.\n",
            err="",
        )

    def test_1_where_a_row_is_missing_or_made_up(self, takings: Takings, done: Path) -> None:
        """In either table."""
        tamper(done, LOST_SUNDAY, LOST_BOOKS, MADE_UP_TUESDAY)
        assert takings("verify", done) == Ended(
            code=1,
            out="OrderKPIs 2025-03-30: row is absent, the lake says present\n"
            "OrderKPIs 2025-04-01: row is present, the lake says absent\n"
            "CategoryKPIs Books, 2025-03-30: row is absent, the lake says present\n"
            f"3 differences in 5 rows. `takings restate {done}` publishes what the lake says.\n",
            err="",
        )

    def test_1_where_the_definition_has_changed(
        self, takings: Takings, done: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """In one line for all rows; a different value has its own line as well."""
        tamper(done, WRONG_MONDAY)
        monkeypatch.setenv("TAKINGS_POLICY", "row")
        ended = takings("verify", done)
        value, definition, summary = ended.out.splitlines()
        assert (ended.code, ended.err) == (1, "")
        assert value == "OrderKPIs 2025-03-31: total_revenue is 99.99, the lake says 4.25"
        assert definition == "5 rows published under another definition: SQL, policy or time zone have changed since"
        assert summary == f"6 differences in 5 rows. `takings restate {done}` publishes what the lake says."

    def test_json_names_every_difference(self, takings: Takings, done: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Values as text, null if there is none; the exit code is the same."""
        tamper(done, WRONG_TOYS, LOST_SUNDAY)
        ended = takings("verify", done, "--json")
        assert (ended.code, ended.err) == (1, "")
        assert json.loads(ended.out) == {
            "schema_version": 1,
            "commit": 1,
            "rows": 5,
            "differences": [
                {
                    "table": "OrderKPIs",
                    "key": ["2025-03-30"],
                    "column": "row",
                    "published": "absent",
                    "recomputed": "present",
                },
                {
                    "table": "CategoryKPIs",
                    "key": ["Toys", "2025-03-31"],
                    "column": "avg_order_value",
                    "published": None,
                    "recomputed": "4.25",
                },
                {
                    "table": "CategoryKPIs",
                    "key": ["Toys", "2025-03-31"],
                    "column": "items_sold",
                    "published": "7",
                    "recomputed": "1",
                },
            ],
        }
        monkeypatch.setenv("TAKINGS_POLICY", "strict")
        differences = json.loads(takings("verify", done, "--json").out)["differences"]
        assert [found["column"] for found in differences].count("definition") == 4


class TestRestate:
    def test_it_repairs_whatever_differs(self, takings: Takings, done: Path) -> None:
        """Values, missing rows and invented ones; the commit stays."""
        tamper(done, WRONG_MONDAY, WRONG_TOYS, LOST_BOOKS, MADE_UP_TUESDAY)
        assert takings("restate", done) == Ended(
            code=0,
            out="published again as of commit 1: 3 keys of OrderKPIs, 3 keys of CategoryKPIs\n",
            err="",
        )
        assert published(done) == expected(done)
        assert takings("verify", done).out == "no difference: 5 published rows as of commit 1\n"

    def test_it_publishes_under_the_present_definition(
        self, takings: Takings, done: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Until it is changed back."""
        monkeypatch.setenv("TAKINGS_POLICY", "row")
        assert takings("verify", done).code == 1
        assert takings("restate", done).code == 0
        assert takings("verify", done).code == 0
        monkeypatch.delenv("TAKINGS_POLICY")
        assert takings("verify", done).code == 1

    @pytest.mark.parametrize(
        ("range_", "still_wrong"),
        [
            (["--from", "2025-03-31", "--to", "2025-03-31"], ["2025-03-30"]),
            (["--to", "2025-03-30"], ["2025-03-31"]),
            (["--from", "2025-03-31"], ["2025-03-30"]),
            (["--from", "2025-03-30", "--to", "2025-03-31"], []),
            (["--from", "2025-04-01"], ["2025-03-30", "2025-03-31"]),
            (["--to", "2025-03-29"], ["2025-03-30", "2025-03-31"]),
        ],
    )
    def test_a_range_has_both_its_ends(
        self, takings: Takings, done: Path, range_: list[str], still_wrong: list[str]
    ) -> None:
        """Days outside stay as they are, right or wrong."""
        tamper(done, WRONG_MONDAY, LOST_SUNDAY, WRONG_TOYS, LOST_BOOKS)
        assert takings("restate", done, *range_).code == 0
        differences = json.loads(takings("verify", done, "--json").out)["differences"]
        assert sorted({found["key"][-1] for found in differences}) == still_wrong
        assert {found["table"] for found in differences} == ({"OrderKPIs", "CategoryKPIs"} if still_wrong else set())

    def test_a_day_without_orders_any_more_is_in_its_range(self, takings: Takings, done: Path) -> None:
        """The lake has nothing of it, but something is published."""
        tamper(done, MADE_UP_TUESDAY)
        ended = takings("restate", done, "--from", "2025-04-01", "--to", "2025-04-01")
        assert ended.out == "published again as of commit 1: 1 key of OrderKPIs, 0 keys of CategoryKPIs\n"
        assert takings("verify", done).code == 0
        assert published(done) == expected(done)

    def test_2_where_the_range_ends_before_it_begins(self, takings: Takings, done: Path) -> None:
        """Nothing is published."""
        before = everything(done)
        ended = takings("restate", done, "--from", "2025-03-31", "--to", "2025-03-30")
        assert (ended.code, ended.out, unwrapped(ended.err)) == (
            2,
            "",
            "takings: --from 2025-03-31 is after --to 2025-03-30.",
        )
        assert everything(done) == before

    def test_2_for_a_store_without_a_lake(self, takings: Takings, root: Path) -> None:
        """The error says what to do, with and without a range."""
        for range_ in ([], ["--from", "2025-03-30"]):
            ended = takings("restate", root, *range_)
            assert (ended.code, ended.out, unwrapped(ended.err)) == (
                2,
                "",
                "takings: nothing is in the lake yet. Drop files and run `takings run STORE --now`.",
            )


@pytest.fixture(scope="module")
def many_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store of four batches of one day; no test changes it."""
    root = new_store(tmp_path_factory.mktemp("many") / "shop")
    for number in range(1, 5):
        drop(root, f"orders/{number}.csv", csv_of(order(number)))
        run(root)
    return root


@pytest.fixture
def many(many_once: Path, tmp_path: Path) -> Path:
    """Return such a store for this test alone; the reports of one batch are a year old."""
    root = shutil.copytree(many_once, tmp_path / "shop")
    reports = next((root / "validation-reports").iterdir())
    for path in reports.rglob("*.json"):
        written_at = path.stat().st_mtime - timedelta(days=365).total_seconds()
        os.utime(path, (written_at, written_at))
    return root


class TestMaintain:
    def test_it_says_what_it_did(self, takings: Takings, many: Path) -> None:
        """Files, commit and what was removed; the second time there is nothing to do."""
        assert takings("maintain", many) == Ended(
            code=0,
            out="orders: 4 files compacted into 1\n"
            "commit 5 shows the compacted tables\n"
            "0 lake files and 2 old documents removed\n",
            err="",
        )
        assert takings("maintain", many).out == "0 lake files and 0 old documents removed\n"
        assert takings("kpis", many, "--format", "csv").out == expected(many)[0]
        assert takings("verify", many).out == "no difference: 1 published rows as of commit 5\n"

    def test_a_dry_run_says_what_would_be_done(self, takings: Takings, many: Path) -> None:
        """And does none of it."""
        before = everything(many)
        assert takings("maintain", many, "--dry-run") == Ended(
            code=0,
            out="orders: 4 files would be compacted into 1\n0 lake files and 2 old documents would be removed\n",
            err="",
        )
        assert everything(many) == before

    def test_a_setting_says_how_long_reports_are_kept(
        self, takings: Takings, many: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """90 days by default."""
        monkeypatch.setenv("TAKINGS_KEEP_REPORTS", "400d")
        assert takings("maintain", many).out.endswith("0 lake files and 0 old documents removed\n")
        monkeypatch.setenv("TAKINGS_KEEP_REPORTS", "0d")
        assert takings("maintain", many).out.endswith("0 lake files and 8 old documents removed\n")

    def test_explain_finds_the_same_rows_afterwards(self, takings: Takings, many: Path) -> None:
        """With file and line of the drops, not of the compacted file."""
        before = takings("explain", many, "2025-03-30", "--format", "csv")
        takings("maintain", many)
        assert takings("explain", many, "2025-03-30", "--format", "csv") == before

    def test_an_empty_store_has_nothing_to_do(self, takings: Takings, root: Path) -> None:
        """That is not an error."""
        assert takings("maintain", root) == Ended(code=0, out="0 lake files and 0 old documents removed\n", err="")


@pytest.mark.parametrize("command", [["explain", "2025-03-30"], ["verify"], ["restate"], ["maintain"]])
def test_2_for_an_unknown_store(takings: Takings, tmp_path: Path, command: list[str]) -> None:
    """No store is created."""
    name, *arguments = command
    ended = takings(name, tmp_path / "nowhere", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert unwrapped(ended.err).startswith(f"takings: {tmp_path / 'nowhere'} is not a folder. ")
    assert not (tmp_path / "nowhere").exists()
