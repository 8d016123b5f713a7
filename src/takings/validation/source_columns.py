"""Find a source's columns in the header of its file. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from takings.contracts.file_format import USUAL, FileFormat
from takings.contracts.model import Column, ColumnType, Contract, Typed
from takings.contracts.number_formats import number_format
from takings.contracts.rules import type_demand
from takings.contracts.sources import Source
from takings.validation.header import check_header
from takings.validation.naming import resolve
from takings.validation.structure.values import FileFault


def check_columns(source: Source, header: Sequence[str]) -> FileFault | None:
    """Return what is wrong with a header: the columns that the source's SQL reads and it lacks."""
    return check_header(as_contract(source), header)


def places_of(source: Source, header: Sequence[str]) -> Mapping[str, int]:
    """Return the place in the header of each column of the source that it has; only optional ones may be absent."""
    return resolve(as_contract(source), header)


def as_contract(source: Source) -> Contract:
    """Return a contract that demands a source's columns in a header, but for optional ones, and nothing of its records."""
    columns = tuple(
        Column(name=column, type=ColumnType.TEXT, is_mandatory=column not in source.optional, is_required=False)
        for column in source.columns
    )
    return Contract(
        dataset=source.datasets[0],
        version="1",
        columns=columns,
        primary_key=columns[0].name,
        rules=(),
        file=source.file,
    )


def made_contract(source: Source, contract: Contract) -> Contract:
    """Return the contract as rows that a source's SQL has made are checked by it: numbers are as the source writes them."""
    file = replace(USUAL, decimal=source.file.decimal, thousands=source.file.thousands)
    if (file.decimal, file.thousands) == (contract.file.decimal, contract.file.thousands):
        return replace(contract, file=file)
    columns = {column.name: _with_numbers_of(column, file) for column in contract.columns}
    rules = tuple(
        replace(rule, demand=type_demand(columns[rule.column])) if isinstance(rule.check, Typed) else rule
        for rule in contract.rules
    )
    return replace(contract, file=file, columns=tuple(columns.values()), rules=rules)


def _with_numbers_of(column: Column, file: FileFormat) -> Column:
    """Return the column with its numbers written as in another file; its default is the same number."""
    if column.type not in (ColumnType.MONEY, ColumnType.INTEGER):
        return column
    default = column.default
    if default is not None and column.written is not None:
        default = column.written.rewritten(default)
    written = number_format(file, column.currencies, is_money=column.type is ColumnType.MONEY)
    return replace(column, written=written, default=None if default is None else default.replace(".", file.decimal))
