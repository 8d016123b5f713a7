"""A batch whose steps run in separate processes ends like one that a single process runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from takings import layout
from takings.errors import InvariantBreach, MachineryError, Superseded
from takings.intake.batching import Hold
from takings.intake.gate import LEASE, Gate, GateState
from takings.intake.next_action import Blocked, Busy
from takings.layout import BatchId
from takings.runs import steps
from takings.runs.detect import Started, detect
from takings.runs.pipeline import Rest, WaitUntil
from takings.runs.steps import AfterFailure, Validated
from takings.validation.findings import Verdict
from tests.shop import drop, drop_all, expected, files, lineage, new_store, opened, published, run

STEPS: tuple[Callable[..., object], ...] = (steps.validate, steps.transform, steps.archive)
AFTER_THE_LEASE = LEASE + timedelta(seconds=1)


@dataclass
class Noted:
    """Executions that are only recorded; a test runs the steps."""

    started: list[tuple[BatchId, int]] = field(default_factory=list)
    running: set[tuple[BatchId, int]] = field(default_factory=set)
    #: the last one asked for
    deadline: datetime | None = None

    def start(self, batch_id: BatchId, attempt: int) -> None:
        self.started.append((batch_id, attempt))

    def is_running(self, batch_id: BatchId, attempt: int) -> bool:
        return (batch_id, attempt) in self.running

    def wake_at(self, deadline: datetime | None) -> None:
        self.deadline = deadline


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a store with one file of each dataset pending."""
    return drop_all(new_store(tmp_path / "shop"))


def begin(root: Path) -> BatchId:
    """Hand over what is pending, and return the batch."""
    with opened(root) as shop:
        started = detect(shop.ports, Noted(), at_once=True)
    assert isinstance(started, Started)
    return started.batch_id


def do(step: Callable[..., Any], root: Path, batch_id: BatchId, attempt: int = 1, *more: Any, **options: Any) -> Any:
    """Run a step as its own process does: with its own store."""
    asked = {name: options.pop(name) for name in ("has_time", "on_failed") if name in options}
    with opened(root, **options) as shop:
        return step(shop.ports, batch_id, attempt, *more, **asked)


def named(owners: Any, name: str) -> Any:
    """Return the owners as another process sees them."""

    class Another:
        def __getattr__(self, method: str) -> Any:
            return (lambda: name) if method == "me" else getattr(owners, method)

    return Another()


def gate_of(root: Path) -> Gate:
    with opened(root) as shop:
        return shop.ports.ledger.gate()


def verdicts(root: Path) -> list[tuple[str, Verdict | None]]:
    """Return how each file's history ended."""
    return [(record.file_key, record.verdict) for record in lineage(root)]


def verdict_reason(root: Path, key: str) -> str | None:
    """Return why a file was refused, according to its lineage."""
    (reason,) = [record.reason for record in lineage(root) if record.file_key == key]
    assert reason is not None
    return reason


