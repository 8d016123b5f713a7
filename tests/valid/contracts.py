"""Draw contracts that the loader accepts: every type, bound and option, and column names of every kind."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from hypothesis import strategies as st

#: names that a database, a file reader or Takings itself might mistake for something else
NAMES: Final = (
    *(
        "r0",
        "R1",
        "r2_number",
        "r3_cents",
        "r1_utc_clock",
        "r1_wall_clock",
        "r0_offset",
        "file_index",
    ),
    *("select", "order", "group", "value", "key", "content", "is_identical", "place", "rowid", "new_day", "old_day"),
    *("customers", "orders", "products", "order_items", "typed", "checked", "struct", "item_count", "Category", "line"),
    *("unique_mask", "is_duplicate", "i", "o", "p", "s", "c", "counted_as", "batch_id", "X" * 63),
)
#: role -> the logical type of its column
ROLES: Final = {"quantity": "integer", "discount": "number", "refund": "number"}
#: text, for any pattern or list of values
_OPTIONS: Final[tuple[dict[str, Any], ...]] = ({}, {}, {"maxLength": 3}, {"pattern": "[A-Z0-9]{2,5}|ä"})


@dataclass(frozen=True, kw_only=True)
class ColumnSpec:
    """A column of a contract, and its possible values."""

    name: str
    #: integer, number, timestamp or string
    logical: str
    is_identifier: bool = False
    is_key: bool = False
    parent: str | None = None
    is_required: bool = False
    #: None lets the loader decide
    is_mandatory: bool | None = None
    is_unique: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    #: spelling -> the stored value
    values: dict[str, str] | None = None
    #: a time is not after the batch's
    is_past: bool = False
    #: an unreadable or empty value is only a warning
    is_loose: bool = False
    #: quantity, discount or refund
    role: str | None = None

    def property(self) -> dict[str, Any]:
        """Return the column in the standard's form."""
        custom: list[dict[str, Any]] = []
        if self.is_identifier and not self.is_key and self.parent is None:
            custom.append({"property": "takingsIdentifier", "value": True})
        if self.role is not None:
            custom.append({"property": "takingsRole", "value": self.role})
        if self.is_mandatory is not None:
            custom.append({"property": "takingsMandatory", "value": self.is_mandatory})
        if self.is_loose:
            kinds = ["type", *(["required"] if self.is_required else [])]
            custom.append({"property": "takingsWarnings", "value": kinds})
        found: dict[str, Any] = {"name": self.name, "logicalType": self.logical, "required": self.is_required}
        found |= {"primaryKey": True} if self.is_key else {}
        found |= {"unique": True} if self.is_unique else {}
        found |= {"relationships": [{"to": self.parent}]} if self.parent else {}
        found |= {"logicalTypeOptions": self.options} if self.options else {}
        found |= {"customProperties": custom} if custom else {}
        if self.values is not None:
            found["enum"] = [_enum_value(spelling, stored) for spelling, stored in self.values.items()]
        if self.is_past:
            rule = {"property": "takingsRule", "value": {"atMost": {"now": "0s"}}}
            found["quality"] = [{"type": "text", "customProperties": [rule]}]
        return found


def _enum_value(spelling: str, stored: str) -> dict[str, Any]:
    custom = [{"property": "takingsStoredAs", "value": stored}]
    return {"value": spelling} | ({} if spelling == stored else {"customProperties": custom})


@dataclass(frozen=True, kw_only=True)
class ContractSpec:
    """The columns of the three contracts."""

    products: tuple[ColumnSpec, ...]
    orders: tuple[ColumnSpec, ...]
    order_items: tuple[ColumnSpec, ...]
    #: dataset -> the column whose instant decides which row is newer
    versions: dict[str, str] = field(default_factory=dict)
    #: the lines of an order replace each other together
    replaces: bool = False

    @property
    def by_dataset(self) -> dict[str, tuple[ColumnSpec, ...]]:
        """Return the columns of each dataset."""
        return {"products": self.products, "orders": self.orders, "order_items": self.order_items}

    def _table(self, dataset: str) -> dict[str, Any]:
        """Return the table in the standard's form."""
        custom = [{"property": "takingsVersion", "value": self.versions[dataset]}] if dataset in self.versions else []
        if self.replaces and dataset == "order_items":
            custom.append({"property": "takingsReplaces", "value": "order_id"})
        columns = [column.property() for column in self.by_dataset[dataset]]
        return {"name": dataset, "properties": columns} | ({"customProperties": custom} if custom else {})

    def write(self, folder: Path) -> str:
        """Write the contracts into a new folder and return it."""
        folder.mkdir()
        for dataset in self.by_dataset:
            document = {
                "apiVersion": "v3.2.0",
                "kind": "DataContract",
                "id": f"valid-{dataset}",
                "version": "1.0.0",
                "schema": [self._table(dataset)],
            }
            text = json.dumps(document, ensure_ascii=False)
            (folder / f"{dataset}.odcs.yaml").write_text(text, encoding="utf-8")
        return str(folder)


_STATUSES: Final = st.sampled_from(
    [
        {"returned": "returned", "cancelled": "cancelled"},
        {"shipped": "shipped", "Geliefert": "Geliefert", "returned": "returned", "cancelled": "cancelled"},
        {"paid": "paid", "zurück": "returned", "RMA": "returned", "void": "cancelled"}
        | {"returned": "returned", "cancelled": "cancelled"},
    ]
)
_PRICES: Final = st.sampled_from(
    [
        {},
        {"minimum": -5},
        {"maximum": 0},
        {"exclusiveMaximum": 0},
        {"exclusiveMinimum": 0},
        {"minimum": 0},
        {"minimum": -1, "maximum": 1},
    ]
)


