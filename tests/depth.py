"""How much the tests of many examples try: few in `make test`, which has 15 minutes for everything, many in `make deep`.

`make deep DEPTH=10` runs these tests alone, with ten times as many as they name.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final, TypeVar

_Case = TypeVar("_Case")

DEPTH: Final = int(os.environ.get("DEPTH", "1"))


def examples(few: int, many: int) -> int:
    """Return how many are tried: few in `make test`, and DEPTH times as many as are many in `make deep`."""
    return few if DEPTH == 1 else many * DEPTH


def some(cases: Sequence[_Case], one_in: int) -> Sequence[_Case]:
    """Return one case of so many in `make test`, and all of them in `make deep`."""
    return cases[::one_in] if DEPTH == 1 else cases
