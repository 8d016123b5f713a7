"""Compare a store with the oracle: `python -m tests.oracle STORE`, from the root of the repository.

Exit codes: 0 no difference, 1 a difference or an archive that cannot be trusted, 2 wrong usage.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.oracle.comparison import compare, compared
from tests.oracle.store import DamagedArchive, read_store


def main(arguments: list[str]) -> int:
    """Print the differences, or how much was compared; return the exit code."""
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        print("usage: python -m tests.oracle STORE    (a folder)", file=sys.stderr)
        return 2
    folder = Path(arguments[0])
    try:
        found = compare(folder)
        print("\n".join(found) if found else compared(read_store(folder)))
    except DamagedArchive as damage:
        print(damage)
        return 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
