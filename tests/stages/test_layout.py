"""Where things are in a store, and what a key under raw-data/ is."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from takings import layout
from takings.contracts.datasets import SourceName
from takings.contracts.model import Dataset
from takings.layout import BatchId, Drop, Ignored, format_instant, parse_instant, read_raw_key

BATCH = BatchId("20250330T120000000000Z-ab12")
NO_DATASET = "it is in none of raw-data/products, raw-data/orders and raw-data/order-items"
BAD_NAME = "its name has an empty, '.', '..', backslash or NUL part"
BAD_SUFFIX = "its name ends in neither .csv nor .csv.gz"


@pytest.mark.parametrize(
    ("key", "dataset", "file"),
    [
        ("raw-data/products/a.csv", Dataset.PRODUCTS, "a.csv"),
        ("raw-data/orders/2025/03/a.csv.gz", Dataset.ORDERS, "2025/03/a.csv.gz"),
        ("raw-data/order-items/A.CSV", Dataset.ORDER_ITEMS, "A.CSV"),
        ("raw-data/order_items/ä b+c%20.csv", Dataset.ORDER_ITEMS, "ä b+c%20.csv"),
    ],
)
def test_a_csv_file_under_a_datasets_prefix_is_a_drop(key: str, dataset: Dataset, file: str) -> None:
    """The name is taken byte for byte; folders are part of it."""
    assert read_raw_key(key) == Drop(dataset=dataset, file=file)


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("raw-data/a.csv", NO_DATASET),
        ("raw-data/customers/a.csv", NO_DATASET),
        ("raw-data/Orders/a.csv", NO_DATASET),
        ("orders/a.csv", NO_DATASET),
        ("raw-data/orders/", "it is a folder marker"),
        ("raw-data/orders/2025/", "it is a folder marker"),
        ("raw-data/orders/../a.csv", BAD_NAME),
        ("raw-data/orders/./a.csv", BAD_NAME),
        ("raw-data/orders//a.csv", BAD_NAME),
        ("raw-data/orders/a\\b.csv", BAD_NAME),
        ("raw-data/orders/a\0.csv", BAD_NAME),
        ("raw-data/orders/.a.csv", "it is hidden"),
        ("raw-data/orders/.old/a.csv", "it is hidden"),
        ("raw-data/orders/a.csv.tmp", BAD_SUFFIX),
        ("raw-data/orders/a.csv.part", BAD_SUFFIX),
        ("raw-data/orders/csv", BAD_SUFFIX),
    ],
)
def test_anything_else_is_left_alone_with_a_reason(key: str, reason: str) -> None:
    """Markers, hidden and unfinished files, and names that could lead elsewhere are no drops."""
    assert read_raw_key(key) == Ignored(reason=reason)


TILL = SourceName("till")


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("raw-data/Till exports/a.csv", Drop(dataset=TILL, file="a.csv")),
        ("raw-data/Till exports/2025/a b.csv.gz", Drop(dataset=TILL, file="2025/a b.csv.gz")),
        ("raw-data/orders/a.csv", Drop(dataset=Dataset.ORDERS, file="a.csv")),
        (
            "raw-data/till/a.csv",
            Ignored(reason=f"it is in none of raw-data/Till exports, {NO_DATASET.removeprefix('it is in none of ')}"),
        ),
        ("raw-data/Till exports/a.txt", Ignored(reason=BAD_SUFFIX)),
        ("raw-data/Till exports/../a.csv", Ignored(reason=BAD_NAME)),
    ],
)
def test_a_source_has_a_folder_of_its_own(key: str, found: Drop | Ignored) -> None:
    """Everything about a dataset's files applies to its files."""
    assert read_raw_key(key, {"Till exports": TILL}) == found


