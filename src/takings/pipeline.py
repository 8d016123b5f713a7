"""Tell the story of a store: look, decide, dispatch a batch, and take up one that somebody left unfinished.

What happens to a batch stands in `attempt.py`. The point of no return is the first merge: verdicts and affected keys are
written, once, before it; from then on a batch can only be completed.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from takings import gate, layout
from takings.arrivals import Arrival, Sighting, fix_versions, sight
from takings.attempt import Attempt, newest_commit
from takings.batching import Decision, Dispatch, Hold, NothingPending, Pending, WaitUntil, decide
from takings.errors import ConflictError, InvariantBreach, MachineryError, Superseded
from takings.gate import Gate, GateState
from takings.lineage import RETURNED_TO_PENDING
from takings.manifest import Manifest, write_manifest
from takings.outcome import BatchOutcome, outcome_document
from takings.ports import Ports
from takings.store_format import fix_format

#: beside a living owner: how often to look whether it is done
_POLL_SECONDS: Final = 0.2


@dataclass(frozen=True, kw_only=True)
class RunOutcome:
    """What a run did, and what it left waiting."""

    batches: tuple[BatchOutcome, ...]
    decision: Decision
    sighting: Sighting


def run(ports: Ports, *, at_once: bool) -> RunOutcome:
    """Process what is pending, batch after batch, until the policy says to wait.

    A batch that somebody left unfinished is completed first; beside a living owner this waits.
    """
    batches: list[BatchOutcome] = []
    while True:
        state = ports.ledger.gate()
        if state.state is GateState.BLOCKED:
            raise MachineryError(f"batch {state.batch_id} is blocked: {state.reason} Then run `takings unblock`.")
        if state.has_batch and (gate.is_abandoned(state, ports.clock.now()) or ports.owners.is_dead(state.owner)):
            batches += _finished(resume(ports, state))
        elif state.has_batch:
            ports.clock.sleep(_POLL_SECONDS)
        else:
            sighting, decision = look(ports, state, at_once=at_once)
            if not isinstance(decision, Dispatch):
                return RunOutcome(batches=tuple(batches), decision=decision, sighting=sighting)
            batches += _finished(dispatch(ports, state, decision.drops))


def _finished(outcome: BatchOutcome | None) -> list[BatchOutcome]:
    return [] if outcome is None else [outcome]


def look(ports: Ports, state: Gate, *, at_once: bool) -> tuple[Sighting, Decision]:
    """List raw-data/ and decide; a first deadline, or a change of what is pending, is kept in the gate."""
    sighting = sight(ports.store.list(layout.RAW))
    decision = decide(
        sighting.drops,
        state.landed,
        ports.batch_policy,
        deadline=state.deadline,
        now=ports.clock.now(),
        at_once=at_once,
    )
    pending = Counter(drop.dataset for _, drop in sighting.drops)
    deadline = decision.deadline if isinstance(decision, WaitUntil) else None
    if not isinstance(decision, Dispatch) and (state.deadline != deadline or dict(state.pending) != dict(pending)):
        try:
            ports.ledger.change_gate(gate.waiting(state, deadline, pending))
        except ConflictError:
            return look(ports, ports.ledger.gate(), at_once=at_once)
    return sighting, decision


def dispatch(ports: Ports, state: Gate, drops: tuple[Pending, ...]) -> BatchOutcome | None:
    """Form a batch of these files and run it; None where another instance was first."""
    fix_format(ports.store, ports.time_zone)
    now = ports.clock.now()
    manifest = Manifest(
        batch_id=layout.new_batch_id(now, ports.owners.token()),
        now=now,
        package_version=ports.package_version,
        time_zone=ports.time_zone,
        contracts=ports.contracts.hash,
        settings=ports.outcome_settings,
        arrivals=_version_drops(ports, drops, now),
    )
    ports.store.create(layout.manifest(manifest.batch_id), write_manifest(manifest))
    try:
        claimed = ports.ledger.change_gate(gate.claimed(state, manifest.batch_id, ports.owners.me(), now))
    except ConflictError:
        return None
    ports.tell("batch.dispatched", {"batch_id": manifest.batch_id, "files": len(manifest.arrivals)})
    return _work(ports, claimed)


def resume(ports: Ports, state: Gate) -> BatchOutcome | None:
    """Take over a batch without a living owner, as its next attempt; None where it was given up or another was first."""
    try:
        claimed = ports.ledger.change_gate(gate.resumed(state, ports.owners.me(), ports.clock.now()))
    except ConflictError:
        return None
    ports.tell("batch.resumed", {"batch_id": claimed.batch_id, "attempt": claimed.attempt})
    return _work(ports, claimed)


def _version_drops(ports: Ports, drops: tuple[Pending, ...], now: datetime) -> tuple[Arrival, ...]:
    known = ports.ledger.newest_versions([info.key for info, _ in drops])
    arrivals = fix_versions(drops, {key: record.version for key, record in known.items()}, now)
    kept = [
        # The same bytes, given back by an earlier batch, keep the version of their first sight.
        replace(arrival, version=known[arrival.key].version)
        if arrival.key in known
        and known[arrival.key].reason == RETURNED_TO_PENDING
        and known[arrival.key].etag == arrival.etag
        else arrival
        for arrival in arrivals
    ]
    return tuple(sorted(kept, key=lambda arrival: (arrival.version, arrival.key)))


def _work(ports: Ports, claimed: Gate) -> BatchOutcome | None:
    """Run the batch of the gate to its end; whatever stops it leaves a batch that can be resumed."""
    attempt = Attempt(ports=ports, gate=claimed)
    try:
        with ports.heartbeat.beating(attempt.renew):
            return attempt.run()
    except Superseded:
        raise
    except InvariantBreach as breach:
        reason = str(breach)
        attempt.change(lambda current: gate.blocked(current, reason))
        raise
    except BaseException:
        # The first error is the one to tell; an attempt that has lost the gate has nothing to let go.
        with suppress(Superseded):
            attempt.let_go()
        raise


__all__ = [
    "BatchOutcome",
    "Hold",
    "NothingPending",
    "Ports",
    "RunOutcome",
    "WaitUntil",
    "decide",
    "dispatch",
    "newest_commit",
    "outcome_document",
    "resume",
    "run",
]
