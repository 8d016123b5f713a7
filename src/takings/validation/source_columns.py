"""Find a source's columns in the header of its file. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from takings.contracts.file_format import USUAL
from takings.contracts.model import Column, ColumnType, Contract
from takings.contracts.sources import Source
from takings.validation.header import check_header
from takings.validation.naming import resolve
from takings.validation.structure.values import FileFault


def check_columns(source: Source, header: Sequence[str]) -> FileFault | None:
    """Return what is wrong with a header: the columns that the source's SQL reads and it lacks."""
    return check_header(as_contract(source), header)


def places_of(source: Source, header: Sequence[str]) -> Mapping[str, int]:
    """Return the place in the header of each column of the source; all are there."""
    return resolve(as_contract(source), header)


def as_contract(source: Source) -> Contract:
    """Return a contract that demands a source's columns in a header, and nothing of its records."""
    columns = tuple(
        Column(name=column, type=ColumnType.TEXT, is_mandatory=True, is_required=False) for column in source.columns
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
    """Return the contract as rows that a source's SQL has made are checked by it: only numbers are the file's own."""
    numbers = replace(USUAL, decimal=source.file.decimal, thousands=source.file.thousands)
    return replace(contract, file=numbers)
