"""Do what people do next to a shop's runs and watches: replay, restate, rebuild."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from random import Random

from takings.batch.commits import newest_commit
from takings.errors import UnknownThing
from takings.runs import replay, restate
from takings.runs.pipeline import Ports
from takings.runs.rebuild import read_archive
from tests.simulation.drops import DAYS
from tests.simulation.rebuilt import Rebuilding


def errand(
    kind: str, chance: Random, ports: Ports, quiet: Ports, rebuilding: Rebuilding
) -> Callable[[], object] | None:
    """Return what to do, or None if there is nothing to do it to; asking `quiet` ports takes no step."""
    match kind:
        case "restate":
            return None if newest_commit(quiet.store) is None else lambda: _restate(chance, ports)
        case "rebuild":
            return lambda: rebuilding.rebuild(read_archive(ports.store))
    archived = [record for record in quiet.ledger.lineage() if record.archived_at is not None and record.verdict]
    if not archived:
        return None
    record = chance.choice(archived)
    again: list[Callable[[], object]] = [
        lambda: replay.replay_batch(ports, record.batch_id),
        lambda: replay.replay_file(ports, record.file_key),
        lambda: replay.replay_failed(ports),
    ]
    return chance.choice(again)


def _restate(chance: Random, ports: Ports) -> None:
    """Publish everything again, or some days."""
    first, last = sorted(date.fromisoformat(chance.choice(DAYS)) for _ in range(2))
    try:
        restate.restate(ports, *chance.choice(((None, None), (first, last))))
    except UnknownThing as nothing:
        raise AssertionError("the commits are gone") from nothing
