"""Return whether a text in a contract fits its column: a default or a constant is read like a field."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final, assert_never

from takings.contracts.checks import LOWER
from takings.contracts.forms import INTEGER_PATTERN, LOCAL_TIME_PATTERN, MONEY_PATTERN, ZONED_TIME_PATTERN
from takings.contracts.model import MAX_TEXT_BYTES, Column, ColumnType

_MONEY: Final = re.compile(MONEY_PATTERN, re.ASCII)
_INTEGER: Final = re.compile(INTEGER_PATTERN, re.ASCII)
_IDENTIFIER: Final = re.compile("0|[1-9][0-9]{0,18}")
_TIME: Final = re.compile(f"(?:{LOCAL_TIME_PATTERN})|(?:{ZONED_TIME_PATTERN})", re.ASCII)


def fits(column: Column, text: str) -> bool:
    """Return whether the text, as a file would have it, is a value of the column."""
    read = column.written.rewritten(text) if column.written else text
    if read is None:
        return False
    match column.type:
        case ColumnType.IDENTIFIER:
            return bool(_IDENTIFIER.fullmatch(read)) and int(read) < 2**63
        case ColumnType.INTEGER:
            return bool(_INTEGER.fullmatch(read)) and -(2**63) <= int(read) < 2**63
        case ColumnType.MONEY:
            return bool(_MONEY.fullmatch(read))
        case ColumnType.TIMESTAMP:
            return bool(_TIME.fullmatch(read)) and _is_in_calendar(read)
        case ColumnType.TEXT:
            is_listed = column.values is None or read.translate(LOWER) in column.values
            return is_listed and len(read.encode()) <= MAX_TEXT_BYTES
        case _:
            assert_never(column.type)


def _is_in_calendar(time: str) -> bool:
    try:
        datetime.fromisoformat(time[:19])
    except ValueError:
        return False
    return True
