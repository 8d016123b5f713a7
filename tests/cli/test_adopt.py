"""`takings adopt`: a shop's own files get the right KPIs, whatever their names, delimiters and formats."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

import pytest

from tests.cli.terminal import Takings

SAMPLE: Final = Path(__file__).parents[2] / "sample"
FOLDERS: Final = {"products": "products", "orders": "orders", "order_items": "order-items"}
#: other names for the sample's columns
RENAMED: Final[Mapping[str, Mapping[str, str]]] = {
    "products": {
        "id": "Article",
        "sku": "Code",
        "cost": "Bought for",
        "category": "Group",
        "retail_price": "List price",
    },
    "orders": {
        "order_id": "Order No",
        "user_id": "Customer",
        "status": "State",
        "created_at": "Placed on",
        "returned_at": "Came back",
        "num_of_item": "Pieces",
    },
    "order_items": {
        "id": "Line ID",
        "order_id": "Order No",
        "product_id": "Article",
        "status": "State",
        "sale_price": "Price",
        "returned_at": "Return date",
    },
}


def sample_files() -> list[Path]:
    """Return the files of the sample."""
    return [SAMPLE / f"{dataset}_part1.csv" for dataset in FOLDERS]


def rewritten(folder: Path, change: Callable[[str, str], str], *, delimiter: str, encoding: str) -> list[Path]:
    """Write the sample with other names and another format; `change` rewrites the values of a column."""
    folder.mkdir()
    files = []
    for dataset, names in RENAMED.items():
        with (SAMPLE / f"{dataset}_part1.csv").open(encoding="utf-8", newline="") as source:
            rows = list(csv.DictReader(source))
        files.append(folder / f"export-{dataset}.csv")
        with files[-1].open("w", encoding=encoding, newline="") as target:
            writer = csv.writer(target, delimiter=delimiter)
            writer.writerow([names.get(column, column.title()) for column in rows[0]])
            writer.writerows([change(column, value) for column, value in row.items()] for row in rows)
    return files


def german(column: str, value: str) -> str:
    """Write times and amounts as in Germany."""
    if column.endswith("_at") and value:
        return f"{datetime.fromisoformat(value):%d.%m.%Y %H:%M:%S}"
    if column in ("cost", "retail_price", "sale_price"):
        return value.replace(".", ",") + " €"
    return value


def kpis(takings: Takings, store: Path) -> str:
    """Return both KPI tables as CSV."""
    return "".join(takings("kpis", store, "--by", by, "--format", "csv").out for by in ("day", "category"))


def drop(store: Path, files: list[Path]) -> None:
    """Drop files of the three datasets, in their order."""
    for folder, file in zip(FOLDERS.values(), files, strict=True):
        (store / "raw-data" / folder).mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, store / "raw-data" / folder)


def of_the_sample(takings: Takings) -> str:
    """Return the KPIs of the sample under the shipped contracts."""
    drop(Path("direct"), sample_files())
    assert takings("run", "direct", "--now").code == 0
    return kpis(takings, Path("direct"))


def adopted(takings: Takings, files: list[Path]) -> str:
    """Adopt files, run the store over them, and return its KPIs."""
    made = takings("adopt", *files, "--into", "shop", "--yes")
    assert (made.code, made.err) == (0, "")
    drop(Path("shop"), files)
    ran = takings("run", "shop", "--now")
    assert (ran.code, ran.err) == (0, "")
    return kpis(takings, Path("shop"))


def test_the_sample_is_adopted(takings: Takings) -> None:
    """The shipped contracts were made for it."""
    assert adopted(takings, sample_files()) == of_the_sample(takings)
    assert 'contracts = "profile:brief"\n' in Path("shop/takings.toml").read_text()


def test_a_renamed_and_rewritten_copy_is_adopted(takings: Takings) -> None:
    """Other names, semicolons, windows-1252, German dates and amounts change no KPI."""
    files = rewritten(Path("export"), german, delimiter=";", encoding="windows-1252")
    assert adopted(takings, files) == of_the_sample(takings)
    assert (
        '{delimiter: ";", encoding: "windows-1252", decimal: ","}'
        in Path("shop/contracts/order_items.odcs.yaml").read_text()
    )


def test_files_in_utf_16_with_tabs_are_adopted(takings: Takings) -> None:
    """As spreadsheet programs write "Unicode text"."""
    files = rewritten(Path("export"), lambda _, value: value, delimiter="\t", encoding="utf-16")
    assert adopted(takings, files) == of_the_sample(takings)


def test_nothing_is_written_unless_somebody_agrees(takings: Takings) -> None:
    """Without a terminal to ask on, the proposal is only printed."""
    shown = takings("adopt", *sample_files(), "--into", "shop")
    assert (shown.code, shown.err, Path("shop").exists()) == (0, "", False)
    assert shown.out.endswith("Nothing was written. Use --yes to write this, or run the command in a terminal.\n")
    assert "7 days from 2025-01-01 to 2025-01-07: 200 orders, 601 items, 40,539.18 revenue" in shown.out


def test_what_is_missing_is_said(takings: Takings) -> None:
    """Two kinds of files are not enough, with a profile or without."""
    for files, sentence in (
        (sample_files()[1:], "none of the files is of products. Name one as well."),
        (
            rewritten(Path("export"), german, delimiter=",", encoding="utf-8")[1:],
            "no file looks like products. Name one as well.",
        ),
    ):
        refused = takings("adopt", *files, "--yes")
        assert (refused.code, refused.err) == (
            2,
            "takings: these files are not enough for KPIs. Nothing was written.\n",
        )
        assert f"missing {sentence}\n" in refused.out
        assert not Path("shop").exists()


def test_what_stands_in_is_said(takings: Takings) -> None:
    """Lines without their own number, items without a status, products without a category."""
    Path("p.csv").write_text("sku,title\nA,Mug\nB,Tray\n")
    Path("o.csv").write_text("order,date\n7,2025-01-01\n8,2025-01-02\n")
    Path("i.csv").write_text("order,line,sku,price,qty\n7,1,A,10.00,2\n7,2,B,5.00,1\n8,1,A,10.00,1\n")
    made = takings("adopt", "p.csv", "o.csv", "i.csv", "--yes")
    assert (made.code, made.err) == (0, "")
    assert [line for line in made.out.splitlines() if line.startswith(("stands in", "look at"))] == [
        "stands in products have no category: every product is in the category 'all'.",
        "stands in orders have no customer: all count as one, so unique_customers means nothing.",
        "stands in orders have no status: all count as complete, so nothing is returned or cancelled.",
        "stands in order items have no number of their own: 'order' and 'line' together stand in.",
        "stands in order items have no status: each has its order's.",
    ]
    assert "2 days from 2025-01-01 to 2025-01-02: 2 orders, 4 items, 35.00 revenue, 35.00 net" in made.out


def test_contracts_that_are_there_are_kept(takings: Takings) -> None:
    """Somebody may have changed them."""
    kept = Path("shop/contracts/orders.odcs.yaml")
    kept.parent.mkdir(parents=True)
    kept.write_text("mine")
    refused = takings("adopt", *sample_files(), "--yes")
    assert refused.code == 2
    assert (
        refused.err
        == "takings: shop/contracts is not empty. Name another store with --into, or move what is there away.\n"
    )
    assert kept.read_text() == "mine"


def test_a_bad_row_is_shown_by_the_trial(takings: Takings) -> None:
    """The contracts are proposed all the same; the exit code says that the file was refused."""
    files = sample_files()
    Path("orders.csv").write_text(files[1].read_text() + "201,1,shipped,2025-01-08T00:00:00,,,,0,too,many\n")
    made = takings("adopt", files[0], "orders.csv", files[2], "--yes")
    assert made.code == 1
    assert "rejected raw-data/orders/orders.csv: 1 of 201 records break record|field_count (1)" in made.out
    assert Path("shop/takings.toml").exists()


def test_a_shopify_export_is_recognised(takings: Takings) -> None:
    """Its profile reads it; the KPIs are the same as in a store with that profile."""
    takings("generate", "export", "--orders", "60", "--format", "shopify", "--days", "5")
    files = sorted(Path("export").rglob("*.csv"))
    made = takings("adopt", *files, "--into", "shop", "--yes")
    assert (made.code, made.err) == (0, "")
    assert made.out.startswith("these are files of the profile shopify (docs/profiles.md):\n")
    (days,) = [line for line in made.out.splitlines() if " days from " in line]
    for file in files:
        (folder,) = [
            line.rpartition(" ")[2] for line in made.out.splitlines() if line.startswith(f"  {file.name} into ")
        ]
        shutil.copy2(file, Path("shop", folder))
    assert takings("run", "shop", "--now").code == 0
    shutil.copytree("export", "direct/raw-data")
    Path("direct/takings.toml").write_text('contracts = "profile:shopify"\n')
    assert takings("run", "direct", "--now").code == 0
    assert kpis(takings, Path("shop")) == kpis(takings, Path("direct"))
    assert ": 60 orders, " in days


def test_a_profile_can_be_named(takings: Takings) -> None:
    """Then only its files are accepted."""
    refused = takings("adopt", *sample_files(), "--profile", "shopify")
    assert refused.code == 2
    assert refused.err == (
        "takings: products_part1.csv is not a file of the profile 'shopify': it resembles shopify-orders, but the header lacks"
        " 'Financial Status', 'Created at', 'Lineitem quantity', 'Lineitem name', 'Lineitem price' and says 'name' where 'Name'"
        " is expected: names are matched exactly. Leave --profile out, or name its own exports.\n"
    )
    unknown = takings("adopt", *sample_files(), "--profile", "magento")
    assert (unknown.code, "there is no profile 'magento'" in unknown.err) == (2, True)


def test_dates_and_times_apart_shares_and_other_files_are_understood(takings: Takings) -> None:
    """A date next to its time of day is one instant; a discount of 0.15 is not an amount; an unrelated file is left out."""
    Path("products.csv").write_text("productID,productName,categoryID\n1,Chai,2\n2,Chang,2\n3,Syrup,5\n")
    Path("orders.csv").write_text(
        "orderID,customerID,date,time\n7,VINET,04/07/2025,23:30:00\n8,HANAR,25/07/2025,00:15:00\n"
    )
    Path("details.csv").write_text(
        "orderID,productID,unitPrice,quantity,discount\n7,1,10.00,2,0.15\n7,2,5.00,1,0\n8,1,10.00,1,0.05\n"
    )
    Path("regions.csv").write_text("regionID,region\n1,East\n2,West\n")
    files = ("products.csv", "orders.csv", "details.csv", "regions.csv")
    made = takings("adopt", *files, "--yes")
    assert (made.code, made.err) == (0, "")
    assert "left out regions.csv: " in made.out
    assert (
        "stands in nothing for 'discount', which holds no amounts of money above zero: nothing is taken off."
        in made.out
    )
    assert "2 days from 2025-07-04 to 2025-07-25: 2 orders, 4 items, 35.00 revenue, 35.00 net" in made.out
    orders = Path("shop/contracts/orders.odcs.yaml").read_text()
    assert "value: {dateTime: [date, time]}" in orders
    assert 'logicalTypeOptions: {format: "dd/MM/yyyy HH:mm:ss"}' in orders


def test_a_store_is_read_by_its_own_contracts(takings: Takings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the command is typed: next to it, inside it, or in another store with its own contracts."""
    files = rewritten(Path("export"), german, delimiter=";", encoding="windows-1252")
    assert takings("adopt", *files, "--into", "shop", "--yes").code == 0
    drop(Path("shop"), files)
    other = rewritten(Path("others"), lambda _, value: value, delimiter="|", encoding="utf-8")
    assert takings("adopt", *other, "--into", "other", "--yes").code == 0
    monkeypatch.chdir("other")
    assert takings("run", "../shop", "--now").code == 0
    monkeypatch.chdir("../shop")
    assert takings("verify", ".").code == 0
    right = kpis(takings, Path())
    assert takings("rebuild", ".", "../again").code == 0
    monkeypatch.chdir("..")
    assert kpis(takings, Path("again")) == right
    assert takings("verify", "again").code == 0


