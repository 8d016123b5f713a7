"""Know the folders of a drop that its contract uses as values (`takingsFrom: {folder: 1}`). Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from takings.contracts.model import Column, Contract
from takings.contracts.origins import ConstantPart, FolderPart
from takings.layout import RAW
from takings.validation.mended import is_mended


def levels_of(contract: Contract) -> frozenset[int]:
    """Return which folders of a drop the contract uses, counted from 1 below the dataset's own."""
    origins = [column.origin for column in contract.columns if column.origin is not None]
    return frozenset(part.level for origin in origins for part in origin.parts if isinstance(part, FolderPart))


def folders_at(contract: Contract, file: str) -> Sequence[str]:
    """Return the values of the folders that a contract uses; `file` is the key after raw-data/<prefix>/."""
    return [_folder(file, level) for level in sorted(levels_of(contract))]


def folders_in(contracts: Sequence[Contract], file: str) -> Sequence[Sequence[str]]:
    """Return the values of the folders that each of these contracts uses: a source's file is checked by several."""
    return [folders_at(contract, file) for contract in contracts]


def contract_at(contract: Contract, header: Collection[str], file: str) -> Contract:
    """Return the contract for a file at this place, its folders being known; `file` is the key after raw-data/<prefix>/.

    Rows back from quarantine name their folders themselves.
    """
    if not levels_of(contract) or is_mended(header):
        return contract
    return replace(contract, columns=tuple(_column_at(column, file) for column in contract.columns))


def folder_pattern(level: int) -> str:
    """Return a pattern whose first group is a folder of a file's key."""
    return f"{RAW}[^/]+/{'[^/]+/' * (level - 1)}([^/]+)/.+"


def _column_at(column: Column, file: str) -> Column:
    if column.origin is None:
        return column
    parts = tuple(
        ConstantPart(text=_folder(file, part.level)) if isinstance(part, FolderPart) else part
        for part in column.origin.parts
    )
    return replace(column, origin=replace(column.origin, parts=parts))


def _folder(file: str, level: int) -> str:
    """Return a folder of a file, empty where it lies less deep."""
    folders = file.split("/")[:-1]
    return folders[level - 1] if level <= len(folders) else ""
