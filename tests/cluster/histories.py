"""Let a cluster live through generated histories of a shop, with everything checked that DuckDB's are checked for."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.cluster.driving import timed
from tests.cluster.sessions import session_on_a_cluster
from tests.histories.living import TALLY, at_once, live
from tests.histories.test_histories import MAKERS

#: histories in one store
_LANES: Final = 24
#: each kind's store; another number is another history and number of mishaps
_SEEDS: Final = dict(zip(MAKERS, (6, 7, 8, 1, 2, 2), strict=True))


def try_histories(folder: Path) -> None:
    """Check that each ends with the numbers of DuckDB and of the oracle, whose part `live` asks for after every batch."""
    with session_on_a_cluster(folder / "cluster") as (_, options):
        for kind, seed in _SEEDS.items():
            with timed(f"{_LANES} histories of {kind} on the cluster"):
                numbers, counted = live(MAKERS[kind](seed, _LANES), _LANES, mishaps=seed % 3, **options)
            assert numbers == at_once(MAKERS[kind](seed, _LANES), counted)
    print(TALLY, flush=True)
