"""List the ways in which a generated record can be wrong; each breaks that record and leaves its neighbours whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from takings.contracts.model import Dataset

#: column -> the field's bytes in the file, with their quotes
Record: TypeAlias = dict[str, bytes]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One way to be wrong."""

    name: str
    #: (record, previous record) -> what to write instead
    change: Callable[[Record, Record], Record]
    #: how many records it makes invalid: two where it also damages the previous record
    records: int = 1


def _field(name: str, column: str, text: bytes) -> Fault:
    return Fault(name=name, change=lambda record, before: {**record, column: text})


def _structural(text_column: str) -> tuple[Fault, ...]:
    return (
        Fault(name="short_row", change=lambda record, before: dict(list(record.items())[:-1])),
        Fault(name="long_row", change=lambda record, before: {**record, "surplus": b"surplus"}),
        _field("stray_quote", text_column, b'deli"vered'),
        _field("stray_quotes_around_comma", text_column, b'x"hello, y"'),
        _field("text_after_quote", text_column, b'"deli"vered'),
        _field("nul_byte", text_column, b"deli\x00vered"),
        _field("invalid_utf8", text_column, b"deli\xffvered"),
        _field("empty_required", text_column, b""),
        _field("blank_required", text_column, b"   "),
    )


def _key(column: str, number_column: str) -> tuple[Fault, ...]:
    def twice(record: Record, before: Record) -> Record:
        return {**before, number_column: b"1" + before[number_column]}

    return (
        Fault(name="duplicate_key", change=twice, records=2),
        _field("empty_key", column, b""),
        _field("key_with_leading_zeros", column, b"007"),
        _field("key_beyond_64_bits", column, b"9223372036854775808"),
        _field("negative_key", column, b"-7"),
        _field("key_with_letters", column, b"A17"),
    )


def _money(column: str) -> tuple[Fault, ...]:
    return (
        _field(f"negative_{column}", column, b"-4.20"),
        _field(f"zero_{column}", column, b"0.00"),
        _field(f"empty_{column}", column, b""),
        _field(f"decimal_comma_{column}", column, b'"1,5"'),
        _field(f"exponent_{column}", column, b"1e3"),
        _field(f"padded_{column}", column, b" 7 "),
        _field(f"nan_{column}", column, b"NaN"),
        _field(f"hexadecimal_{column}", column, b"0x10"),
        _field(f"underscored_{column}", column, b"1_000"),
        _field(f"too_many_decimals_{column}", column, b"1.12345678901234567"),
        _field(f"too_large_{column}", column, b"1234567890123.00"),
    )


_COST_ABOVE_RETAIL = Fault(
    name="cost_above_retail", change=lambda record, before: {**record, "cost": b"9" + record["retail_price"]}
)

FAULTS: Mapping[Dataset, tuple[Fault, ...]] = {
    Dataset.PRODUCTS: (
        *_structural("sku"),
        *_key("id", "retail_price"),
        *_money("cost"),
        *_money("retail_price"),
        _COST_ABOVE_RETAIL,
        _field("text_too_long", "name", "é".encode() * 513),
        _field("empty_category", "category", b""),
        _field("empty_department", "department", b'""'),
    ),
    Dataset.ORDERS: (
        *_structural("status"),
        *_key("order_id", "num_of_item"),
        _field("unknown_status", "status", b"lost"),
        _field("empty_user", "user_id", b""),
        _field("unreadable_created_at", "created_at", b"31/12/2024 10:00"),
        _field("impossible_created_at", "created_at", b"2025-02-30T10:00:00"),
        _field("future_created_at", "created_at", b"2999-01-01T00:00:00"),
        _field("empty_created_at", "created_at", b""),
        _field("unreadable_shipped_at", "shipped_at", b"soon"),
        _field("no_items", "num_of_item", b"0"),
        _field("negative_items", "num_of_item", b"-3"),
        _field("fraction_of_items", "num_of_item", b"1.5"),
    ),
    Dataset.ORDER_ITEMS: (
        *_structural("status"),
        *_key("id", "sale_price"),
        *_money("sale_price"),
        _field("unknown_status", "status", b"lost"),
        _field("empty_order", "order_id", b""),
        _field("empty_product", "product_id", b""),
        _field("empty_user", "user_id", b""),
        _field("unreadable_created_at", "created_at", b"yesterday"),
    ),
}
