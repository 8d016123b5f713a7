"""The shipped contracts, written out: users and KPIs rely on what they say."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from takings.contracts import (
    ColumnType,
    Compared,
    Contracts,
    Dataset,
    InDataset,
    Now,
    Operator,
    OtherColumn,
    PresentWhen,
    Rule,
    Severity,
    StartOfDay,
    load_contracts,
)

IDENTIFIER, INTEGER, MONEY = ColumnType.IDENTIFIER, ColumnType.INTEGER, ColumnType.MONEY
TEXT, TIMESTAMP = ColumnType.TEXT, ColumnType.TIMESTAMP

STATUSES = {
    "processing": "processing",
    "shipped": "shipped",
    "delivered": "delivered",
    "complete": "complete",
    "completed": "complete",
    "returned": "returned",
    "cancelled": "cancelled",
    "canceled": "cancelled",
}

#: name, type, whether the header must have it, whether it must not be empty
COLUMNS = {
    Dataset.PRODUCTS: [
        ("id", IDENTIFIER, True, True),
        ("sku", TEXT, True, True),
        ("cost", MONEY, True, True),
        ("category", TEXT, True, True),
        ("name", TEXT, True, False),
        ("brand", TEXT, True, False),
        ("retail_price", MONEY, True, True),
        ("department", TEXT, True, True),
    ],
    Dataset.ORDERS: [
        ("order_id", IDENTIFIER, True, True),
        ("user_id", IDENTIFIER, True, True),
        ("status", TEXT, True, True),
        ("created_at", TIMESTAMP, True, True),
        ("returned_at", TIMESTAMP, False, False),
        ("shipped_at", TIMESTAMP, False, False),
        ("delivered_at", TIMESTAMP, False, False),
        ("num_of_item", INTEGER, True, True),
    ],
    Dataset.ORDER_ITEMS: [
        ("id", IDENTIFIER, True, True),
        ("order_id", IDENTIFIER, True, True),
        ("product_id", IDENTIFIER, True, True),
        ("user_id", IDENTIFIER, True, True),
        ("status", TEXT, True, True),
        ("sale_price", MONEY, True, True),
        ("created_at", TIMESTAMP, False, False),
        ("shipped_at", TIMESTAMP, False, False),
        ("delivered_at", TIMESTAMP, False, False),
        ("returned_at", TIMESTAMP, False, False),
    ],
}

RULES = {
    Dataset.PRODUCTS: """
        id|required id|type id|unique
        sku|required sku|type
        cost|required cost|type cost|greater_than
        category|required category|type
        name|type
        brand|type
        retail_price|required retail_price|type retail_price|greater_than
        department|required department|type
        cost|at_most_retail_price
    """,
    Dataset.ORDERS: """
        order_id|required order_id|type order_id|unique
        user_id|required user_id|type
        status|required status|type status|one_of
        created_at|required created_at|type
        returned_at|type
        shipped_at|type
        delivered_at|type
        num_of_item|required num_of_item|type num_of_item|at_least
        created_at|not_in_future created_at|not_before_2000
        returned_at|not_in_future returned_at|present_when_returned
        shipped_at|not_in_future
        delivered_at|not_in_future
    """,
    Dataset.ORDER_ITEMS: """
        id|required id|type id|unique
        order_id|required order_id|type order_id|in_orders
        product_id|required product_id|type product_id|in_products
        user_id|required user_id|type
        status|required status|type status|one_of
        sale_price|required sale_price|type sale_price|greater_than
        created_at|type
        shipped_at|type
        delivered_at|type
        returned_at|type
    """,
}

ZERO = Compared(operator=Operator.GREATER, bound=Decimal(0))
NOT_AFTER_NOW = Compared(operator=Operator.AT_MOST, bound=Now())
ERROR, WARNING = Severity.ERROR, Severity.WARNING

#: every check with more than a kind, with severity and demand
CHECKS = {
    (Dataset.PRODUCTS, "cost|greater_than"): (ERROR, ZERO, "must be greater than 0"),
    (Dataset.PRODUCTS, "retail_price|greater_than"): (ERROR, ZERO, "must be greater than 0"),
    (Dataset.PRODUCTS, "cost|at_most_retail_price"): (
        ERROR,
        Compared(operator=Operator.AT_MOST, bound=OtherColumn(name="retail_price")),
        "must be at most retail_price",
    ),
    (Dataset.ORDERS, "num_of_item|at_least"): (
        ERROR,
        Compared(operator=Operator.AT_LEAST, bound=Decimal(1)),
        "must be at least 1",
    ),
    (Dataset.ORDERS, "created_at|not_in_future"): (
        ERROR,
        Compared(operator=Operator.AT_MOST, bound=Now(plus=timedelta(minutes=5))),
        "must not be after now + 5 minutes",
    ),
    (Dataset.ORDERS, "created_at|not_before_2000"): (
        WARNING,
        Compared(operator=Operator.AT_LEAST, bound=StartOfDay(day=date(2000, 1, 1))),
        "must not be before 2000-01-01",
    ),
    (Dataset.ORDERS, "returned_at|not_in_future"): (WARNING, NOT_AFTER_NOW, "must not be after now"),
    (Dataset.ORDERS, "shipped_at|not_in_future"): (WARNING, NOT_AFTER_NOW, "must not be after now"),
    (Dataset.ORDERS, "delivered_at|not_in_future"): (WARNING, NOT_AFTER_NOW, "must not be after now"),
    (Dataset.ORDERS, "returned_at|present_when_returned"): (
        WARNING,
        PresentWhen(column="status", value="returned"),
        "must not be empty when status is returned",
    ),
    (Dataset.ORDER_ITEMS, "order_id|in_orders"): (
        ERROR,
        InDataset(dataset=Dataset.ORDERS, column="order_id"),
        "must be the order_id of a row in orders",
    ),
    (Dataset.ORDER_ITEMS, "product_id|in_products"): (
        ERROR,
        InDataset(dataset=Dataset.PRODUCTS, column="id"),
        "must be the id of a row in products",
    ),
    (Dataset.ORDER_ITEMS, "sale_price|greater_than"): (ERROR, ZERO, "must be greater than 0"),
}


@pytest.fixture(scope="module")
def shipped() -> Contracts:
    return load_contracts()


@pytest.mark.parametrize("dataset", list(Dataset))
def test_each_dataset_has_its_columns_in_the_lakes_order(shipped: Contracts, dataset: Dataset) -> None:
    """The header must have mandatory columns; of these, only name and brand may be empty."""
    columns = shipped[dataset].columns
    assert [(one.name, one.type, one.is_mandatory, one.is_required) for one in columns] == COLUMNS[dataset]


@pytest.mark.parametrize("dataset", list(Dataset))
def test_each_dataset_has_its_rules_in_the_order_of_a_rows_bits(shipped: Contracts, dataset: Dataset) -> None:
    """The standard's rules come column by column, then row expressions in the order of the file."""
    assert [rule.id for rule in shipped[dataset].rules] == RULES[dataset].split()


