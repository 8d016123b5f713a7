"""Make single columns of a proposed contract: how the file names them, and how their values are written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from takings.adoption.forms import CLOCKS, IDENTIFIER, ISO_TIME, MONEY, TIMES, TimeForm
from takings.adoption.guess import Guess, money_form
from takings.adoption.looks import ColumnLook
from takings.contracts.model import MAX_TEXT_BYTES, Dataset

#: names that another column may not take, because what stands in for theirs has them
_NEEDED_BY_NAME: Final = {
    Dataset.PRODUCTS: ("category",),
    Dataset.ORDERS: ("user_id", "status"),
    Dataset.ORDER_ITEMS: ("id", "status", "returned_at"),
}
_MONTHS: Final = 12
#: what needs no format once date and time are joined by a blank
_ISO_IN_PARTS: Final = "yyyy-MM-dd HH:mm:ss"
_SLUG: Final = re.compile(r"[^a-z0-9]+")
#: names that the lake or a reader of Parquet files has for itself
_RESERVED: Final = ("order_date", "filename", "file_row_number")


@dataclass(frozen=True, kw_only=True)
class ProposedColumn:
    """One column of a proposed contract."""

    name: str
    #: keys of ODCS, in order
    fields: Mapping[str, Any]
    #: Takings' own properties
    custom: Mapping[str, Any] = field(default_factory=dict)
    #: what was guessed, and from what; empty where nothing was
    comment: str = ""


@dataclass(kw_only=True)
class Columns:
    """The columns of one dataset's files."""

    guess: Guess
    #: of all dates of all files that are written with a sign: the largest first and second number
    largest_parts: Mapping[str, tuple[int, int]]
    #: places of columns that something was made of
    used: set[int] = field(default_factory=set)

    def money(self, name: str, *, required: bool, custom: Mapping[str, Any] | None = None) -> ProposedColumn:
        """Return a column of amounts."""
        look = self.guess.look(name)
        form = None if look is None else money_form(look)
        currency = {"takingsCurrency": form[0]} if form and form[0] else {}
        return self.column(
            name, "number", fields={"required": True} if required else {}, custom={**currency, **(custom or {})}
        )

    def time(self, name: str, *, required: bool) -> ProposedColumn:
        """Return a column of times or days; a date next to a time of day becomes one time."""
        look = self.guess.look(name)
        assert look is not None
        form = next(form for form in TIMES if look.is_all(form.name))
        format_, doubt = form.format, ""
        clock = self._clock() if form.is_date and required else None
        if form.other is not None:
            first, second = self.largest_parts.get(_sign(form), (0, 0))
            if second > _MONTHS >= first:
                format_ = form.other
            elif first <= _MONTHS:
                doubt = f"; no value shows which is the day and which the month: it may be {form.other}"
        fields: dict[str, Any] = {"required": True} if required else {}
        if format_:
            fields["logicalTypeOptions"] = {"format": format_}
        if clock is not None:
            return self._date_and_time(name, clock, format_, doubt)
        kind = "date" if form.is_date else "timestamp"
        return self.column(name, kind, fields=fields, doubt=doubt)

    def _clock(self) -> tuple[int, str] | None:
        """Return the place and the form of a column that holds the time of day; None if there is none."""
        for place, look in enumerate(self.guess.file.columns):
            for format_ in CLOCKS:
                if look.is_all(f"clock {format_}") and look.filled == self.guess.file.sound:
                    return place, format_
        return None

    def _date_and_time(self, name: str, clock: tuple[int, str], date_format: str, doubt: str) -> ProposedColumn:
        """Return a time that is made of a column with the date and another one with the time of day."""
        place, time_format = clock
        header = self.guess.file.header
        self.used.add(place)
        format_ = f"{date_format} {time_format}"
        options = {} if format_ == _ISO_IN_PARTS else {"logicalTypeOptions": {"format": format_}}
        return ProposedColumn(
            name=name,
            fields={"logicalType": "timestamp", "required": True, **options},
            custom={"takingsFrom": {"dateTime": [header[self.guess.columns[name].place], header[place]]}},
            comment=f"guessed: a date and a time of day{doubt}",
        )

    def column(
        self,
        name: str,
        kind: str,
        *,
        required: bool = False,
        fields: Mapping[str, Any] | None = None,
        custom: Mapping[str, Any] | None = None,
        doubt: str = "",
    ) -> ProposedColumn:
        """Return a column of this logical type, with further keys and properties."""
        matched = self.guess.columns[name]
        header = self.guess.file.header[matched.place]
        named = {} if header == name else {"physicalName": header}
        return ProposedColumn(
            name=name,
            fields={
                **named,
                "logicalType": kind,
                **({"required": True} if required else {}),
                **(fields or {}),
            },
            custom=custom or {},
            comment="" if header == name and not doubt else f"guessed: {matched.because}{doubt}",
        )

    def others(self) -> Iterator[ProposedColumn]:
        """Yield the files' other columns as text, under names that the lake can have."""
        taken = {matched.place for matched in self.guess.columns.values()} | self.used
        used = {*self.guess.columns, *_RESERVED, *_NEEDED_BY_NAME[self.guess.dataset]}
        for place, column in enumerate(self.guess.file.columns):
            name = _SLUG.sub("_", column.header.lower()).strip("_")[:60]
            if not name or not name[0].isalpha():
                name = f"column_{place + 1}"
            while name in used:
                name = f"{name}_{place + 1}"
            if place not in taken and column.longest <= MAX_TEXT_BYTES:
                used.add(name)
                named = {} if column.header == name else {"physicalName": column.header}
                yield ProposedColumn(
                    name=name,
                    fields={**named, "logicalType": _plain_type(column)},
                    custom={"takingsWarnings": ["type"]},
                )


def _plain_type(look: ColumnLook) -> str:
    """Return the type of a column that no KPI needs."""
    if look.is_all(ISO_TIME):
        return "timestamp"
    return "number" if look.is_all(MONEY[0].name) and not look.is_all(IDENTIFIER) else "string"


def _sign(form: TimeForm) -> str:
    """Return what separates day, month and year."""
    return next((letter for letter in form.format if not letter.isalpha()), "")


def largest_parts(guesses: Iterable[Guess]) -> dict[str, tuple[int, int]]:
    """Return, per sign between them, the largest first and second number of all dates: one shop writes them one way."""
    largest: dict[str, tuple[int, int]] = {}
    for look in (look for one in guesses for look in one.file.columns):
        for form in (form for form in TIMES if form.other and look.is_all(form.name)):
            first, second = largest.get(_sign(form), (0, 0))
            largest[_sign(form)] = max(first, look.largest_parts[0]), max(second, look.largest_parts[1])
    return largest
