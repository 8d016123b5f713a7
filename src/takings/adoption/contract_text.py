"""Write proposed contracts as Open Data Contract Standard YAML, with a comment on every guess."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from takings.adoption.columns import ProposedColumn
from takings.adoption.proposal import ProposedContract
from takings.contracts.model import Dataset


def contract_text(proposed: ProposedContract) -> str:
    """Return the text of <dataset>.odcs.yaml."""
    return "\n".join(_lines(proposed)) + "\n"


def _lines(proposed: ProposedContract) -> Iterator[str]:
    dataset = proposed.guess.dataset
    yield f"# Proposed by `takings adopt` from {', '.join(proposed.guess.file.names)}."
    yield "# Read every comment that says 'guessed', and change what is wrong. docs/contracts.md explains the keys."
    if dataset is Dataset.ORDER_ITEMS:
        yield "# A line that a later export of its order no longer has keeps counting. If your exports hold whole orders, add"
        yield "# 'takingsReplaces: order_id' to the table's customProperties before the first run: then it stops counting."
    yield "apiVersion: v3.2.0"
    yield "kind: DataContract"
    yield f"id: adopted-{dataset.replace('_', '-')}"
    yield f"name: {dataset}"
    yield "version: 1.0.0"
    yield "status: active"
    yield "schema:"
    yield f"  - name: {dataset}"
    yield "    logicalType: object"
    if proposed.file:
        yield "    customProperties:"
        yield "      - property: takingsFile  # guessed from the files' first lines and their amounts"
        yield f"        value: {_value(proposed.file)}"
    yield "    properties:"
    for column in proposed.columns:
        yield from _column(column)


def _column(column: ProposedColumn) -> Iterator[str]:
    yield f"      - name: {column.name}" + (f"  # {column.comment}" if column.comment else "")
    for key, value in column.fields.items():
        if isinstance(value, list):
            yield f"        {key}:"
            yield from (f"          - {_value(each)}" for each in value)
        else:
            yield f"        {key}: {_value(value)}"
    if column.custom:
        yield "        customProperties:"
        for name, value in column.custom.items():
            yield f"          - property: {name}"
            yield f"            value: {_value(value)}"


def _value(value: object) -> str:
    """Return a value on one line; texts are quoted where YAML might take them for something else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_value(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_value(each) for each in value) + "]"
    if isinstance(value, str) and value.isidentifier() and value.isascii() and not _is_word(value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _is_word(value: str) -> bool:
    """Return whether YAML reads a text as something else."""
    known: Any = ("true", "false", "yes", "no", "on", "off", "null", "y", "n")
    return value.lower() in known
