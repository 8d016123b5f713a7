"""Recognise contracts with the same meaning: one hash over what they demand, not over how they are written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import timedelta
from decimal import Decimal
from typing import Any, assert_never

from takings.contracts.file_format import USUAL, FileFormat
from takings.contracts.model import Check, Column, Contract, Dataset, Now, OtherColumn, Rule, StartOfDay
from takings.contracts.origins import ConstantPart, FieldPart, FolderPart, Origin, Part


def hash_of(contracts: Mapping[Dataset, Contract]) -> str:
    """Return SHA-256, in hex, over canonical JSON of columns, how files say them, and rules.

    It ignores what changes no verdict and no stored value: comments, layout, descriptions, versions, wording.
    """
    meaning = {str(dataset): _contract(contract) for dataset, contract in contracts.items()}
    canonical = json.dumps(meaning, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def _contract(contract: Contract) -> dict[str, Any]:
    return {
        "columns": [_column(column) for column in contract.columns],
        "primary_key": contract.primary_key,
        "rules": [_rule(rule) for rule in contract.rules],
        **_file(contract.file),
        **_order_of_versions(contract),
    }


def _file(file: FileFormat) -> dict[str, Any]:
    """Return what is unusual about the files; nothing of usual ones, so that their contracts keep their hash."""
    written = {field.name: getattr(file, field.name) for field in fields(file)}
    unusual = {name: value for name, value in written.items() if value != getattr(USUAL, name)}
    return {"file": unusual} if unusual else {}


def _order_of_versions(contract: Contract) -> dict[str, Any]:
    """Return what decides which rows count; nothing where the arrival alone does, so that older hashes stay."""
    known = {"version_column": contract.version_column, "replaces": contract.replaces}
    return {key: column for key, column in known.items() if column is not None}


def _column(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": column.type,
        "is_mandatory": column.is_mandatory,
        "is_required": column.is_required,
        "values": dict(column.values) if column.values is not None else None,
        **_mapping(column),
        **({"role": column.role} if column.role else {}),
    }


def _mapping(column: Column) -> dict[str, Any]:
    """Return how the file says the column, as far as that is not as usual: a contract without it keeps its hash."""
    mapping = {
        "header_names": list(column.header_names),
        "origin": _origin(column.origin) if column.origin else None,
        "default": column.default,
        "format": column.format,
        "is_day": column.is_day,
        "time_zone": column.time_zone,
        "currencies": list(column.currencies),
    }
    return {key: value for key, value in mapping.items() if value or value == ""}


def _origin(origin: Origin) -> dict[str, Any]:
    parts = [_part(part) for part in origin.parts]
    return {"parts": parts, "separator": origin.separator, "is_guarded": origin.is_guarded}


def _part(part: Part) -> list[str | int]:
    match part:
        case FieldPart(name=name):
            return ["field", name]
        case FolderPart(level=level):
            return ["folder", level]
        case ConstantPart(text=text):
            return ["constant", text]
        case _:
            assert_never(part)


def _rule(rule: Rule) -> dict[str, Any]:
    return {"id": rule.id, "severity": rule.severity, "check": _check(rule.check)}


def _check(check: Check) -> dict[str, Any]:
    operands = {field.name: _operand(getattr(check, field.name)) for field in fields(check)}
    return {"check": type(check).__name__, **operands}


def _operand(value: object) -> object:
    match value:
        case Decimal():
            return f"{value:f}"
        case OtherColumn(name=name):
            return {"column": name}
        case Now(plus=plus):
            return {"now_plus_seconds": plus // timedelta(seconds=1)}
        case StartOfDay(day=day):
            return {"start_of_day": day.isoformat()}
        case _:
            return value
