"""Take a batch through its steps in processes of their own, as a state machine calls them one after the other.

Each step names the batch and the attempt that it belongs to, adopts them through the gate, and ends as superseded where a
newer attempt has the gate. A step may be repeated: whatever an earlier try has done is not done again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from enum import StrEnum
from typing import Final

from takings import layout
from takings.archive.outcome import BatchOutcome
from takings.batch.archive import FailedFile
from takings.batch.attempt import Attempt, Transformed
from takings.batch.claim import Claim
from takings.batch.commits import read_commit
from takings.batch.publish import Published
from takings.batch.staging import share_staged
from takings.batch.verdicts import BatchVerdicts, read_verdicts
from takings.documents import ATTEMPT, PUBLISHED, read_document
from takings.errors import ConflictError, InvariantBreach, MachineryError, Superseded
from takings.intake.gate import GateState
from takings.intake.manifest import to_json
from takings.intake.next_action import blocked_message
from takings.layout import BatchId
from takings.ports import Ports

#: what fails so often in a row, with the time between two sweeps in between, does not pass by itself
MOST_ATTEMPTS: Final = 5


class Validated(StrEnum):
    """How the validation of a batch ended."""

    #: some file was accepted: the batch goes on
    ACCEPTED = "accepted"
    #: nothing was: the originals only have to be archived
    NOTHING_ACCEPTED = "nothing accepted"
    #: the batch was given up, its files are pending again
    GIVEN_UP = "given up"


class AfterFailure(StrEnum):
    """What became of a batch of which a step failed permanently."""

    #: nothing of it was accepted; its files are in failed/, with their reasons
    ARCHIVED = "filed away"
    #: its files are pending again
    GIVEN_BACK = "given back"
    #: nothing of it was accepted; its files are on their way to failed/, which has to be repeated
    NOT_ARCHIVED_YET = "not filed yet"
    #: its verdicts are written, so that it can only be completed: by its next attempt, or once somebody has unblocked it
    TO_BE_COMPLETED = "to be completed"
    #: it has to be completed, but so many attempts have failed that a person is asked
    BLOCKED = "blocked"


def validate(ports: Ports, batch_id: BatchId, attempt: int) -> Validated:
    """Validate every file of the batch."""
    with _adopted(ports, batch_id, attempt) as step:
        verdicts = step.validate(ports.clock.now())
        if verdicts is None:
            return Validated.GIVEN_UP
        share_staged(step.claim, verdicts.reports)
        return Validated.ACCEPTED if verdicts.has_accepted else Validated.NOTHING_ACCEPTED


def transform(ports: Ports, batch_id: BatchId, attempt: int) -> None:
    """Merge what was accepted into the lake and publish the KPIs that it changes."""
    with _adopted(ports, batch_id, attempt) as step:
        _keep(ports, batch_id, step.transform(_verdicts(step)))


def archive(
    ports: Ports,
    batch_id: BatchId,
    attempt: int,
    *,
    has_time: Callable[[], bool] = lambda: True,
    on_failed: Callable[[Sequence[FailedFile]], None] = lambda _: None,
) -> BatchOutcome | None:
    """Archive the batch's originals and end it; None where the time was over before: repeated, it goes on.

    Refused files are told before the batch ends, so that none is forgotten; after a crash they may be told again.
    """
    with _adopted(ports, batch_id, attempt) as step:
        verdicts = _verdicts(step)
        kept = _read_kept(ports, batch_id)
        if verdicts.has_accepted and kept.commit is None:
            raise MachineryError(f"batch {batch_id} is not published yet. Run its transformation first.")
        return step.archive(verdicts, kept, started_at=_began_at(step), has_time=has_time, on_failed=on_failed)


def mark_failed(
    ports: Ports,
    batch_id: BatchId,
    attempt: int,
    cause: str,
    *,
    has_time: Callable[[], bool] = lambda: True,
    on_failed: Callable[[Sequence[FailedFile]], None] = lambda _: None,
) -> AfterFailure:
    """End a batch of which a step failed permanently, as far as it can be ended.

    Before its verdicts are written, it is given up; afterwards it can only be completed, but for one that has accepted nothing.
    """
    with _adopted(ports, batch_id, attempt) as step:
        ports.tell("batch.failed", {"batch_id": batch_id, "attempt": attempt, "cause": cause})
        verdicts = read_verdicts(ports.store, batch_id)
        if verdicts is None and step.give_back(cause):
            return AfterFailure.GIVEN_BACK
        if verdicts is None or verdicts.has_accepted:
            if attempt >= MOST_ATTEMPTS:
                step.claim.block(f"{attempt} attempts have failed, the last of them so: {cause}.")
                return AfterFailure.BLOCKED
            step.claim.let_go()
            return AfterFailure.TO_BE_COMPLETED
        ended = step.archive(
            verdicts, Transformed(), started_at=_began_at(step), has_time=has_time, on_failed=on_failed
        )
        return AfterFailure.NOT_ARCHIVED_YET if ended is None else AfterFailure.ARCHIVED


def hand_back(ports: Ports, batch_id: BatchId, attempt: int) -> None:
    """End this process's lease of the attempt, if it still has it, so that another can adopt it at once."""
    while True:
        gate = ports.ledger.gate()
        if (gate.batch_id, gate.attempt, gate.owner) != (batch_id, attempt, ports.owners.me()):
            return
        try:
            ports.ledger.change_gate(gate.let_go(ports.clock.now()))
        except ConflictError:
            # Its lease was renewed meanwhile.
            continue
        return


