"""Take a batch through its steps, each in its own process, as a state machine calls them.

Each step names its batch and attempt, adopts them through the gate, and ends as superseded where a newer attempt has the
gate. A step may be repeated: it does not do again what an earlier try has done.
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

#: a failure that recurs this often, with a sweep's interval in between, does not pass by itself
MOST_ATTEMPTS: Final = 5


class Validated(StrEnum):
    """How the validation of a batch ended."""

    #: at least one file was accepted: the batch continues
    ACCEPTED = "accepted"
    #: no file was accepted: the originals only have to be archived
    NOTHING_ACCEPTED = "nothing accepted"
    #: the batch was given up; its files are pending again
    GIVEN_UP = "given up"
    #: the batch has no file: it only publishes KPI tables of the shop's own that are new or changed
    NO_FILE = "no file"


class AfterFailure(StrEnum):
    """What became of a batch after one of its steps failed permanently."""

    #: no file was accepted; they are in failed/, with their reasons
    ARCHIVED = "filed away"
    #: its files are pending again
    GIVEN_BACK = "given back"
    #: no file was accepted; not all of them are in failed/ yet, so the call has to be repeated
    NOT_ARCHIVED_YET = "not filed yet"
    #: its verdicts are written, so it can only be completed: by its next attempt, or after somebody unblocks it
    TO_BE_COMPLETED = "to be completed"
    #: it has to be completed, but too many attempts have failed, so a person has to decide
    BLOCKED = "blocked"


def validate(ports: Ports, batch_id: BatchId, attempt: int) -> Validated:
    """Validate every file of the batch."""
    with _adopted(ports, batch_id, attempt) as step:
        verdicts = step.validate(ports.clock.now())
        if verdicts is None:
            return Validated.GIVEN_UP
        if not step.claim.arrivals:
            return Validated.NO_FILE
        share_staged(step.claim, verdicts.reports)
        return Validated.ACCEPTED if verdicts.has_accepted else Validated.NOTHING_ACCEPTED


def transform(ports: Ports, batch_id: BatchId, attempt: int) -> None:
    """Merge the accepted rows into the lake and publish the KPIs that they change."""
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
    """Archive the batch's originals and end it; None where the time ran out, and a repetition continues.

    `on_failed` gets the refused files before the batch ends, so that none is forgotten; after a crash it may get them again.
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
    blocked_for: str | None = None,
    has_time: Callable[[], bool] = lambda: True,
    on_failed: Callable[[Sequence[FailedFile]], None] = lambda _: None,
) -> AfterFailure:
    """End a batch after one of its steps failed permanently, as far as possible.

    Before its verdicts are written, give it up. Afterwards it can only be completed, unless it accepted no file. With
    `blocked_for`, no further try could help: then the batch waits for a person, who reads that.
    """
    with _adopted(ports, batch_id, attempt) as step:
        ports.tell("batch.failed", {"batch_id": batch_id, "attempt": attempt, "cause": cause})
        if not step.claim.arrivals:
            step.give_back(cause if blocked_for is None else blocked_for)
            return AfterFailure.GIVEN_BACK
        if blocked_for is not None:
            step.claim.block(blocked_for)
            return AfterFailure.BLOCKED
        verdicts = read_verdicts(ports.store, batch_id)
        if verdicts is None and step.give_back(cause):
            return AfterFailure.GIVEN_BACK
        if verdicts is None or verdicts.has_accepted:
            if attempt >= MOST_ATTEMPTS:
                step.claim.block(f"{attempt} attempts have failed; the last one with: {cause}.")
                return AfterFailure.BLOCKED
            step.claim.let_go()
            return AfterFailure.TO_BE_COMPLETED
        ended = step.archive(
            verdicts, Transformed(), started_at=_began_at(step), has_time=has_time, on_failed=on_failed
        )
        return AfterFailure.NOT_ARCHIVED_YET if ended is None else AfterFailure.ARCHIVED


def hand_back(ports: Ports, batch_id: BatchId, attempt: int) -> None:
    """End this process's lease of the attempt, if it still holds it, so that another can adopt it at once."""
    while True:
        gate = ports.ledger.gate()
        if (gate.batch_id, gate.attempt, gate.owner) != (batch_id, attempt, ports.owners.me()):
            return
        try:
            ports.ledger.change_gate(gate.let_go(ports.clock.now()))
        except ConflictError:
            # The lease was renewed meanwhile.
            continue
        return


@contextmanager
def _adopted(ports: Ports, batch_id: BatchId, attempt: int) -> Iterator[Attempt]:
    """Hold the batch through the gate while a step runs; Superseded where the gate holds another batch or attempt.

    A breach of the KPIs' invariants blocks the batch; an interrupted step hands it back.
    """
    claim, suspect = _adopt(ports, batch_id, attempt)
    after = None if attempt == 1 else "the previous attempt did not end, and was superseded"
    step = Attempt(claim, after=after, suspect=suspect)
    try:
        with ports.faults(), ports.heartbeat.beating(claim.renew):
            yield step
    except InvariantBreach as breach:
        with suppress(Superseded):
            claim.block(str(breach))
        raise
    except Exception:
        # The caller of the steps retries, or marks the batch as failed.
        raise
    except BaseException:
        with suppress(Superseded):
            claim.let_go()
        raise


def _adopt(ports: Ports, batch_id: BatchId, attempt: int) -> tuple[Claim, str | None]:
    """Take over the attempt in the gate; return it with the file that its last process was reading when it died."""
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
    """Return the verdicts that validation wrote; MachineryError where there are none."""
    batch_id = step.claim.batch_id
    verdicts = read_verdicts(step.claim.ports.store, batch_id)
    if verdicts is None:
        raise MachineryError(f"batch {batch_id} is not validated yet. Run its validation first.")
    return verdicts


def _began_at(step: Attempt) -> datetime:
    """Return when the attempt began, as its first step recorded; one that was resumed later begins with this step."""
    claim = step.claim
    document = read_document(claim.ports.store, layout.attempt(claim.batch_id, claim.gate.attempt), ATTEMPT)
    return claim.ports.clock.now() if document is None else layout.parse_instant(document["began_at"])


def _keep(ports: Ports, batch_id: BatchId, transformed: Transformed) -> None:
    """Keep what the transformation did, because the batch's last step does not read the lake."""
    if transformed.commit is None and not transformed.published.keys:
        return
    document = {
        "schema_version": 1,
        "batch_id": batch_id,
        "commit": None if transformed.commit is None else transformed.commit.number,
        "published": dict(transformed.published.keys),
        "overtaken": transformed.published.overtaken,
        "orphans": transformed.orphans,
        **({"warnings": dict(warnings)} if (warnings := transformed.published.warnings) else {}),
    }
    ports.store.create(layout.published(batch_id), to_json(document))


def _read_kept(ports: Ports, batch_id: BatchId) -> Transformed:
    """Return what the batch's transformation kept; an empty value where it did not run or had nothing to do."""
    document = read_document(ports.store, layout.published(batch_id), PUBLISHED)
    if document is None:
        return Transformed()
    return Transformed(
        commit=None if document["commit"] is None else read_commit(ports.store, document["commit"]),
        published=Published(
            keys=document["published"], overtaken=document["overtaken"], warnings=document.get("warnings", {})
        ),
        orphans=document["orphans"],
    )
