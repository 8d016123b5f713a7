"""Say what a column is made of where no field of the file holds it: `takingsFrom` of a contract, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: a text that no type can be read from: what a text becomes that does not fit its column's format
UNREADABLE: Final = "?" * 1025


@dataclass(frozen=True, kw_only=True)
class FieldPart:
    """The field of the record under a header text."""

    name: str


@dataclass(frozen=True, kw_only=True)
class FolderPart:
    """A folder of the drop's path, counted from 1 below the dataset's own."""

    level: int


@dataclass(frozen=True, kw_only=True)
class ConstantPart:
    """The same text in every record; empty where a drop lies in no such folder."""

    text: str


Part = FieldPart | FolderPart | ConstantPart


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The parts that make a column's text; where one of them is empty, the text is empty."""

    parts: tuple[Part, ...]
    #: between the parts
    separator: str = ""
    #: only the first part may contain the separator, so that different parts never make one text
    is_guarded: bool = False
