"""Say where the text of each column comes from in one file: what both engines compile. Pure.

In this order: the field or the parts, words that mean an empty field, the default, and the form that is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from takings.contracts.model import Column, Contract
from takings.contracts.origins import ConstantPart, FieldPart, FolderPart, Part
from takings.contracts.written import Written
from takings.validation.folders import folder_pattern
from takings.validation.mended import SOURCE
from takings.validation.naming import names_of_part, resolve, resolve_name


@dataclass(frozen=True, kw_only=True)
class PlacePart:
    """A field of the record."""

    place: int


@dataclass(frozen=True, kw_only=True)
class SourcePart:
    """A folder of the path that a row from quarantine names as its source; empty where the pattern does not match."""

    place: int
    #: its first group is the folder
    pattern: str


TextPart = PlacePart | SourcePart | ConstantPart


@dataclass(frozen=True, kw_only=True)
class ColumnText:
    """How one column's text is made from a record."""

    #: joined where there are more than one; without any the text is empty
    parts: tuple[TextPart, ...]
    separator: str = ""
    #: only the first part may contain the separator
    is_guarded: bool = False
    #: fields that are one of these are empty
    null_words: tuple[str, ...] = ()
    #: what replaces an empty text
    default: str | None = None
    #: how the text is written where it is not as every engine reads it
    written: Written | None = None

    @property
    def places(self) -> tuple[int, ...]:
        """Return the fields that people look at when the column is wrong."""
        return tuple(part.place for part in self.parts if isinstance(part, PlacePart))

    @property
    def plain_place(self) -> int | None:
        """Return the field that is the text as it stands; None if something is done to it."""
        is_plain = not self.null_words and self.default is None and self.written is None and len(self.parts) == 1
        return self.places[0] if is_plain and self.places else None


def texts_of(contract: Contract, header: Sequence[str]) -> Mapping[str, ColumnText]:
    """Return how the text of each column of the contract is made that a file with this header has."""
    places = resolve(contract, header)
    texts = {}
    for column in contract.columns:
        parts = _parts(contract, column, header, places)
        if parts is None and column.default is None:
            continue
        texts[column.name] = ColumnText(
            parts=parts or (),
            separator=column.origin.separator if column.origin else "",
            is_guarded=column.origin is not None and column.origin.is_guarded,
            null_words=contract.file.null_words,
            default=column.default,
            written=column.written,
        )
    return texts


def _parts(
    contract: Contract, column: Column, header: Sequence[str], places: Mapping[str, int]
) -> tuple[TextPart, ...] | None:
    """Return the parts of a column's text; None if the file lacks one of them."""
    if column.origin is None:
        return (PlacePart(place=places[column.name]),) if column.name in places else None
    parts = [_part(contract, column, part, header) for part in column.origin.parts]
    found = [part for part in parts if part is not None]
    return tuple(found) if len(found) == len(parts) else None


def _part(contract: Contract, column: Column, part: Part, header: Sequence[str]) -> TextPart | None:
    match part:
        case ConstantPart():
            return part
        case FieldPart(name=name):
            place = resolve_name(contract, names_of_part(contract, column, name), header)
            return None if place is None else PlacePart(place=place)
        case FolderPart(level=level):
            return SourcePart(place=header.index(SOURCE), pattern=folder_pattern(level)) if SOURCE in header else None
        case _:
            assert_never(part)
