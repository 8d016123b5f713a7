"""How much the tests of many examples try: DEPTH times as many as `make test`, which has 15 minutes for everything.

`make deep DEPTH=10` runs these tests alone.
"""

from __future__ import annotations

import os
from typing import Final

DEPTH: Final = int(os.environ.get("DEPTH", "1"))
