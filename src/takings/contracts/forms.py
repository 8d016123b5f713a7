"""Say which form a field must have to be read as its type: what the engines are not free to decide."""

from __future__ import annotations

from typing import Final

#: what counts as blank; the same six characters in every engine
BLANKS: Final = " \t\n\r\v\f"
INTEGER_PATTERN: Final = "-?[0-9]+"
MONEY_PATTERN: Final = r"-?0*[0-9]{1,12}(\.[0-9]{1,16}0*)?"
_TIME: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?"
LOCAL_TIME_PATTERN: Final = _TIME
#: what databases and shops write behind a time: `Z`, ` UTC`, `+02:00`, `+0200`, `+02`, ` +02`
ZONED_TIME_PATTERN: Final = _TIME + r"( UTC| ?([Zz]|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?))"