@st.composite
def columns(draw: st.DrawFn, name: str) -> ColumnSpec:
    """Draw a column that the KPIs do not need."""
    logical = draw(st.sampled_from(["integer", "number", "timestamp", "string", "string"]))
    spec = ColumnSpec(
        name=name,
        logical=logical,
        is_identifier=logical == "integer" and draw(st.booleans()),
        is_required=draw(st.booleans()),
        is_mandatory=draw(st.sampled_from([None, True, False])),
        is_unique=draw(st.sampled_from([False, False, True])),
        is_past=logical == "timestamp" and draw(st.booleans()),
        is_loose=draw(st.sampled_from([False, False, True])),
    )
    if logical == "number":
        return replace(spec, options=draw(_PRICES))
    if logical == "string" and draw(st.booleans()) and not spec.is_unique:
        return replace(spec, values=draw(_STATUSES))
    return replace(spec, options=draw(st.sampled_from(_OPTIONS))) if logical == "string" else spec


@st.composite
def contracts(draw: st.DrawFn) -> ContractSpec:
    """Draw three contracts that fit together; the columns that the KPIs need are among others, in any order."""
    ids = st.sampled_from(["integer", "string"])
    product_id, order_id, item_id, user_id = draw(ids), draw(ids), draw(ids), draw(ids)
    user = ColumnSpec(
        name="user_id", logical=user_id, is_identifier=user_id == "integer" and draw(st.booleans()), is_required=True
    )
    created_at = ColumnSpec(name="created_at", logical="timestamp", is_required=True, is_past=draw(st.booleans()))
    status = ColumnSpec(name="status", logical="string", is_required=True)
    price = ColumnSpec(name="sale_price", logical="number", is_required=True, options=draw(_PRICES))
    category = ColumnSpec(name="category", logical="string", is_required=True)
    if draw(st.booleans()):
        category = replace(category, values={"books": "Books", "Books & more": "Books & more", "Spiele": "Spiele"})
        category = replace(category, values={"Books": "Books", "tomes": "Books", "Spiele": "Spiele"})

    def key(name: str, logical: str) -> ColumnSpec:
        return ColumnSpec(name=name, logical=logical, is_identifier=logical == "integer", is_key=True, is_required=True)

    def parent(name: str, logical: str, of: str) -> ColumnSpec:
        return ColumnSpec(name=name, logical=logical, is_identifier=logical == "integer", parent=of, is_required=True)

    needed = {
        "products": [key("id", product_id), category],
        "orders": [key("order_id", order_id), user, replace(status, values=draw(_STATUSES)), created_at],
        "order_items": [
            *(key("id", item_id), parent("order_id", order_id, "orders.order_id")),
            *(parent("product_id", product_id, "products.id"), replace(status, values=draw(_STATUSES)), price),
            ColumnSpec(name="returned_at", logical="timestamp", is_required=draw(st.booleans())),
        ],
    }
    if draw(st.booleans()):
        needed["order_items"] = draw(items_of_other_worth(needed["order_items"]))
    made: dict[str, tuple[ColumnSpec, ...]] = {}
    versions: dict[str, str] = {}
    for dataset, each in needed.items():
        taken = {column.name.lower() for column in each}
        more = draw(st.lists(st.sampled_from(NAMES), max_size=4, unique_by=str.lower))
        extra = [draw(columns(name)) for name in more if name.lower() not in taken]
        has_instant = draw(st.booleans())
        if extra and has_instant:
            # The column of the shop's instant may have any name.
            extra[0] = ColumnSpec(name=extra[0].name, logical="timestamp", is_required=True, is_past=True)
            versions[dataset] = extra[0].name
        made[dataset] = tuple(draw(st.permutations([*each, *extra])))
    replaces = draw(st.booleans())
    return ContractSpec(**made, versions=versions, replaces=replaces)


@st.composite
def items_of_other_worth(draw: st.DrawFn, usual: list[ColumnSpec]) -> list[ColumnSpec]:
    """Draw columns with roles, whatever their names, and items that may have their order's status."""
    roles = draw(st.lists(st.sampled_from(sorted(ROLES)), unique=True))
    names = draw(st.lists(st.sampled_from(NAMES), min_size=3, max_size=3, unique_by=str.lower))
    options: dict[str, dict[str, Any]] = {"quantity": {}, "discount": {"maximum": 100}, "refund": {}}
    columns = {column.name: column for column in usual}
    for role, name in zip(roles, names, strict=False):
        columns[name] = ColumnSpec(name=name, logical=ROLES[role], role=role, options=options[role])
    # So that the amount has at most 12 digits, for any quantity.
    columns["sale_price"] = replace(columns["sale_price"], options={"minimum": -1, "maximum": 1})
    if draw(st.booleans()):
        columns["status"] = replace(columns["status"], is_required=False)
    elif draw(st.booleans()):
        del columns["status"]
        if draw(st.booleans()):
            del columns["returned_at"]
    return list(columns.values())


def bounds(options: dict[str, Any]) -> tuple[Decimal, Decimal]:
    """Return the smallest and the largest amount that a column's options allow, to the last digit."""
    least, digit = Decimal("999999999999.9999999999999999"), Decimal("0.0000000000000001")
    low = max(Decimal(options.get("minimum", -least)), Decimal(options.get("exclusiveMinimum", -least - 1)) + digit)
    high = min(Decimal(options.get("maximum", least)), Decimal(options.get("exclusiveMaximum", least + 1)) - digit)
    return low, high
