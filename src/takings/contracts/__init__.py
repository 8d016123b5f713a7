"""Describe what each dataset must look like: contracts as values, and how to load them."""

from typing import TYPE_CHECKING

from takings.contracts.model import (
    Check,
    Column,
    ColumnType,
    Compared,
    Contract,
    Contracts,
    Dataset,
    InDataset,
    Matches,
    MaxLength,
    Now,
    OneOf,
    Operator,
    OtherColumn,
    PresentWhen,
    Required,
    Rule,
    Severity,
    StartOfDay,
    Typed,
    Unique,
)

if TYPE_CHECKING:
    from takings.contracts.load import load_contracts, parse_contract

__all__ = [
    "Check",
    "Column",
    "ColumnType",
    "Compared",
    "Contract",
    "Contracts",
    "Dataset",
    "InDataset",
    "Matches",
    "MaxLength",
    "Now",
    "OneOf",
    "Operator",
    "OtherColumn",
    "PresentWhen",
    "Required",
    "Rule",
    "Severity",
    "StartOfDay",
    "Typed",
    "Unique",
    "load_contracts",
    "parse_contract",
]


def __getattr__(name: str) -> object:
    """Load the reader of contracts, with its YAML, only where it is asked for: few modules need more than the values."""
    if name not in {"load_contracts", "parse_contract"}:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    from takings.contracts import load

    return getattr(load, name)
