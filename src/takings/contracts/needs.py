"""Check that a contract has the columns that the KPIs need: it may have more than these, never fewer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from takings.contracts.columns import TARGETS, ReadColumn
from takings.contracts.model import ColumnType, Dataset, Severity
from takings.contracts.worth import Role
from takings.contracts.yaml_nodes import Entry, nearest


@dataclass(frozen=True, kw_only=True)
class Need:
    """What the lake and the KPIs assume about a column."""

    column: str
    types: tuple[ColumnType, ...]
    is_key: bool = False
    #: never empty, because only then does every row count
    is_filled: bool = True
    parent: Dataset | None = None
    #: what must be among the stored values
    stored: tuple[str, ...] = ()
    #: rules that must be errors
    errors: tuple[str, ...] = ("required", "type", "unique")


_ID = (ColumnType.IDENTIFIER, ColumnType.TEXT)
_STATUS = Need(column="status", types=(ColumnType.TEXT,), stored=("returned", "cancelled"))
#: an item without a status has its order's
_STATUS_OF_ITEM = replace(_STATUS, is_filled=False, errors=("type",))

NEEDS: Mapping[Dataset, tuple[Need, ...]] = {
    Dataset.PRODUCTS: (
        Need(column="id", types=_ID, is_key=True),
        Need(column="category", types=(ColumnType.TEXT,)),
    ),
    Dataset.ORDERS: (
        Need(column="order_id", types=_ID, is_key=True),
        Need(column="user_id", types=(ColumnType.IDENTIFIER, ColumnType.TEXT, ColumnType.INTEGER)),
        _STATUS,
        Need(column="created_at", types=(ColumnType.TIMESTAMP,)),
    ),
    Dataset.ORDER_ITEMS: (
        Need(column="id", types=_ID, is_key=True),
        Need(column="order_id", types=_ID, parent=Dataset.ORDERS),
        Need(column="product_id", types=_ID, parent=Dataset.PRODUCTS),
        _STATUS_OF_ITEM,
        Need(column="sale_price", types=(ColumnType.MONEY,)),
        Need(column="returned_at", types=(ColumnType.TIMESTAMP,), is_filled=False, errors=()),
    ),
}


def check_needs(dataset: Dataset, columns: Mapping[str, ReadColumn], place: Entry) -> None:
    """Raise ContractError for the first thing that the KPIs or the lake would lack; `place` is the table's."""
    for need in NEEDS[dataset]:
        if need.column not in columns:
            near = [name for name in columns if name not in {other.column for other in NEEDS[dataset]}]
            if dataset is Dataset.ORDER_ITEMS and _may_be_absent(need.column, columns, near):
                continue
            raise place.error(
                f"the KPIs need the column '{need.column}' of {dataset}. Add it, with 'logicalType: {_logical(need)}'."
                f"{nearest(need.column, near)}"
            )
        _check_need(dataset, need, columns[need.column])
    expected = {need.column: need.parent for need in NEEDS[dataset]}
    for name, read in columns.items():
        if read.parent and expected.get(name) is not read.parent:
            raise read.place.error(f"'{name}' cannot refer to {read.parent}: {_WAITING}. Leave 'relationships' out.")


def _may_be_absent(column: str, columns: Mapping[str, ReadColumn], near: Sequence[str]) -> bool:
    """Return whether items do without a column: their order has a status too; a refund or a status shows a return."""
    if column == "returned_at":
        return "status" not in columns or any(read.column.role is Role.REFUND for read in columns.values())
    return column == "status" and not nearest(column, near)


_WAITING = "only order_items wait for a parent, by order_id and product_id"


def _check_need(dataset: Dataset, need: Need, read: ReadColumn) -> None:
    column, fault = read.column, read.place.error
    subject = f"the KPIs need '{column.name}' of {dataset}"
    if need.is_key and not read.is_key:
        raise fault(f"'{column.name}' must be the primary key of {dataset}. Write 'primaryKey: true'.")
    if need.parent and read.parent is not need.parent:
        target = next(target for target, (parent, _) in TARGETS.items() if parent is need.parent)
        raise fault(f"'{column.name}' must refer to {need.parent}. Add 'relationships: [{{to: {target}}}]'.")
    if column.type not in need.types:
        raise fault(
            f"{subject} as {' or '.join(need.types)}, not as {column.type}. Write 'logicalType: {_logical(need)}'."
        )
    if need.is_filled and not column.is_required:
        raise fault(f"{subject} in every row. Write 'required: true'.")
    if need.is_filled and not column.is_mandatory and column.default is None:
        raise fault(f"{subject} in every file. Leave 'takingsMandatory' out.")
    for value in need.stored:
        if value not in (column.values or {}).values():
            raise fault(f"{subject} to be stored as '{value}' for some spelling. Add 'enum: [{{value: {value}}}]'.")
    for rule in read.rules:
        if rule.kind in need.errors and rule.severity is Severity.WARNING:
            raise fault(
                f"{subject} right in every row: '{rule.id}' must be an error. Remove it from 'takingsWarnings'."
            )


def _logical(need: Need) -> str:
    names = {ColumnType.TEXT: "string", ColumnType.MONEY: "number", ColumnType.TIMESTAMP: "timestamp"}
    return names.get(need.types[0], "integer")
