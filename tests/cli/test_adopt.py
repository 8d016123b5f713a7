"""`takings adopt`: a shop's own files, whatever their names, delimiters and formats, come to the right KPIs."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from tests.cli.terminal import Takings

SAMPLE: Final = Path(__file__).parents[2] / "sample"
FOLDERS: Final = {"products": "products", "orders": "orders", "order_items": "order-items"}
#: other words for the sample's columns
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
    """Write the sample with other names and another format; `change` rewrites a value of a column."""
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
    """Write times and amounts as a German shop does."""
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
    """It is what the shipped contracts are for."""
    assert adopted(takings, sample_files()) == of_the_sample(takings)
    assert Path("shop/takings.toml").read_text().endswith('\ncontracts = "profile:brief"\n')


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
    """Without a terminal to ask on, the proposal is only shown."""
    shown = takings("adopt", *sample_files(), "--into", "shop")
    assert (shown.code, shown.err, Path("shop").exists()) == (0, "", False)
    assert shown.out.endswith("Nothing was written. Say --yes to write this, or run it on a terminal.\n")
    assert "7 days from 2025-01-01 to 2025-01-07: 200 orders, 601 items, 40,539.18 revenue" in shown.out


def test_what_is_missing_is_said(takings: Takings) -> None:
    """Two kinds of files are not enough, whether they are of a profile or not."""
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
    """Lines without a number of their own, items without a status, products without a category."""
    Path("p.csv").write_text("sku,title\nA,Mug\nB,Tray\n")
    Path("o.csv").write_text("order,date\n7,2025-01-01\n8,2025-01-02\n")
    Path("i.csv").write_text("order,line,sku,price,qty\n7,1,A,10.00,2\n7,2,B,5.00,1\n8,1,A,10.00,1\n")
    made = takings("adopt", "p.csv", "o.csv", "i.csv", "--yes")
    assert (made.code, made.err) == (0, "")
    assert [line for line in made.out.splitlines() if line.startswith("stands in")] == [
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
    """The contracts are proposed all the same; the exit code says that a file was refused."""
    files = sample_files()
    Path("orders.csv").write_text(files[1].read_text() + "201,1,shipped,2025-01-08T00:00:00,,,,0,too,many\n")
    made = takings("adopt", files[0], "orders.csv", files[2], "--yes")
    assert made.code == 1
    assert "rejected raw-data/orders/orders.csv: 1 of 201 records break record|field_count (1)" in made.out
    assert Path("shop/takings.toml").exists()


def test_a_shopify_export_is_recognised(takings: Takings) -> None:
    """Its profile reads it; the KPIs are those of a store with that profile."""
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
    """Then only its files are taken."""
    refused = takings("adopt", *sample_files(), "--profile", "shopify")
    assert refused.code == 2
    assert refused.err == (
        "takings: products_part1.csv is no file of the profile 'shopify'. Leave --profile out, or name its own exports.\n"
    )
    unknown = takings("adopt", *sample_files(), "--profile", "magento")
    assert (unknown.code, "there is no profile 'magento'" in unknown.err) == (2, True)


def test_dates_and_times_apart_shares_and_other_files_are_understood(takings: Takings) -> None:
    """A date beside its time of day is one time; a discount of 0.15 is no amount; a file of nothing else is left out."""
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
    assert "'discount', which holds shares of the price and no amounts: nothing is taken off." in made.out
    assert "2 days from 2025-07-04 to 2025-07-25: 2 orders, 4 items, 35.00 revenue, 35.00 net" in made.out
    orders = Path("shop/contracts/orders.odcs.yaml").read_text()
    assert "value: {dateTime: [date, time]}" in orders
    assert 'logicalTypeOptions: {format: "dd/MM/yyyy HH:mm:ss"}' in orders