class TestSteps:
    """validate, transform, archive."""

    def test_together_they_are_a_run(self, root: Path, tmp_path: Path) -> None:
        """KPIs, lineage and archive are the same as with one process."""
        other = new_store(tmp_path / "other")
        for file in sorted((root / "raw-data").rglob("*.csv")):
            drop(other, file.relative_to(root / "raw-data").as_posix(), file.read_bytes(), written_at=None)
        run(other)
        batch_id = begin(root)
        assert do(steps.validate, root, batch_id) is Validated.ACCEPTED
        do(steps.transform, root, batch_id)
        outcome = do(steps.archive, root, batch_id)
        assert (outcome.commit, dict(outcome.published)) == (1, {"OrderKPIs": 2, "CategoryKPIs": 3})
        assert published(root) == published(other) == expected(root)
        assert files(root, "processed", "failed") == files(other, "processed", "failed")
        assert verdicts(root) == verdicts(other)
        assert (gate_of(root).state, gate_of(root).last_commit) == (GateState.IDLE, 1)

    def test_each_may_be_repeated(self, root: Path) -> None:
        """A state machine repeats a step whose answer it did not receive."""
        batch_id = begin(root)
        for step in STEPS[:2]:
            do(step, root, batch_id)
            do(step, root, batch_id)
        do(steps.archive, root, batch_id)
        assert published(root) == expected(root)
        with pytest.raises(Superseded, match="has ended, or lost the gate"):
            do(steps.archive, root, batch_id)

    @pytest.mark.parametrize("step", STEPS)
    def test_a_newer_attempt_makes_them_end_without_a_side_effect(
        self, root: Path, step: Callable[..., object]
    ) -> None:
        """The gate names attempt 2; attempt 1 does nothing more."""
        batch_id = begin(root)
        with opened(root) as shop:
            gate = shop.ports.ledger.gate()
            shop.ports.ledger.change_gate(gate.resumed("somebody", shop.ports.clock.now()))
        before = gate_of(root)
        with pytest.raises(Superseded):
            do(step, root, batch_id)
        assert gate_of(root) == before
        assert files(root, "processed", "failed", "lake/commits") == []

    def test_a_second_process_of_a_step_supersedes_the_first(self, root: Path) -> None:
        """A task that was given up but still runs loses the gate to its replacement."""
        batch_id = begin(root)
        do(steps.validate, root, batch_id)
        with opened(root) as slow:

            class Late:
                def __getattr__(self, name: str) -> Any:
                    if name == "prepare":
                        do(steps.transform, root, batch_id)
                    return getattr(slow.ports.tables, name)

            tables: Any = Late()
            ports = replace(slow.ports, tables=tables, owners=named(slow.ports.owners, "another:1:1:a"))
            with pytest.raises(Superseded):
                steps.transform(ports, batch_id, 1)
        assert do(steps.archive, root, batch_id).commit == 1
        assert published(root) == expected(root)

    def test_none_goes_before_the_one_it_builds_on(self, root: Path) -> None:
        """Nothing is archived before it is validated or published."""
        batch_id = begin(root)
        with pytest.raises(MachineryError, match=r"is not validated yet\. Run its validation first"):
            do(steps.archive, root, batch_id)
        do(steps.validate, root, batch_id)
        with pytest.raises(MachineryError, match=r"is not published yet\. Run its transformation first"):
            do(steps.archive, root, batch_id)
        assert files(root, "processed", "failed") == []

    def test_files_of_which_none_is_accepted_are_only_filed_away(self, tmp_path: Path) -> None:
        """There is nothing to transform, and no commit."""
        root = drop(new_store(tmp_path / "shop"), "orders/bad.csv", b"id\n1\n").parents[2]
        batch_id = begin(root)
        assert do(steps.validate, root, batch_id) is Validated.NOTHING_ACCEPTED
        do(steps.transform, root, batch_id)
        assert do(steps.archive, root, batch_id).commit is None
        assert files(root, "failed") == ["failed/orders/bad.csv", "failed/orders/bad.csv.reason.json"]

    def test_filing_away_goes_on_where_the_time_was_over(self, root: Path) -> None:
        """A function with a time limit is started again; no file is copied twice."""
        batch_id = begin(root)
        for step in STEPS[:2]:
            do(step, root, batch_id)
        for taken in (1, 2, 3):
            times = iter([True, False])
            outcome = do(steps.archive, root, batch_id, has_time=lambda times=times: next(times))
            assert (len(files(root, "processed")), outcome is None) == (taken, taken < 3)
        assert verdicts(root) == [(key, Verdict.ACCEPTED) for key, _ in verdicts(root)]
        assert gate_of(root).state is GateState.IDLE

    def test_refused_files_are_told_before_the_batch_ends(self, root: Path) -> None:
        """A process that dies in between reports them again; nobody would ask a batch that has ended."""
        drop(root, "orders/bad.csv", b"id\n1\n")
        batch_id = begin(root)
        for step in STEPS[:2]:
            do(step, root, batch_id)
        told: list[tuple[str, str | None, GateState]] = []
        do(
            steps.archive,
            root,
            batch_id,
            on_failed=lambda failed: told.extend((file.key, file.reason, gate_of(root).state) for file in failed),
        )
        assert told == [("raw-data/orders/bad.csv", verdict_reason(root, "raw-data/orders/bad.csv"), GateState.RUNNING)]

    def test_a_file_that_kills_its_reader_is_set_aside(self, root: Path) -> None:
        """The repeated step finds out what the dead process was reading, and the batch continues without it."""
        batch_id = begin(root)
        with opened(root) as shop:
            gate = shop.ports.ledger.gate()
            shop.ports.ledger.change_gate(gate.now_reading("raw-data/orders/a.csv"))
        assert do(steps.validate, root, batch_id) is Validated.GIVEN_UP
        gate = gate_of(root)
        assert (gate.state, [suspect.deaths for suspect in gate.suspects]) == (GateState.IDLE, [1])

    def test_an_interrupted_step_hands_its_batch_back(self, root: Path) -> None:
        """Nobody owns it, and nothing is suspected: it can be resumed at once."""
        batch_id = begin(root)
        with opened(root) as shop:

            class Interrupted:
                def __getattr__(self, name: str) -> Any:
                    raise KeyboardInterrupt

            validation: Any = Interrupted()
            with pytest.raises(KeyboardInterrupt):
                steps.validate(replace(shop.ports, validation=validation), batch_id, 1)
        left = gate_of(root)
        assert (left.state, left.owner, left.reading) == (GateState.RUNNING, None, None)
        assert do(steps.validate, root, batch_id) is Validated.ACCEPTED

    def test_a_batch_is_handed_back_also_while_its_lease_is_renewed(self, root: Path) -> None:
        """A heartbeat comes between the look and the change."""
        batch_id = begin(root)
        with opened(root) as shop:
            ledger = shop.ports.ledger
            ledger.change_gate(ledger.gate().adopted(shop.ports.owners.me(), shop.ports.clock.now()))

            class Beaten:
                """The ledger, with a lease that is renewed at the first look."""

                beats = 1

                def gate(self) -> Gate:
                    seen = ledger.gate()
                    if self.beats:
                        self.beats = 0
                        ledger.change_gate(seen.renewed(shop.ports.clock.now()))
                    return seen

                def change_gate(self, after: Gate) -> Gate:
                    return ledger.change_gate(after)

            beaten: Any = Beaten()
            steps.hand_back(replace(shop.ports, ledger=beaten), batch_id, 1)
        assert (gate_of(root).owner, gate_of(root).attempt) == (None, 1)

    def test_contradicting_numbers_block_the_batch(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nothing is published, and the batch waits for a person."""
        batch_id = begin(root)
        do(steps.validate, root, batch_id)

        def breached(*_: object) -> None:
            raise InvariantBreach("the categories' revenue is not the site's.")

        monkeypatch.setattr("takings.batch.publish.check_invariants", breached)
        with pytest.raises(InvariantBreach):
            do(steps.transform, root, batch_id)
        assert gate_of(root).state is GateState.BLOCKED
        with pytest.raises(MachineryError, match="is blocked: the categories' revenue"):
            do(steps.transform, root, batch_id)


class TestMarkFailed:
    """What happens to a batch in which a step failed permanently."""

    def test_before_its_verdicts_it_is_given_back(self, root: Path) -> None:
        """No file is refused for a fault around it."""
        batch_id = begin(root)
        assert do(steps.mark_failed, root, batch_id, 1, "no disk") is AfterFailure.GIVEN_BACK
        assert gate_of(root).state is GateState.IDLE
        run(root)
        assert published(root) == expected(root)

    def test_after_them_it_stays_to_be_completed(self, root: Path) -> None:
        """Its files go neither to failed/ nor back; the next attempt completes it."""
        batch_id = begin(root)
        do(steps.validate, root, batch_id)
        assert do(steps.mark_failed, root, batch_id, 1, "no disk") is AfterFailure.TO_BE_COMPLETED
        assert files(root, "processed", "failed") == []
        executions = Noted()
        with opened(root) as shop:
            assert detect(shop.ports, executions) == Started(batch_id=batch_id, attempt=2)
        for step in STEPS:
            do(step, root, batch_id, 2)
        assert published(root) == expected(root)
        assert [record.verdict for record in lineage(root)] == [Verdict.ACCEPTED] * 3

    def test_what_was_refused_as_a_whole_is_filed_away(self, root: Path) -> None:
        """Policy "strict": one bad file fails the batch, and all of it goes to failed/."""
        drop(root, "orders/bad.csv", b"id\n1\n")
        strict: dict[str, Any] = {"policy": "strict"}
        with opened(root, **strict) as shop:
            started = detect(shop.ports, Noted(), at_once=True)
        assert isinstance(started, Started)
        batch_id = started.batch_id
        assert do(steps.validate, root, batch_id, **strict) is Validated.NOTHING_ACCEPTED
        assert do(steps.mark_failed, root, batch_id, 1, "bad data", **strict) is AfterFailure.ARCHIVED
        assert [file for file in files(root, "failed") if not file.endswith(".reason.json")] == [
            "failed/order_items/a.csv",
            "failed/orders/a.csv",
            "failed/orders/bad.csv",
            "failed/products/a.csv",
        ]
        assert gate_of(root).state is GateState.IDLE


class TestDetect:
    """Every event, deadline and sweep."""

    def test_a_batch_whose_attempts_all_die_is_blocked(self, root: Path) -> None:
        """With a lost manifest, even marking it as failed does not succeed; once unblocked, it is tried again."""
        batch_id = begin(root)
        for attempt in range(1, steps.MOST_ATTEMPTS):
            with opened(root, later=AFTER_THE_LEASE * attempt) as shop:
                assert detect(shop.ports, Noted()) == Started(batch_id=batch_id, attempt=attempt + 1)
        late = AFTER_THE_LEASE * steps.MOST_ATTEMPTS
        with opened(root, later=late) as shop:
            stopped = detect(shop.ports, Noted())
            assert isinstance(stopped, Blocked)
            assert detect(shop.ports, Noted()) == stopped
            shop.ports.ledger.change_gate(shop.ports.ledger.gate().unblocked(shop.ports.clock.now()))
            assert detect(shop.ports, Noted()) == Started(batch_id=batch_id, attempt=steps.MOST_ATTEMPTS + 1)

    def test_waits_for_a_missing_dataset(self, tmp_path: Path) -> None:
        """Nothing is started, and only an event wakes it."""
        root = drop(new_store(tmp_path / "shop"), "orders/a.csv", b"id\n").parents[2]
        executions = Noted(deadline=datetime(2026, 1, 1, tzinfo=UTC))
        with opened(root) as shop:
            resting = detect(shop.ports, executions)
        assert isinstance(resting, Rest)
        assert isinstance(resting.decision, Hold)
        assert (executions.started, executions.deadline) == ([], None)

    def test_is_woken_at_the_deadline(self, root: Path) -> None:
        """The deadline is set once; when it has passed, the batch goes."""
        executions = Noted()
        with opened(root) as shop:
            resting = detect(shop.ports, executions)
            assert isinstance(resting, Rest)
            assert isinstance(resting.decision, WaitUntil)
            assert executions.deadline == resting.decision.deadline
        with opened(root, later=timedelta(minutes=5)) as shop:
            assert detect(shop.ports, executions) == resting
        with opened(root, later=timedelta(minutes=21)) as shop:
            started = detect(shop.ports, executions)
        assert isinstance(started, Started)
        assert executions == Noted(started=[(started.batch_id, 1)])

    def test_two_at_once_start_one_execution(self, root: Path) -> None:
        """Whoever loses the gate starts nothing."""
        executions = Noted()
        with opened(root) as one, opened(root) as other:

            class Slow:
                def __getattr__(self, name: str) -> Any:
                    if name == "newest_versions":
                        detect(other.ports, executions, at_once=True)
                    return getattr(one.ports.ledger, name)

            ledger: Any = Slow()
            assert isinstance(detect(replace(one.ports, ledger=ledger), executions, at_once=True), Busy)
        assert len(executions.started) == 1

    def test_leaves_a_running_execution_alone_however_old_its_lease(self, root: Path) -> None:
        """Between two tasks, nobody renews the lease."""
        batch_id = begin(root)
        executions = Noted(running={(batch_id, 1)})
        with opened(root, later=AFTER_THE_LEASE) as shop:
            assert detect(shop.ports, executions) == Busy(batch_id=batch_id)
        assert executions.started == []

    def test_starts_what_never_ran_as_the_next_attempt(self, root: Path) -> None:
        """The process that claimed the batch died before it could start the execution."""
        batch_id = begin(root)
        executions = Noted()
        with opened(root) as shop:
            assert detect(shop.ports, executions) == Busy(batch_id=batch_id)
        with opened(root, later=AFTER_THE_LEASE) as shop:
            assert detect(shop.ports, executions) == Started(batch_id=batch_id, attempt=2)
        assert executions.started == [(batch_id, 2)]
        for step in STEPS:
            do(step, root, batch_id, 2)
        assert published(root) == expected(root)

    def test_hands_on_what_a_dead_process_was_reading(self, root: Path) -> None:
        """The next attempt sets the suspected file aside."""
        batch_id = begin(root)
        with opened(root) as shop:
            gate = shop.ports.ledger.gate()
            shop.ports.ledger.change_gate(gate.now_reading("raw-data/orders/a.csv"))
        with opened(root, later=AFTER_THE_LEASE) as shop:
            detect(shop.ports, Noted())
        assert do(steps.validate, root, batch_id, 2) is Validated.GIVEN_UP
        assert [suspect.key for suspect in gate_of(root).suspects] == ["raw-data/orders/a.csv"]

    def test_a_blocked_batch_waits_for_a_person(self, root: Path) -> None:
        """It is reported, and nothing is started."""
        batch_id = begin(root)
        with opened(root) as shop:
            shop.ports.ledger.change_gate(shop.ports.ledger.gate().blocked("numbers contradict."))
            assert detect(shop.ports, Noted()) == Blocked(batch_id=batch_id, reason="numbers contradict.")


def test_what_a_batch_published_is_kept_for_its_last_step(root: Path) -> None:
    """batches/<batch_id>/published.json."""
    batch_id = begin(root)
    do(steps.validate, root, batch_id)
    assert not (root / layout.published(batch_id)).exists()
    do(steps.transform, root, batch_id)
    assert (root / layout.published(batch_id)).exists()
