"""Give stand-ins their versions: rows that a source made of mentions, which any real row outranks.

A stand-in is as much older as any real row can be, so that merge, replay and rebuild need to know nothing of it. Among
themselves stand-ins keep their order.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

#: 1,900 years: it takes every time of a file before the first real one
OLDER: Final = timedelta(days=693_961)
#: only stand-ins have versions before it
FIRST_REAL: Final = datetime(1000, 1, 1, tzinfo=UTC)
_EARLIEST: Final = datetime(1, 1, 1, tzinfo=UTC)


def stand_in_version(version: datetime) -> datetime:
    """Return the version of the stand-ins of an arrival."""
    return max(version, _EARLIEST + OLDER) - OLDER
