"""Try every mutant, or those of some parts: `python -m tests.mutants [PART …]`; needs mutmut (`make mutants`).

Exit codes: 0 every survivor is explained, 1 one is not, or an explanation is outdated, 2 wrong usage.
"""

from __future__ import annotations

import sys
import time

from tests.mutants.parts import PARTS
from tests.mutants.results import Judged, judge, read_explained
from tests.mutants.workspace import try_part


def main(names: list[str]) -> int:
    """Try the parts one after the other and print what came of each."""
    if set(names) - set(PARTS):
        print(f"usage: python -m tests.mutants [PART …]; the parts: {', '.join(PARTS)}", file=sys.stderr)
        return 2
    explained = read_explained()
    judged: list[Judged] = []
    print(f"{'part':20} {'mutants':>8} {'killed':>8} {'explained':>10} {'left':>6} {'seconds':>9}")
    for name in names or PARTS:
        begun = time.monotonic()
        part = PARTS[name]
        found = judge(try_part(name, part), explained, part.files)
        judged.append(found)
        print(_row(name, found) + f" {time.monotonic() - begun:9.0f}", flush=True)
        for survivor in found.unexplained:
            print(f"  {survivor.file}\n    - {survivor.before}\n    + {survivor.after}", flush=True)
        for survivor in found.outdated:
            print(
                f"  no longer a survivor: {survivor.file}\n    - {survivor.before}\n    + {survivor.after}", flush=True
            )
    made, killed, known = (sum(getattr(each, of) for each in judged) for of in ("made", "killed", "explained"))
    print(f"{made:,} mutants, {killed:,} killed, {known:,} explained, {made - killed - known:,} left")
    return 0 if all(each.is_good for each in judged) else 1


def _row(name: str, found: Judged) -> str:
    left = found.made - found.killed - found.explained
    return f"{name:20} {found.made:8,} {found.killed:8,} {found.explained:10,} {left:6,}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
