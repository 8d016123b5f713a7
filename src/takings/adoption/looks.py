"""Hold what was seen in a file that a shop exports: its format, its columns, and what their values look like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from takings.contracts.file_format import FileFormat

#: percent of the records in which a key has to be different
NEARLY_ALL: Final = 95


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
    #: form (see `forms.py`) -> how many of the values that were examined have it
    forms: Mapping[str, int]
    #: different values that were examined; None: every filled field
    examined: int | None = None
    #: the commonest values, commonest first; only of a column with few
    values: tuple[str, ...] = ()
    #: of dates like 03/04/2025: the largest first and second number
    largest_parts: tuple[int, int] = (0, 0)

    def is_all(self, *forms: str) -> bool:
        """Return whether every value has one of these forms; False for an empty column."""
        return self.filled > 0 and any(self.forms.get(form, 0) == self.compared for form in forms)

    @property
    def compared(self) -> int:
        """Return what a form's count is compared with."""
        return self.filled if self.examined is None else self.examined


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
    #: records that can be rows, identical ones once; what a column counts is of them. None: there are no identical ones
    different: int | None = None
    #: pairs of columns that together are different in every record, by their places
    unique_pairs: tuple[tuple[int, int], ...] = ()

    def is_unique(self, place: int) -> bool:
        """Return whether a column has another value in nearly every record: exports overlap, and rows come twice."""
        column = self.columns[place]
        return self.sound > 0 and column.filled == self.sound and 100 * column.distinct >= NEARLY_ALL * self.sound

    @property
    def sound(self) -> int:
        """Return how many records can be rows, identical ones once."""
        return self.records - self.broken if self.different is None else self.different

    @property
    def header(self) -> tuple[str, ...]:
        """Return the columns' names as they are written."""
        return tuple(column.header for column in self.columns)


#: (file, column, other file, other column) -> share of the different values that the other column has as well
Containments = Mapping[tuple[int, int, int, int], float]
