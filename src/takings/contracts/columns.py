"""Read one property of an ODCS schema: the column, and the rules from the standard's own keys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from takings.contracts.checks import read_checks, read_values
from takings.contracts.custom import read_custom
from takings.contracts.file_format import USUAL, FileFormat
from takings.contracts.mapping import read_mapping
from takings.contracts.model import (
    Column,
    ColumnType,
    Dataset,
    InDataset,
    Rule,
    Severity,
)
from takings.contracts.rules import make_rule
from takings.contracts.yaml_nodes import Entry, suggestion

UNDERSTOOD = (
    *("name", "description", "logicalType", "logicalTypeOptions", "physicalType", "physicalName", "primaryKey"),
    *("primaryKeyPosition", "required", "unique", "enum", "relationships", "quality", "customProperties"),
)
DESCRIPTIVE = (
    *("id", "businessName", "deprecated", "synonyms", "semanticType", "authoritativeDefinitions", "tags", "examples"),
    *("partitioned", "partitionKeyPosition", "classification", "encryptedName", "criticalDataElement"),
    *("transformSourceObjects", "transformLogic", "transformDescription"),
)
TYPES = {
    "string": ColumnType.TEXT,
    "integer": ColumnType.INTEGER,
    "number": ColumnType.MONEY,
    "timestamp": ColumnType.TIMESTAMP,
    "date": ColumnType.TIMESTAMP,
}
PHYSICAL_TYPES: Mapping[ColumnType, tuple[str, ...]] = {
    ColumnType.IDENTIFIER: ("BIGINT",),
    ColumnType.INTEGER: ("BIGINT",),
    ColumnType.MONEY: ("DECIMAL(28,16)",),
    ColumnType.TIMESTAMP: ("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE"),
    ColumnType.TEXT: ("VARCHAR", "TEXT", "STRING"),
}
#: What a foreign key may refer to: the primary keys that order items wait for.
TARGETS = {"products.id": (Dataset.PRODUCTS, "id"), "orders.order_id": (Dataset.ORDERS, "order_id")}
#: columns that DuckDB adds to those of a Parquet file; a file's own column of that name would hide them
READERS_OWN = ("filename", "file_row_number")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")


@dataclass(frozen=True, kw_only=True)
class ReadColumn:
    """A column with its rules, and the places that later checks may have to name."""

    column: Column
    is_key: bool
    rules: tuple[Rule, ...]
    #: the dataset a foreign key refers to
    parent: Dataset | None
    #: the value of `quality`
    quality: Entry | None
    #: the value of `takingsRole`
    role: Entry | None
    #: the keys of the property
    keys: frozenset[str]
    place: Entry


def read_column(entry: Entry, file: FileFormat = USUAL) -> ReadColumn:
    """Return the column that a property describes; raise ContractError if it is not usable.

    `file` is how the dataset's files are written.
    """
    fields = entry.fields(UNDERSTOOD, DESCRIPTIVE)
    name = _name(entry, fields)
    place = replace(entry, line=fields["name"].line)
    custom = read_custom(fields.get("customProperties"), "a column")
    is_key, is_required, is_unique = _demands(fields)
    target = _target(fields["relationships"]) if "relationships" in fields else None
    column = Column(
        name=name,
        type=_type(place, fields, custom, is_reference=is_key or target is not None),
        is_mandatory=_is_mandatory(custom, is_required=is_required),
        is_required=is_required,
        values=read_values(fields["enum"]) if "enum" in fields else None,
        description=_description(fields),
    )
    _check_physical(column, fields)
    column = read_mapping(column, fields, custom, file)
    rules = [make_rule(column, check) for check in read_checks(column, fields, is_unique=is_unique, target=target)]
    return ReadColumn(
        column=column,
        is_key=is_key,
        rules=_with_warnings(rules, custom.get("takingsWarnings")),
        parent=target.dataset if target else None,
        quality=fields.get("quality"),
        role=custom.get("takingsRole"),
        keys=frozenset(fields),
        place=place,
    )


def _name(entry: Entry, fields: Mapping[str, Entry]) -> str:
    if "name" not in fields:
        raise entry.error("the column has no 'name'. Add one.")
    name = fields["name"].text()
    if name.startswith("_") or name.lower() == "order_date":
        raise fields["name"].error(
            f"the column name '{name}' is reserved: the lake has its own order_date and '_' columns. Rename it."
        )
    if name.lower() in READERS_OWN:
        raise fields["name"].error(
            f"the column name '{name}' is reserved: the reader of Parquet files has its own column of that name."
            " Leave the column out: it is then reported as extra and stays out of the lake."
        )
    if not _NAME.fullmatch(name):
        raise fields["name"].error(
            f"the column name '{name}' must be a letter followed by at most 62 letters, digits or '_'. Rename it."
        )
    return name


def _is_mandatory(custom: Mapping[str, Entry], *, is_required: bool) -> bool:
    """Return whether the header must have the column; a default replaces one that is missing."""
    if "takingsMandatory" in custom:
        return custom["takingsMandatory"].flag()
    return is_required and "takingsDefault" not in custom


def _demands(fields: Mapping[str, Entry]) -> tuple[bool, bool, bool]:
    """Return whether the column is the primary key, must not be empty, and must be unique; a key is all three."""
    flags = {key: fields[key].flag() for key in ("primaryKey", "required", "unique") if key in fields}
    is_key = flags.get("primaryKey", False)
    for key in ("required", "unique"):
        if is_key and not flags.get(key, True):
            raise fields[key].error(f"a primary key is never empty and never repeated. Write '{key}: true'.")
    if is_key and "primaryKeyPosition" in fields and fields["primaryKeyPosition"].whole() != 1:
        raise fields["primaryKeyPosition"].error("a primary key is one column. Write 'primaryKeyPosition: 1'.")
    return is_key, flags.get("required", is_key), flags.get("unique", is_key)


def _target(entry: Entry) -> InDataset:
    relationships = entry.entries("relationship")
    if len(relationships) != 1:
        raise entry.error("a column has one relationship. Keep one, or leave 'relationships' out.")
    fields = relationships[0].fields(("to", "type"), ("id", "customProperties", "description"))
    if "type" in fields and fields["type"].text() != "foreignKey":
        raise fields["type"].error("the relationship's 'type' must be 'foreignKey', the only one of the standard.")
    if "to" not in fields:
        raise relationships[0].error("the relationship has no 'to'. Add one, for example 'to: products.id'.")
    to = fields["to"].text()
    if to not in TARGETS:
        raise fields["to"].error(
            f"the foreign key refers to '{to}', which is not a primary key.{suggestion(to, TARGETS)}"
        )
    dataset, column = TARGETS[to]
    return InDataset(dataset=dataset, column=column)


def _type(place: Entry, fields: Mapping[str, Entry], custom: Mapping[str, Entry], *, is_reference: bool) -> ColumnType:
    if "logicalType" not in fields:
        raise place.error(f"the column '{fields['name'].text()}' has no 'logicalType'.{suggestion('', TYPES)}")
    logical = fields["logicalType"].text()
    if logical not in TYPES:
        raise fields["logicalType"].error(f"the logicalType '{logical}' cannot be used.{suggestion(logical, TYPES)}")
    marked = custom.get("takingsIdentifier")
    if marked and logical != "integer":
        raise marked.error("'takingsIdentifier' goes with 'logicalType: integer'. Leave it out: text is kept as it is.")
    if marked and is_reference and not marked.flag():
        raise marked.error("a primary or foreign key is always an identifier. Leave 'takingsIdentifier' out.")
    if is_reference and logical not in ("integer", "string"):
        raise fields["logicalType"].error(f"a key cannot be a {logical}. Write 'logicalType: integer' or 'string'.")
    is_identifier = logical == "integer" and (is_reference or (marked is not None and marked.flag()))
    return ColumnType.IDENTIFIER if is_identifier else TYPES[logical]


def _check_physical(column: Column, fields: Mapping[str, Entry]) -> None:
    written = fields.get("physicalType")
    usable = PHYSICAL_TYPES[column.type]
    if written and re.sub(r"\s*([(),])\s*", r"\1", written.text().strip().upper()) not in usable:
        raise written.error(
            f"'{column.name}' is stored as {usable[0]}, not as {written.text()}. "
            f"Write 'physicalType: {usable[0]}' or leave it out."
        )


def _description(fields: Mapping[str, Entry]) -> str:
    entry = fields.get("description")
    return entry.text().strip() if entry and not entry.is_nothing() else ""


def _with_warnings(rules: list[Rule], entry: Entry | None) -> tuple[Rule, ...]:
    """Return the rules, those named by `takingsWarnings` as warnings."""
    kinds = [rule.kind for rule in rules]
    lowered: set[str] = set()
    for item in entry.entries("rule kind") if entry else []:
        kind = item.text()
        if kind not in kinds:
            raise item.error(f"the column has no rule '{kind}'.{suggestion(kind, kinds)}")
        if kind == "one_of" or kind.startswith("in_"):
            raise item.error(f"'{kind}' is always an error: the lake would have no value to keep. Remove it here.")
        lowered.add(kind)
    return tuple(replace(rule, severity=Severity.WARNING) if rule.kind in lowered else rule for rule in rules)