def test_a_store_that_is_the_working_folder_has_files(takings: Takings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their keys begin with raw-data/, however the store is named."""
    drop(Path("shop"), sample_files())
    monkeypatch.chdir("shop")
    ran = takings("run", ".", "--now")
    assert (ran.code, "3 accepted" in ran.out, "left alone" in ran.out) == (0, True, False)


def test_what_an_export_says_of_pieces_is_never_passed_over(takings: Takings) -> None:
    """A quantity in another language counts; one that is unusable, and a price of the whole line, are reported."""
    Path("p.csv").write_text("sku,group\nA,Mugs\nB,\n")
    Path("o.csv").write_text("order,date,status\n7,2025-01-31,paid\n8,2025-02-01,storno\n8,2025-02-01,storno\n")
    header = "order,line,sku,price,Menge\n"
    Path("i.csv").write_text(header + "7,1,A,10.00,2\n7,2,B,5.00,1\n8,1,A,10.00,1\n")
    made = takings("adopt", "p.csv", "o.csv", "i.csv")
    assert (made.code, made.err) == (0, "")
    assert ": 2 orders, 4 items, 35.00 revenue" in made.out
    assert "look at 'status' of orders: 'storno' is not known, and counts as sold." in made.out
    assert "stands in some products have no category: they are in the category 'Uncategorized'." in made.out
    Path("i.csv").write_text(header.replace("price", "line_total") + "7,1,A,20.00,2\n7,2,B,5.00,1\n8,1,A,10.00,1\n")
    made = takings("adopt", "p.csv", "o.csv", "i.csv")
    assert "stands in 'line_total' is taken as the price of the whole line" in made.out
    assert ": 2 orders, 3 items, 35.00 revenue" in made.out
    Path("i.csv").write_text(header + "7,1,A,10.00,2\n7,2,B,5.00,-1\n8,1,A,10.00,1\n")
    made = takings("adopt", "p.csv", "o.csv", "i.csv")
    assert (
        "stands in 'Menge' holds values other than whole numbers from 0 up: every line counts as one piece." in made.out
    )


def test_american_times_and_overlapping_exports_are_understood(takings: Takings) -> None:
    """`02/14/2024 03:06 PM`, and an order that is in two exports."""
    Path("products.csv").write_text("sku,category\n" + "".join(f"S-{number},Mugs\n" for number in range(30)))
    rows = [f"#{number},02/{1 + number % 28:02d}/2024 03:06 PM,$1,{number:03d}.50" for number in range(40)]
    lines = [row.replace("$1,", '"$1,') + '"\n' for row in rows]
    Path("orders_1.csv").write_text("Order,Placed on,Total\n" + "".join(lines[:21]))
    Path("orders_2.csv").write_text("Order,Placed on,Total\n" + "".join(lines[20:]))
    items = "".join(f'#{number},{number},S-{number % 30},"$1,{number:03d}.50"\n' for number in range(40))
    Path("items.csv").write_text("Order,Line no,sku,Price\n" + items)
    made = takings("adopt", "products.csv", "orders_1.csv", "orders_2.csv", "items.csv", "--yes")
    assert (made.code, made.err) == (0, "")
    assert ": 40 orders, 40 items, 40,800.00 revenue" in made.out


def test_a_place_that_cannot_become_a_store_is_refused_first(takings: Takings) -> None:
    """Before anything is tried."""
    Path("o.csv").write_text("x")
    for into, sentence in (
        ("o.csv", "o.csv is a file. Name a folder with --into."),
        (
            "s3://shop",
            "a store is adopted into a folder. Name one, look at it, and copy its contracts into the bucket.",
        ),
    ):
        refused = takings("adopt", *sample_files(), "--into", into, "--yes")
        assert (refused.code, refused.out, refused.err) == (2, "", f"takings: {sentence}\n")
    folder = takings("adopt", SAMPLE)
    assert (folder.code, "is a folder. Name the files in it" in folder.err) == (2, True)
    Path("empty.csv").write_text("order_id,created_at\n")
    empty = takings("adopt", "empty.csv")
    assert (empty.code, "it holds no record, only a header" in empty.err) == (2, True)


def test_olist_is_recognised(takings: Takings) -> None:
    """Its items have the one column that its products need."""
    takings("generate", "export", "--orders", "60", "--format", "olist", "--days", "5")
    files = sorted(Path("export").rglob("*.csv"))
    made = takings("adopt", *files)
    assert made.out.startswith("these are files of the profile olist (docs/profiles.md):\n")
    (items,) = Path("export/order-items").iterdir()
    assert takings("validate", items, "--contracts", "profile:olist").code == 0
    shutil.copy2(items, "items.csv")
    assert takings("validate", "items.csv", "--contracts", "profile:olist").code == 0