def test_what_was_made_of_a_sources_file_is_reported_below_it() -> None:
    """No drop has a folder named like a file, so the keys of two files never collide."""
    key = layout.chunk_report(BATCH, TILL, "may/a.csv", 3, Dataset.ORDERS)
    assert key == f"validation-reports/{BATCH}/till/may/a.csv/orders/chunk-00003.json"
    assert layout.read_chunk_key(key) == ("till", "may/a.csv", Dataset.ORDERS)
    own = layout.chunk_report(BATCH, TILL, "may/a.csv", 0)
    assert layout.read_chunk_key(own) == ("till", "may/a.csv", None)
    usual = layout.chunk_report(BATCH, Dataset.ORDERS, "orders/a.csv", 0)
    assert layout.read_chunk_key(usual) == ("orders", "orders/a.csv", None)


def test_the_key_of_a_refused_file_of_a_source_is_found_again() -> None:
    """By the source's present folder; for a removed source, no key is known."""
    key = layout.failed(date(2025, 3, 30), BATCH, TILL, "may/a.csv")
    assert layout.read_failed_key(key, {"Till exports": TILL}) == (BATCH, ("raw-data/Till exports/may/a.csv",))
    assert layout.read_failed_key(key) == (BATCH, ())


def test_both_spellings_of_order_items_have_one_name() -> None:
    """So the two never share a batch: they would be archived under one key."""
    assert read_raw_key("raw-data/order-items/a.csv") == read_raw_key("raw-data/order_items/a.csv")


def test_batch_ids_sort_by_time() -> None:
    """The token keeps two instances apart, but never outweighs a microsecond."""
    noon = datetime(2025, 3, 30, 14, tzinfo=timezone(timedelta(hours=2)))
    assert layout.new_batch_id(noon, "ab12") == BATCH
    assert layout.new_batch_id(noon, "ffff") < layout.new_batch_id(noon + timedelta(microseconds=1), "0000")


def test_every_key_of_a_store_stands_here() -> None:
    """Users and other tools rely on these keys."""
    day, file = date(2025, 3, 30), "2025/a.csv"
    assert [
        layout.manifest(BATCH),
        layout.verdicts(BATCH),
        layout.affected(BATCH),
        layout.outcome(BATCH),
        layout.chunk_report(BATCH, Dataset.ORDERS, file, 7),
        layout.file_report(BATCH, Dataset.ORDERS, file),
        layout.staging(BATCH),
        layout.quarantined(BATCH, Dataset.ORDER_ITEMS, file),
        layout.processed(day, BATCH, Dataset.ORDER_ITEMS, file),
        layout.failed(day, BATCH, Dataset.PRODUCTS, file),
        layout.table(Dataset.ORDER_ITEMS),
        layout.commit(12),
    ] == [
        f"batches/{BATCH}/manifest.json",
        f"batches/{BATCH}/verdicts.json",
        f"batches/{BATCH}/affected.json",
        f"batches/{BATCH}/outcome.json",
        f"validation-reports/{BATCH}/orders/2025/a.csv/chunk-00007.json",
        f"validation-reports/{BATCH}/orders/2025/a.csv/summary.json",
        f"staging/{BATCH}/",
        f"quarantine/{BATCH}/order_items/2025/a.csv",
        f"processed/2025/03/30/{BATCH}/order_items/2025/a.csv",
        f"failed/2025/03/30/{BATCH}/products/2025/a.csv",
        "lake/order_items",
        "lake/commits/12.json",
    ]


def test_instants_are_written_in_utc_with_microseconds() -> None:
    """They have the same form everywhere, so texts compare like instants."""
    berlin = datetime(2025, 3, 30, 14, tzinfo=timezone(timedelta(hours=2)))
    assert format_instant(berlin) == "2025-03-30T12:00:00.000000Z"
    assert parse_instant("2025-03-30T12:00:00.000000Z") == berlin
    assert parse_instant("2025-03-30T14:00:00+02:00").tzinfo is UTC


def test_an_instant_without_an_offset_is_refused() -> None:
    """A naive time is ambiguous."""
    with pytest.raises(ValueError, match=r"'2025-03-30T12:00:00' has no offset from UTC"):
        parse_instant("2025-03-30T12:00:00")
