"""Run histories by hand: `python -m tests.histories corrections 17`, or `… arrivals 100-199 [LANES]`."""

from __future__ import annotations

import sys
import time

from tests.histories.living import TALLY, at_once, live
from tests.histories.test_histories import LANES, MAKERS


def main(kind: str, numbers: str, lanes: str = str(LANES)) -> int:
    """Run the histories of some numbers; print how each went, and how much was tried."""
    first, _, last = numbers.partition("-")
    make, begun, failures = MAKERS[kind], time.monotonic(), 0
    for seed in range(int(first), int(last or first) + 1):
        try:
            published, counted = live(make(seed, int(lanes)), int(lanes), mishaps=seed % 3)
            assert published == at_once(make(seed, int(lanes)), counted)
        except Exception as failed:  # noqa: BLE001 - the next one is tried as well
            failures += 1
            print(f"{kind} {seed}: {type(failed).__name__}: {failed}", flush=True)
        else:
            print(f"{kind} {seed}: well", flush=True)
    print(f"{TALLY}, {failures} failed, {time.monotonic() - begun:.0f} s")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