@contextmanager
def _adopted(ports: Ports, batch_id: BatchId, attempt: int) -> Iterator[Attempt]:
    """Hold the batch through the gate while a step runs; Superseded where the gate holds another batch or attempt.

    A breach of the KPIs' invariants blocks the batch; who is interrupted hands it back.
    """
    claim, suspect = _adopt(ports, batch_id, attempt)
    after = None if attempt == 1 else "the attempt before did not end, and was superseded"
    step = Attempt(claim, after=after, suspect=suspect)
    try:
        with ports.faults(), ports.heartbeat.beating(claim.renew):
            yield step
    except InvariantBreach as breach:
        with suppress(Superseded):
            claim.block(str(breach))
        raise
    except Exception:
        # Who runs the steps tries again, or has the batch marked as failed.
        raise
    except BaseException:
        with suppress(Superseded):
            claim.let_go()
        raise


def _adopt(ports: Ports, batch_id: BatchId, attempt: int) -> tuple[Claim, str | None]:
    """Take the attempt over in the gate; return with it the file that its last process was reading when it died."""
    while True:
        gate = ports.ledger.gate()
        if not gate.has_batch or (gate.batch_id, gate.attempt) != (batch_id, attempt):
            raise Superseded(f"batch {batch_id}: attempt {attempt} has ended, or lost the gate to a newer one.")
        if gate.state is GateState.BLOCKED:
            raise MachineryError(blocked_message(batch_id, gate.reason))
        try:
            adopted = ports.ledger.change_gate(gate.adopted(ports.owners.me(), ports.clock.now()))
        except ConflictError:
            continue
        return Claim(ports=ports, gate=adopted), gate.reading


def _verdicts(step: Attempt) -> BatchVerdicts:
    """Return the verdicts that validation has written; MachineryError where it has not."""
    batch_id = step.claim.batch_id
    verdicts = read_verdicts(step.claim.ports.store, batch_id)
    if verdicts is None:
        raise MachineryError(f"batch {batch_id} is not judged yet. Run its validation first.")
    return verdicts


def _began_at(step: Attempt) -> datetime:
    """Return when the attempt began, as its first step has noted; one that was resumed later begins with this step."""
    claim = step.claim
    document = read_document(claim.ports.store, layout.attempt(claim.batch_id, claim.gate.attempt), ATTEMPT)
    return claim.ports.clock.now() if document is None else layout.parse_instant(document["began_at"])


def _keep(ports: Ports, batch_id: BatchId, transformed: Transformed) -> None:
    """Keep what the transformation did for the batch's last step, which does not look into the lake."""
    if transformed.commit is None:
        return
    document = {
        "schema_version": 1,
        "batch_id": transformed.commit.batch_id,
        "commit": transformed.commit.number,
        "published": dict(transformed.published.keys),
        "overtaken": transformed.published.overtaken,
        "orphans": transformed.orphans,
    }
    ports.store.create(layout.published(batch_id), to_json(document))


def _read_kept(ports: Ports, batch_id: BatchId) -> Transformed:
    """Return what the batch's transformation has kept; nothing where it was not done, or had nothing to do."""
    document = read_document(ports.store, layout.published(batch_id), PUBLISHED)
    if document is None:
        return Transformed()
    return Transformed(
        commit=read_commit(ports.store, document["commit"]),
        published=Published(keys=document["published"], overtaken=document["overtaken"]),
        orphans=document["orphans"],
    )
