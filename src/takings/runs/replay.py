"""Take archived originals through the pipeline again, as new batches with their first versions."""

from __future__ import annotations

from collections.abc import Sequence

from takings.archive.lineage import LineageRecord, dead_letters, newest_archived
from takings.archive.outcome import BatchOutcome
from takings.errors import CorruptState, UnknownThing
from takings.intake.arrivals import Arrival, ObjectInfo
from takings.intake.batching import Pending, choose
from takings.layout import BatchId, Drop, archive_folder, file_of
from takings.ports import Ports
from takings.runs.pipeline import form, free_gate


def replay_batch(ports: Ports, batch_id: BatchId) -> tuple[BatchOutcome, ...]:
    """Replay every original that a batch archived; UnknownThing if there is none."""
    records = [record for record in ports.ledger.lineage(batch_id=batch_id) if record.archived_at is not None]
    if not records:
        raise UnknownThing(f"no batch '{batch_id}' has archived a file. `takings batches STORE` lists them.")
    return _replay(ports, records)


def replay_file(ports: Ports, key: str) -> tuple[BatchOutcome, ...]:
    """Replay the newest archived original of a key; UnknownThing if there is none."""
    newest = newest_archived(ports.ledger.lineage(file_key=key))
    if key not in newest:
        raise UnknownThing(f"no file '{key}' was ever archived. Write a key like raw-data/orders/a.csv.")
    return _replay(ports, [newest[key]])


def replay_failed(ports: Ports) -> tuple[BatchOutcome, ...]:
    """Replay every file whose newest original was refused, if any."""
    return _replay(ports, dead_letters(ports.ledger.lineage_of_refused()))


def _replay(ports: Ports, records: Sequence[LineageRecord]) -> tuple[BatchOutcome, ...]:
    """Replay originals in batches as large as the policy allows."""
    arrivals = {arrival.key: arrival for arrival in _arrivals(ports, records)}
    waiting: list[Pending] = [(_as_listed(arrival), _as_drop(arrival)) for arrival in arrivals.values()]
    outcomes: list[BatchOutcome] = []
    while waiting:
        chosen = choose(waiting, ports.batch_policy)
        batch = tuple(arrivals[info.key] for info, _ in chosen)
        outcome = form(ports, free_gate(ports), batch, ports.clock.now())
        if outcome is not None:
            outcomes.append(outcome)
            waiting = [pending for pending in waiting if pending not in chosen]
    return tuple(outcomes)


def _arrivals(ports: Ports, records: Sequence[LineageRecord]) -> list[Arrival]:
    """Return the originals as arrivals; CorruptState if one is no longer in the archive."""
    places = {str(record.archived_at): record for record in records}
    folders = {archive_folder(place) for place in places}
    found = {info.key: info for folder in sorted(folders) for info in ports.store.list(folder)}
    missing = sorted(places.keys() - found.keys())
    if missing:
        raise CorruptState(
            f"{missing[0]} is gone from the archive ({len(missing)} missing in all). Nothing was replayed. Restore it from a"
            " back-up."
        )
    return [
        Arrival(
            key=record.file_key,
            dataset=record.dataset,
            file=file_of(record.file_key),
            size=found[place].size,
            etag=found[place].etag,
            version=record.version,
            archived_at=place,
        )
        for place, record in places.items()
    ]


def _as_listed(arrival: Arrival) -> ObjectInfo:
    return ObjectInfo(key=arrival.key, size=arrival.size, written_at=arrival.version, etag=arrival.etag)


def _as_drop(arrival: Arrival) -> Drop:
    return Drop(dataset=arrival.dataset, file=arrival.file)
