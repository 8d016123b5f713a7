"""Run a store: look, decide, dispatch a batch, and resume one that somebody left unfinished.

`batch/attempt.py` has the steps of a batch. The point of no return is the first merge: verdicts and affected keys are written,
once, before it; afterwards a batch can only be completed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, assert_never

from takings import layout
from takings.archive.lineage import RETURNED_TO_PENDING
from takings.archive.outcome import BatchOutcome, outcome_document
from takings.batch.attempt import Attempt
from takings.batch.claim import Claim
from takings.batch.publish import definitions
from takings.batch.store_format import fix_format
from takings.contracts.datasets import SourceName
from takings.errors import (
    ConflictError,
    ContractError,
    CorruptState,
    InvariantBreach,
    MachineryError,
    Superseded,
    UsageError,
    cause_of,
)
from takings.intake.arrivals import Arrival, Sighting, fix_versions, sight
from takings.intake.batching import Decision, Dispatch, Hold, NothingPending, Pending, WaitUntil, decide
from takings.intake.gate import TRY_AGAIN, Gate
from takings.intake.manifest import Manifest, write_manifest
from takings.intake.next_action import Blocked, Busy, Look, NextAction, Resume, blocked_message, next_action
from takings.ports import Ports
from takings.runs.own_kpis import catch_up

#: how often to check whether another living owner is done
_POLL_SECONDS: Final = 0.2
#: between the attempts of a batch that fails; a transient cause is gone by then, and any other will stay
_BACK_OFF_SECONDS: Final = (1.0, 4.0)


@dataclass(frozen=True, kw_only=True)
class RunOutcome:
    """What a run did, and what it left waiting."""

    #: without those that were handed to `ended`
    batches: tuple[BatchOutcome, ...]
    decision: Decision
    sighting: Sighting
    #: keys per KPI table of the shop's own that was published beside batches
    caught_up: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Worked:
    """A batch was taken as far as possible."""

    #: None where the batch was given up or another instance was first
    outcome: BatchOutcome | None


@dataclass(frozen=True, kw_only=True)
class Rest:
    """There is nothing to do yet."""

    decision: Decision
    sighting: Sighting
    #: keys per KPI table of the shop's own that was new or changed, and is published now
    caught_up: Mapping[str, int] = field(default_factory=dict)


StepResult = Worked | Busy | Blocked | Rest


def run(ports: Ports, *, at_once: bool, ended: Callable[[BatchOutcome], None] | None = None) -> RunOutcome:
    """Process pending files, batch after batch, until the policy says to wait.

    First complete a batch that somebody left unfinished; if its owner is alive, wait for it. With `ended`, hand each batch
    over when it ends and keep none: there may be hundreds, of a thousand files each.
    """
    batches: list[BatchOutcome] = []
    began = ports.clock.now()
    hand_over = batches.append if ended is None else ended
    while True:
        match done := step(ports, at_once=at_once, since=began):
            case Worked(outcome=BatchOutcome() as outcome):
                hand_over(outcome)
            case Worked():
                pass
            case Busy():
                ports.clock.sleep(_POLL_SECONDS)
            case Blocked(batch_id=batch_id, reason=reason):
                raise MachineryError(blocked_message(batch_id, reason))
            case Rest(decision=decision, sighting=sighting, caught_up=caught_up):
                return RunOutcome(
                    batches=tuple(batches),
                    decision=decision,
                    sighting=sighting,
                    caught_up={**caught_up, **catch_up(ports, retries=True)},
                )
            case _:
                assert_never(done)


def step(ports: Ports, *, at_once: bool, since: datetime | None = None) -> StepResult:
    """Take the next action on the store, one batch at most; leave alone files that could not be read after `since`."""
    gate = ports.ledger.gate()
    match action := _next_action(ports, gate):
        case Blocked() | Busy():
            return action
        case Resume():
            return Worked(outcome=resume(ports, gate))
        case Look():
            sighting, decision = look(ports, gate, at_once=at_once, since=since)
            if isinstance(decision, Dispatch):
                return Worked(outcome=dispatch(ports, gate, decision.drops))
            return Rest(decision=decision, sighting=sighting, caught_up=catch_up(ports))


def free_gate(ports: Ports) -> Gate:
    """Return the gate once no batch is in flight: wait for a living owner, finish the batch of a dead one."""
    while True:
        gate = ports.ledger.gate()
        match _next_action(ports, gate):
            case Blocked(batch_id=batch_id, reason=reason):
                raise MachineryError(blocked_message(batch_id, reason))
            case Resume():
                resume(ports, gate)
            case Busy():
                ports.clock.sleep(_POLL_SECONDS)
            case Look():
                return gate


def _next_action(ports: Ports, gate: Gate) -> NextAction:
    """Return what to do next; take over at once a batch whose owner is dead, or which this process failed to release."""
    owners = ports.owners
    return next_action(gate, ports.clock.now(), lambda owner: owners.is_dead(owner) or owner == owners.me())


def look(ports: Ports, gate: Gate, *, at_once: bool, since: datetime | None = None) -> tuple[Sighting, Decision]:
    """List raw-data/ and decide; keep a first deadline, or a change of what is pending, in the gate.

    A suspect (a process died while reading it) goes alone, and only when no other file is dispatched. A file that could not be
    read is left alone for some minutes; with `since`, if it failed after `since`. A file that could not be removed is left
    alone permanently.
    """
    listing = tuple(ports.store.list(layout.RAW))
    sources = ports.contracts.sources
    unread = gate.left_alone(since or ports.clock.now() - TRY_AGAIN)
    sighting = sight(listing, unread, sources=sources.folders)
    still_there = {(info.key, info.etag) for info in listing} if gate.left else set()
    left = tuple(each for each in gate.left if (each.key, each.etag) in still_there)
    suspected = tuple(drop for drop in sighting.drops if gate.deaths_of(drop[0].key, drop[0].etag))
    decision = decide(
        tuple(drop for drop in sighting.drops if drop not in suspected),
        gate.landed,
        ports.batch_policy,
        deadline=gate.deadline,
        now=ports.clock.now(),
        at_once=at_once,
        sources=sources,
    )
    if not isinstance(decision, Dispatch) and suspected:
        decision = Dispatch(drops=suspected[:1])
    pending = Counter(drop.dataset for _, drop in sighting.drops)
    deadline = decision.deadline if isinstance(decision, WaitUntil) else None
    noted = (gate.deadline, dict(gate.pending), gate.left)
    if not isinstance(decision, Dispatch) and noted != (deadline, dict(pending), left):
        try:
            ports.ledger.change_gate(gate.waiting(deadline, pending, left))
        except ConflictError:
            # The gate now belongs to a batch; the look after it notes what waits.
            current = ports.ledger.gate()
            if not current.has_batch:
                return look(ports, current, at_once=at_once, since=since)
    return sighting, decision


def dispatch(ports: Ports, gate: Gate, drops: tuple[Pending, ...]) -> BatchOutcome | None:
    """Form a batch of these files and run it; None where another instance was first."""
    claimed = claim_batch(ports, gate, drops)
    return None if claimed is None else _work(ports, claimed)


def claim_batch(ports: Ports, gate: Gate, drops: tuple[Pending, ...]) -> Gate | None:
    """Form a batch of these files and take it through the gate; None where another instance was first."""
    now = ports.clock.now()
    return _claim(ports, gate, _manifest(ports, _version_drops(ports, drops, now), now))


def claim_publication(ports: Ports, gate: Gate) -> Gate | None:
    """Take a batch without files through the gate, which publishes what is due; None where another instance was first."""
    return _claim(ports, gate, _manifest(ports, (), ports.clock.now()))


def form(ports: Ports, gate: Gate, arrivals: tuple[Arrival, ...], now: datetime) -> BatchOutcome | None:
    """Form a batch of arrivals whose versions are fixed and run it; None where another instance was first."""
    return start(ports, gate, _manifest(ports, arrivals, now))


def start(ports: Ports, gate: Gate, manifest: Manifest) -> BatchOutcome | None:
    """Run the batch of a manifest; None where another instance was first."""
    claimed = _claim(ports, gate, manifest)
    return None if claimed is None else _work(ports, claimed)


def _manifest(ports: Ports, arrivals: tuple[Arrival, ...], now: datetime) -> Manifest:
    return Manifest(
        batch_id=layout.new_batch_id(now, ports.owners.token()),
        now=now,
        package_version=ports.package_version,
        time_zone=ports.time_zone,
        contracts=ports.contracts.hash,
        sources=ports.contracts.sources.hash,
        kpis=definitions(ports),
        settings=ports.outcome_settings,
        arrivals=arrivals,
    )


def _claim(ports: Ports, gate: Gate, manifest: Manifest) -> Gate | None:
    _check_sources(ports, manifest)
    ports.store.check_writable(arrival.source for arrival in manifest.arrivals)
    fix_format(ports.store, ports.time_zone, ports.contracts)
    ports.store.create(layout.manifest(manifest.batch_id), write_manifest(manifest))
    claim = gate.claimed(manifest.batch_id, ports.owners.me(), ports.clock.now())
    try:
        claimed = ports.ledger.change_gate(claim)
    except ConflictError:
        return None
    ports.tell("batch.dispatched", {"batch_id": manifest.batch_id, "files": len(manifest.arrivals)})
    return claimed


def _check_sources(ports: Ports, manifest: Manifest) -> None:
    """Raise ContractError where an archived file is of a source that is gone: nothing could complete its batch."""
    known = ports.contracts.sources.by_name
    for arrival in manifest.arrivals:
        if isinstance(arrival.dataset, SourceName) and arrival.dataset not in known:
            raise ContractError(
                f"{arrival.key} is a file of the source '{arrival.dataset}', which the contracts do not have. Put the folder"
                f" sources/{arrival.dataset} back and run again."
            )


def resume(ports: Ports, gate: Gate) -> BatchOutcome | None:
    """Take over a batch without a living owner, as its next attempt; None where it was given up or another was first."""
    try:
        claimed = ports.ledger.change_gate(gate.resumed(ports.owners.me(), ports.clock.now()))
    except ConflictError:
        return None
    ports.tell("batch.resumed", {"batch_id": claimed.batch_id, "attempt": claimed.attempt})
    # A process that ends in order releases the batch; an owner that did not has died, maybe of what it was reading.
    if gate.owner is None:
        return _work(ports, claimed, after="the previous attempt stopped in order, before it was done")
    return _work(
        ports, claimed, after=f"{gate.owner} died or stopped responding, and was superseded", suspect=gate.reading
    )


def _version_drops(ports: Ports, drops: tuple[Pending, ...], now: datetime) -> tuple[Arrival, ...]:
    known = ports.ledger.newest_versions([info.key for info, _ in drops])
    arrivals = fix_versions(drops, {key: record.version for key, record in known.items()}, now)
    kept = [
        # The same bytes, given back by an earlier batch, keep the version from when they were first seen.
        replace(arrival, version=known[arrival.key].version)
        if arrival.key in known
        and known[arrival.key].reason == RETURNED_TO_PENDING
        and known[arrival.key].etag == arrival.etag
        else arrival
        for arrival in arrivals
    ]
    return tuple(sorted(kept, key=lambda arrival: (arrival.version, arrival.key)))


def _work(ports: Ports, claimed: Gate, *, after: str | None = None, suspect: str | None = None) -> BatchOutcome | None:
    """Run the gate's batch to its end; retry what fails, as the batch's next attempt.

    If it keeps failing, the files go back to pending. After the point of no return they stay with the batch, and it can be
    resumed.
    """
    attempt = Attempt(Claim(ports=ports, gate=claimed), after=after, suspect=suspect)
    pauses = iter(_BACK_OFF_SECONDS)
    while True:
        try:
            with ports.faults(), ports.heartbeat.beating(attempt.claim.renew):
                return attempt.run()
        except Superseded:
            raise
        except InvariantBreach as breach:
            attempt.claim.block(str(breach))
            ports.tell("batch.blocked", {"batch_id": claimed.batch_id, "reason": str(breach)})
            raise
        except (UsageError, CorruptState):
            _let_go(attempt)
            raise
        except Exception as fault:
            if (next_attempt := _try_again(attempt, fault, next(pauses, None))) is None:
                raise
            attempt = next_attempt
        except BaseException:
            _let_go(attempt)
            raise


def _let_go(attempt: Attempt) -> None:
    # The first error is the one to report; an attempt that has lost the gate has nothing to release.
    with suppress(Superseded):
        attempt.claim.let_go()


def _try_again(attempt: Attempt, fault: Exception, pause: float | None) -> Attempt | None:
    """Wait and return the next attempt; None after enough of them, and the files are given back if possible."""
    claim, ports = attempt.claim, attempt.claim.ports
    try:
        if pause is None:
            if not attempt.give_up(f"it failed {len(_BACK_OFF_SECONDS) + 1} times: {fault}"):
                attempt.claim.let_go()
            return None
        claim.change(lambda current: current.resumed(ports.owners.me(), ports.clock.now()))
    except Exception as also:  # noqa: BLE001 - whatever keeps the gate from being written, the first fault is reported
        fault.add_note(f"The batch could not be released either: {cause_of(also)}")
        return None
    ports.tell("batch.retrying", {"batch_id": claim.batch_id, "fault": cause_of(fault), "in_seconds": pause})
    ports.clock.sleep(pause)
    return Attempt(Claim(ports=ports, gate=claim.gate), after=f"the previous attempt failed: {cause_of(fault)}")


__all__ = [
    "BatchOutcome",
    "Blocked",
    "Busy",
    "Hold",
    "NothingPending",
    "Ports",
    "Rest",
    "RunOutcome",
    "StepResult",
    "WaitUntil",
    "Worked",
    "claim_batch",
    "claim_publication",
    "decide",
    "dispatch",
    "outcome_document",
    "resume",
    "run",
    "step",
]
