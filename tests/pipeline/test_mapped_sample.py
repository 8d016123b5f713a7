"""The sample, as another shop would write it, has the same KPIs, byte for byte."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pytest

from takings.contracts.model import Dataset
from tests.mapped_contracts import Columns, write_contracts
from tests.shop import drop, new_store, published, run

SAMPLE: Final = Path(__file__).parents[2] / "sample"
TIME: Final = {"logicalTypeOptions": {"format": "d. MMM yyyy, h:mm:ss a", "defaultTimezone": "UTC"}}
TIMES: Final = ("created_at", "returned_at", "shipped_at", "delivered_at")
MONEY: Final = {"takingsCurrency": ["$", "USD"]}
FILE: Final = {"delimiter": ";", "encoding": "windows-1252", "decimal": ",", "thousands": ".", "nullWords": ["(null)"]}
#: the name of each column
NAMES: Final[Mapping[Dataset, Mapping[str, str]]] = {
    Dataset.PRODUCTS: {"id": "Artikel-Nr.", "cost": "EK", "retail_price": "VK brutto", "category": "Warengruppe"},
    Dataset.ORDERS: {
        "order_id": "Bestell Nr",
        "user_id": " Kunde ",
        "num_of_item": "Stück",
        "created_at": "Bestellt am",
    },
    Dataset.ORDER_ITEMS: {
        "id": "Position",
        "order_id": "Bestell Nr",
        "product_id": "Artikel-Nr.",
        "sale_price": "Preis",
    },
}
FOLDERS: Final = {Dataset.PRODUCTS: "products", Dataset.ORDERS: "orders", Dataset.ORDER_ITEMS: "order-items"}


def columns_of(dataset: Dataset, header: list[str]) -> Columns:
    """Return the keys of a dataset's columns."""
    columns: dict[str, dict[str, Any]] = {}
    for name in header:
        keys = columns.setdefault(name, {})
        if name in NAMES[dataset]:
            keys["physicalName"] = NAMES[dataset][name]
        if name in TIMES:
            keys.update(TIME)
        if name in ("cost", "retail_price", "sale_price"):
            keys.update(MONEY)
    return columns


def time(text: str) -> str:
    when = datetime.fromisoformat(text)
    return f"{when.day}. {when:%b %Y}, {when.hour % 12 or 12}:{when:%M:%S %p}"


def amount(text: str) -> str:
    whole, _, fraction = text.partition(".")
    return f"{int(whole):,}".replace(",", ".") + (f",{fraction} USD" if fraction else " USD")


def cell(name: str, text: str) -> str:
    """Write a field as the other shop does."""
    write: Callable[[str], str] = str
    if not text:
        return "(null)"
    if name in TIMES:
        write = time
    elif name in ("cost", "retail_price", "sale_price"):
        write = amount
    return write(text)


@pytest.mark.parametrize("engine", ["duckdb", "pandas"])
def test_the_sample_in_other_words_has_the_same_kpis(tmp_path: Path, engine: str) -> None:
    """Other header texts, dates, signs, null words, delimiter and encoding: the same numbers."""
    pytest.importorskip(f"takings.adapters.{engine}.validation", exc_type=ImportError)
    plain, root = new_store(tmp_path / "plain"), new_store(tmp_path / "mapped")
    changes: dict[Dataset, tuple[Columns, Mapping[str, Any] | None]] = {}
    for dataset in Dataset:
        (file,) = SAMPLE.glob(f"{dataset}_part*.csv")
        drop(plain, f"{FOLDERS[dataset]}/a.csv", file.read_bytes())
        header, *rows = list(csv.reader(io.StringIO(file.read_text(encoding="utf-8"))))
        changes[dataset] = (columns_of(dataset, header), FILE)
        text = io.StringIO()
        writer = csv.writer(text, delimiter=";")
        writer.writerow([NAMES[dataset].get(name, name) for name in header])
        writer.writerows([cell(name, field) for name, field in zip(header, row, strict=True)] for row in rows)
        drop(root, f"{FOLDERS[dataset]}/a.csv", text.getvalue().encode("windows-1252"))
    contracts = str(write_contracts(tmp_path / "contracts", changes))

    run(plain, validation_engine=engine)
    run(root, validation_engine=engine, contracts=contracts)

    by_day, by_category = published(plain)
    assert len(by_day.splitlines()) == 8
    assert published(root, contracts=contracts) == (by_day, by_category)
