"""Name the forms that a shop's values may have: one regular expression each, which RE2 and Python read alike.

A form is what a field must match as a whole. Money is `<currency?><decimal><thousands>`, a time is a pattern in the
words of the contracts' `format`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Final

_TIME: Final = "([01][0-9]|2[0-3]):[0-5][0-9]"
_MONTHS: Final = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
#: times of day behind a date: the format, and its pattern
_CLOCK_TIMES: Final = (
    ("", ""),
    (" HH:mm", f" {_TIME}"),
    (" HH:mm:ss", f" {_TIME}:[0-5][0-9]"),
    (" hh:mm a", " (0[1-9]|1[0-2]):[0-5][0-9] (AM|PM|am|pm)"),
    (" h:mm a", " (0?[1-9]|1[0-2]):[0-5][0-9] (AM|PM|am|pm)"),
    (" hh:mm:ss a", " (0[1-9]|1[0-2]):[0-5][0-9]:[0-5][0-9] (AM|PM|am|pm)"),
    (" h:mm:ss a", " (0?[1-9]|1[0-2]):[0-5][0-9]:[0-5][0-9] (AM|PM|am|pm)"),
)


@dataclass(frozen=True, kw_only=True)
class MoneyForm:
    """How amounts are written."""

    decimal: str
    thousands: str | None

    @property
    def name(self) -> str:
        """Return the form's name."""
        return f"money {self.decimal}{self.thousands or ''}"

    @property
    def pattern(self) -> str:
        """Return the regular expression of a number, without a currency."""
        point = "[.]" if self.decimal == "." else ","
        if self.thousands is None:
            return f"-?[0-9]{{1,12}}({point}[0-9]{{1,16}})?"
        return f"-?[0-9]{{1,3}}([{self.thousands}][0-9]{{3}}){{1,3}}({point}[0-9]{{1,16}})?"


MONEY: Final = (
    MoneyForm(decimal=".", thousands=None),
    MoneyForm(decimal=",", thousands=None),
    MoneyForm(decimal=".", thousands=","),
    MoneyForm(decimal=",", thousands="."),
    MoneyForm(decimal=",", thousands=" "),
    MoneyForm(decimal=",", thousands="\u00a0"),
    MoneyForm(decimal=".", thousands="'"),
)


@dataclass(frozen=True, kw_only=True)
class TimeForm:
    """How dates and times are written."""

    #: in the words of the contracts' `format`; empty for what needs none
    format: str
    pattern: str
    #: there is no time of day
    is_date: bool
    #: it may also be read with day and month exchanged: the format then
    other: str | None = None

    @property
    def name(self) -> str:
        """Return the form's name."""
        return f"time {self.format or 'ISO'}"


_ISO_DATE: Final = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_ZONE: Final = "( UTC| ?([Zz]|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?))?"


def _times() -> tuple[TimeForm, ...]:
    """Return every form of a date, alone and with a time of day."""
    forms = [
        TimeForm(format="", pattern=f"{_ISO_DATE}[T ]{_TIME}:[0-5][0-9]([.][0-9]{{1,9}})?{_ZONE}", is_date=False),
        TimeForm(format="yyyy-MM-dd", pattern=_ISO_DATE, is_date=True),
        TimeForm(format="yyyy-MM-dd HH:mm", pattern=f"{_ISO_DATE} {_TIME}", is_date=False),
        TimeForm(format="yyyy/MM/dd", pattern="[0-9]{4}/[0-9]{2}/[0-9]{2}", is_date=True),
        TimeForm(
            format="yyyy/MM/dd HH:mm:ss", pattern=f"[0-9]{{4}}/[0-9]{{2}}/[0-9]{{2}} {_TIME}:[0-5][0-9]", is_date=False
        ),
        TimeForm(format="yyyy/MM/dd HH:mm", pattern=f"[0-9]{{4}}/[0-9]{{2}}/[0-9]{{2}} {_TIME}", is_date=False),
        *(
            TimeForm(
                format=f"{day} MMM yyyy{clock}", pattern=f"{one} ({_MONTHS}) [0-9]{{4}}{pattern}", is_date=not clock
            )
            for day, one in (("dd", "[0-9]{2}"), ("d", "[0-9]{1,2}"))
            for clock, pattern in _CLOCK_TIMES
        ),
        TimeForm(format="MMM d, yyyy", pattern=f"({_MONTHS}) [0-9]{{1,2}}, [0-9]{{4}}", is_date=True),
        TimeForm(format="yyyyMMdd", pattern="(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])", is_date=True),
    ]
    for sign, is_padded, years in product("/.-", (True, False), (4, 2)):
        one = "[0-9]{2}" if is_padded else "[0-9]{1,2}"
        day, month = ("dd", "MM") if is_padded else ("d", "M")
        year = "y" * years
        forms += [
            TimeForm(
                format=f"{day}{sign}{month}{sign}{year}{clock}",
                pattern=f"{one}[{sign}]{one}[{sign}][0-9]{{{years}}}{pattern}",
                is_date=not clock,
                other=f"{month}{sign}{day}{sign}{year}{clock}",
            )
            for clock, pattern in _CLOCK_TIMES
        ]
    return tuple(forms)


TIMES: Final = _times()
#: what a contract reads without a format
ISO_TIME: Final = TIMES[0].name
#: times of day, which may be in a separate column from the date -> their pattern
CLOCKS: Final = {"HH:mm:ss": f"{_TIME}:[0-5][0-9]", "HH:mm": _TIME}
#: what may come before or after an amount, as a contract's takingsCurrency names it
CURRENCIES: Final = ("$", "€", "£", "¥", "₹", "R$", "USD", "EUR", "GBP")
IDENTIFIER: Final = "identifier"
INTEGER: Final = "integer"


def patterns() -> dict[str, str]:
    """Return every form with its regular expression."""
    found = {IDENTIFIER: "0|[1-9][0-9]{0,18}", INTEGER: "-?[0-9]{1,18}"}
    found |= {form.name: form.pattern for form in MONEY} | {form.name: form.pattern for form in TIMES}
    found |= {f"clock {format_}": pattern for format_, pattern in CLOCKS.items()}
    for currency in CURRENCIES:
        sign = "".join(f"[{letter}]" for letter in currency)
        for form in MONEY:
            number = form.pattern.removeprefix("-?")
            found[f"{currency} {form.name}"] = f"-?{sign} ?{number}|{form.pattern} ?{sign}"
    return found
