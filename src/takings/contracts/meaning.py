"""Recognise contracts with the same meaning: one hash over what they demand, not over how they are written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import timedelta
from decimal import Decimal
from typing import Any

from takings.contracts.model import Check, Column, Contract, Dataset, Now, OtherColumn, Rule, StartOfDay


def hash_of(contracts: Mapping[Dataset, Contract]) -> str:
    """Return SHA-256, in hex, over canonical JSON of columns and rules.

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
    }


def _column(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": column.type,
        "is_mandatory": column.is_mandatory,
        "is_required": column.is_required,
        "values": dict(column.values) if column.values is not None else None,
    }


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