def test_the_checks_demand_what_they_should(shipped: Contracts) -> None:
    """Bounds, keys and severities are exact; only oddities found in real drops are warnings."""
    kinds = {"required", "type", "one_of", "unique"}
    found: dict[tuple[Dataset, str], tuple[Severity, object, str]] = {
        (contract.dataset, rule.id): (rule.severity, rule.check, rule.demand)
        for contract in shipped.by_dataset.values()
        for rule in contract.rules
        if rule.kind not in kinds
    }
    assert found == CHECKS


def test_rules_that_follow_from_a_columns_type_are_errors(shipped: Contracts) -> None:
    """An empty, unreadable, unknown or repeated value refuses the row."""
    rules: list[Rule] = [rule for contract in shipped.by_dataset.values() for rule in contract.rules]
    assert {rule.severity for rule in rules if rule.kind in {"required", "type", "one_of", "unique"}} == {ERROR}


def test_statuses_are_the_only_lists_of_values(shipped: Contracts) -> None:
    """Both spellings of complete and cancelled are stored as one."""
    lists = {
        (contract.dataset, column.name): column.values
        for contract in shipped.by_dataset.values()
        for column in contract.columns
        if column.values is not None
    }
    assert lists == {(Dataset.ORDERS, "status"): STATUSES, (Dataset.ORDER_ITEMS, "status"): STATUSES}


def test_each_dataset_has_one_primary_key(shipped: Contracts) -> None:
    """The lake keeps one row for each of these."""
    assert {dataset: contract.primary_key for dataset, contract in shipped.by_dataset.items()} == {
        Dataset.PRODUCTS: "id",
        Dataset.ORDERS: "order_id",
        Dataset.ORDER_ITEMS: "id",
    }


def test_a_reader_finds_a_word_about_every_column(shipped: Contracts) -> None:
    """Each column has a description for people."""
    nameless = [
        column.name for contract in shipped.by_dataset.values() for column in contract.columns if not column.description
    ]
    assert nameless == []


def test_every_rule_reads_as_a_sentence(shipped: Contracts) -> None:
    """Column and demand together tell somebody at 3 a.m. what is wrong."""
    contract = shipped[Dataset.ORDERS]
    assert [f"{rule.column} {rule.demand}" for rule in contract.rules if rule.column in ("order_id", "status")] == [
        "order_id must not be empty",
        "order_id must be digits without sign or leading zeros, at most 9223372036854775807",
        "order_id must be unique",
        "status must not be empty",
        "status must be at most 1,024 bytes of text",
        "status must be one of processing, shipped, delivered, complete, completed, returned, cancelled, canceled",
    ]
