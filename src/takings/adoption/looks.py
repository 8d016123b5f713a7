"""Hold what was seen in a file that a shop exports: its format, its columns, and what their values look like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from takings.contracts.file_format import FileFormat


@dataclass(frozen=True, kw_only=True)
class ColumnLook:
    """One column of a file."""

    #: as the header spells it
    header: str
    #: fields that are not empty
    filled: int
    #: different values among them
    distinct: int
    #: bytes of the longest value
    longest: int
    #: form (see `forms.py`) -> how many filled fields have it
    forms: Mapping[str, int]
    #: the commonest values, commonest first; only of a column with few
    values: tuple[str, ...] = ()
    #: of dates like 03/04/2025: the largest first and second number
    largest_parts: tuple[int, int] = (0, 0)

    def is_all(self, *forms: str) -> bool:
        """Return whether every filled field has one of these forms; False for an empty column."""
        return self.filled > 0 and any(self.forms.get(form, 0) == self.filled for form in forms)


@dataclass(frozen=True, kw_only=True)
class FileLook:
    """One file, or several with the same header."""

    #: files with one header and one format, as they were named on the command line
    names: tuple[str, ...]
    format: FileFormat
    records: int
    #: records that cannot be rows, whatever they mean
    broken: int
    columns: tuple[ColumnLook, ...]
    #: pairs of columns that together are different in every record, by their places
    unique_pairs: tuple[tuple[int, int], ...] = ()

    def is_unique(self, place: int) -> bool:
        """Return whether a column has another value in every record."""
        column = self.columns[place]
        return self.records > 0 and column.filled == column.distinct == self.records - self.broken

    @property
    def header(self) -> tuple[str, ...]:
        """Return the columns' names as they are written."""
        return tuple(column.header for column in self.columns)


#: (file, column, other file, other column) -> share of the different values that the other column has as well
Containments = Mapping[tuple[int, int, int, int], float]
