"""Say how numbers are written in a file whose contract has its own decimal sign, thousands separator or currency."""

from __future__ import annotations

from collections.abc import Sequence

from takings.contracts.file_format import FileFormat
from takings.contracts.written import Written, escaped

#: at most one may stand between an amount and its currency: a blank, a no-break space or a narrow one
_BLANK = "[ \u00a0\u202f]?"


def number_format(file: FileFormat, currencies: Sequence[str], *, is_money: bool) -> Written | None:
    """Return how amounts (or whole numbers) of a file are written; None if it is as docs/contracts.md says."""
    if not (currencies or file.thousands or (is_money and file.decimal != ".")):
        return None
    number = "[0-9]+"
    if file.thousands:
        number = f"(?:[0-9]{{1,3}}(?:{escaped(file.thousands)}[0-9]{{3}})+|[0-9]+)"
    if is_money:
        number += f"(?:{escaped(file.decimal)}[0-9]+)?"
    pattern, groups = f"(-?)({number})", 2
    if currencies:
        sign = f"(?:{'|'.join(escaped(currency) for currency in currencies)})"
        pattern = f"(-?)({number})(?:{_BLANK}{sign})?|(-?){sign}{_BLANK}({number})|{sign}{_BLANK}(-)({number})"
        groups = 6
    replaced = [(file.thousands, "")] if file.thousands else []
    replaced += [(file.decimal, ".")] if is_money and file.decimal != "." else []
    return Written(
        pattern=pattern,
        order=tuple(range(1, groups + 1)),
        replaced=tuple(replaced),
        demand=_demand(file, currencies, is_money=is_money),
    )


def _demand(file: FileFormat, currencies: Sequence[str], *, is_money: bool) -> str:
    whole = f"1{file.thousands}234" if file.thousands else "1234"
    if not is_money:
        return f"must be a whole number like {whole} of at most 64 bits"
    demand = f"must be a number like {whole}{file.decimal}50"
    if currencies:
        demand += f", with or without {' or '.join(currencies)} before or after it"
    return f"{demand}, with at most 12 digits before the {file.decimal} and 16 after it"
