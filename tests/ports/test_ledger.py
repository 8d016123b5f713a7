"""What every ledger does: one writer at a time changes the gate, and every file's history is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from takings.adapters.aws.database import Database
from takings.adapters.aws.ledger import DynamoLedger
from takings.adapters.local.database import open_database, transaction
from takings.adapters.local.ledger import SqliteLedger
from takings.archive.lineage import LineageRecord, LineageStatus, begun, ended, given_back
from takings.contracts.datasets import SourceName
from takings.contracts.model import Dataset
from takings.errors import ConflictError, CorruptState, StoreError
from takings.intake.arrivals import Arrival
from takings.intake.gate import LEASE, Gate, GateState, LeftFile, OwnTableState, Suspect
from takings.layout import BatchId
from takings.ports import Ledger
from takings.validation.findings import RecordCounts, Verdict
from tests.emulators import BUCKET
from tests.shop import NOON

BATCH, NEXT_BATCH = BatchId("b1"), BatchId("b2")
MINUTE = timedelta(minutes=1)

#: opens the same ledger once more, as another process would
Open = Callable[[], Ledger]


@pytest.fixture(params=["sqlite", "moto", "ministack"])
def open_ledger(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Return a function that opens a new store's ledger, on each platform."""
    with ExitStack() as connections:
        if request.param != "sqlite":
            clients = request.getfixturevalue(request.param).emptied(monkeypatch)
            yield lambda: DynamoLedger(Database(clients.dynamodb, ""), BUCKET)
            return
        yield lambda: SqliteLedger(connections.enter_context(closing(open_database(tmp_path / "takings.db"))))


@pytest.fixture
def ledger(open_ledger: Open) -> Ledger:
    """Return a new store's ledger."""
    return open_ledger()


def record(
    file: str, *, batch: BatchId = BATCH, minute: int = 0, version: int | None = None, **other: object
) -> LineageRecord:
    """Return the record of an accepted file in a batch, at some minute."""
    arrival = Arrival(
        key=f"raw-data/orders/{file}",
        dataset=Dataset.ORDERS,
        file=file,
        size=3,
        etag="1-2-3",
        version=NOON + (minute if version is None else version) * MINUTE,
    )
    done = ended(
        begun(arrival, batch, NOON + minute * MINUTE),
        verdict=Verdict.ACCEPTED,
        fingerprint=f"sha of {file}",
        records=RecordCounts(read=3, accepted=2, identical_duplicates=1),
        reason=None,
        archived_at=f"processed/{file}",
    )
    return replace(done, **other)  # type: ignore[arg-type]


class TestGate:
    def test_a_new_stores_gate_is_idle(self, ledger: Ledger) -> None:
        """At generation 0."""
        assert ledger.gate() == Gate()

    def test_every_field_is_kept(self, open_ledger: Open) -> None:
        """To the microsecond, for every other process, too."""
        full = Gate(
            generation=1,
            state=GateState.BLOCKED,
            deadline=NOON + timedelta(microseconds=1),
            pending={Dataset.ORDERS: 2, Dataset.PRODUCTS: 1, SourceName("till"): 4},
            batch_id=BATCH,
            attempt=3,
            owner="host:1:2:ab",
            lease_expires_at=NOON + timedelta(microseconds=3),
            reading="raw-data/orders/a.csv",
            suspects=(Suspect(key="raw-data/orders/b.csv", etag="1-2-3", deaths=2),),
            own_tables={
                "Margins": OwnTableState(
                    key=("category", "order_date"),
                    definition=None,
                    tried="d",
                    stale="revenue >= 0",
                    days=frozenset([date(2025, 3, 30)]),
                    warned={date(2025, 3, 31): "cost < 3: it is 4"},
                ),
                "Sales": OwnTableState(key=("order_date",), definition="e", tried="e"),
            },
            left=(
                LeftFile(
                    key="raw-data/orders/c.csv",
                    etag="1-2-4",
                    reason="it cannot be read",
                    tried_at=NOON + timedelta(microseconds=7),
                    is_archived=True,
                ),
            ),
            reason="numbers contradict each other",
            last_commit=7,
            landed=frozenset({Dataset.ORDERS, Dataset.ORDER_ITEMS}),
        )
        assert open_ledger().change_gate(full) == full
        assert open_ledger().gate() == full
        emptied = Gate(generation=2)
        open_ledger().change_gate(emptied)
        assert open_ledger().gate() == emptied

    @pytest.mark.parametrize("generation", [0, 1, 3])
    def test_a_change_from_another_generation_is_refused(self, ledger: Ledger, generation: int) -> None:
        """Whoever read an older gate has to read it again; nothing is written."""
        waiting = ledger.change_gate(ledger.gate().waiting(NOON, {}))
        with pytest.raises(ConflictError):
            ledger.change_gate(replace(waiting, generation=generation, state=GateState.RUNNING))
        assert ledger.gate() == waiting

    def test_of_eight_who_claim_one_wins(self, open_ledger: Open) -> None:
        """Each on its own connection, all at once, ten times."""
        ledgers = [open_ledger() for _ in range(8)]
        together = Barrier(8)

        def claim(place: int, round_: int) -> bool:
            gate = ledgers[place].gate()
            together.wait()
            try:
                ledgers[place].change_gate(gate.claimed(BatchId(f"b{round_}"), f"owner {place}", NOON))
            except ConflictError:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            for round_ in range(10):
                won = list(pool.map(claim, range(8), [round_] * 8))
                assert won.count(True) == 1
                assert ledgers[0].gate() == Gate(
                    generation=round_ + 1,
                    state=GateState.FORMING,
                    batch_id=BatchId(f"b{round_}"),
                    attempt=1,
                    owner=f"owner {won.index(True)}",
                    lease_expires_at=NOON + LEASE,
                )

    def test_threads_of_one_process_share_a_ledger(self, ledger: Ledger) -> None:
        """A heartbeat renews the lease while the pipeline works: every change is written or refused, none fails otherwise."""

        def renew(_: int) -> bool:
            try:
                ledger.change_gate(ledger.gate().renewed(NOON))
            except ConflictError:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            written = list(pool.map(renew, range(200))).count(True)
        assert ledger.gate() == Gate(generation=written, lease_expires_at=NOON + LEASE)


class TestLineage:
    def test_a_record_is_read_as_it_was_written(self, open_ledger: Open) -> None:
        """Whether the file was just begun, accepted, refused or given back."""
        begun_ = LineageRecord(
            file_key="raw-data/orders/ä.csv",
            processing_date=NOON + timedelta(microseconds=1),
            status=LineageStatus.IN_PROGRESS,
            batch_id=BATCH,
            dataset=Dataset.ORDERS,
            size=2**40,
            etag="1-2-3",
            version=NOON - timedelta(microseconds=1),
        )
        refused = record(
            "b.csv",
            minute=1,
            status=LineageStatus.FAILED,
            verdict=Verdict.REJECTED,
            records=RecordCounts(read=3, rejected=3),
            reason="1 of 3 records break status|one_of (1)",
        )
        returned = given_back(replace(begun_, file_key="raw-data/orders/c.csv", processing_date=NOON + 2 * MINUTE))
        of_source = replace(record("c.csv", minute=3), file_key="raw-data/till/c.csv", dataset=SourceName("till"))
        open_ledger().record([begun_, refused, returned, of_source])
        kept = list(open_ledger().lineage())
        assert kept == [begun_, refused, returned, of_source]
        assert [type(each.dataset) for each in kept[2:]] == [Dataset, SourceName]
        assert (returned.status, returned.reason) == (LineageStatus.FAILED, "returned to pending")

    def test_a_record_replaces_that_of_the_same_key_and_batch(self, ledger: Ledger) -> None:
        """So writing it may be repeated."""
        taken_up = replace(record("a.csv"), status=LineageStatus.IN_PROGRESS, verdict=None, records=None)
        ledger.record([taken_up])
        for _ in range(2):
            ledger.record([record("a.csv")])
        assert list(ledger.lineage()) == [record("a.csv")]

    def test_a_beginning_that_comes_after_the_file_was_given_back_begins_nothing(self, ledger: Ledger) -> None:
        """An attempt may lose its batch, and the next one give it up, before the first one writes the beginning."""
        begun_ = replace(record("a.csv"), status=LineageStatus.IN_PROGRESS, verdict=None, records=None)
        ledger.give_back([given_back(begun_)])
        ledger.begin([begun_])
        assert list(ledger.lineage()) == [given_back(begun_)]

    def test_a_late_begin_changes_no_record(self, ledger: Ledger) -> None:
        """An attempt that lost its batch may write it long after the file's end."""
        done = record("a.csv")
        ledger.record([done])
        ledger.begin([replace(done, status=LineageStatus.IN_PROGRESS, verdict=None), record("b.csv")])
        assert list(ledger.lineage()) == [done, record("b.csv")]

    def test_a_story_is_told_oldest_first(self, ledger: Ledger) -> None:
        """For a key, a batch, both, or all."""
        first, second, third = record("b.csv"), record("a.csv"), record("b.csv", batch=NEXT_BATCH, minute=1)
        ledger.record([third, first, second])
        assert list(ledger.lineage()) == [second, first, third]
        assert list(ledger.lineage(file_key="raw-data/orders/b.csv")) == [first, third]
        assert list(ledger.lineage(batch_id=BATCH)) == [second, first]
        assert list(ledger.lineage("raw-data/orders/b.csv", NEXT_BATCH)) == [third]
        assert list(ledger.lineage(file_key="raw-data/orders/c.csv")) == []

    def test_the_newest_version_of_each_key(self, ledger: Ledger) -> None:
        """By version, not by processing time: a replay comes later with an older version."""
        newest, replayed = record("a.csv", version=5), record("a.csv", batch=NEXT_BATCH, minute=1, version=2)
        other = record("b.csv")
        ledger.record([newest, replayed, other])
        assert ledger.newest_versions(["raw-data/orders/a.csv", "raw-data/orders/b.csv", "raw-data/orders/c.csv"]) == {
            "raw-data/orders/a.csv": newest,
            "raw-data/orders/b.csv": other,
        }
        assert ledger.newest_versions([]) == {}

    def test_the_story_of_every_key_of_which_a_file_was_refused(self, ledger: Ledger) -> None:
        """Including what came before and after, to show whether the refused file still matters."""
        taken, other = record("a.csv"), record("b.csv")
        refused = record("a.csv", batch=NEXT_BATCH, minute=1, verdict=Verdict.REJECTED, status=LineageStatus.FAILED)
        ledger.record([refused, other, taken])
        assert list(ledger.lineage_of_refused()) == [taken, refused]

    def test_only_accepted_files_have_copies(self, ledger: Ledger) -> None:
        """A file that one contract refused may be dropped again."""
        accepted = record("a.csv", fingerprint="same")
        refused = record("b.csv", fingerprint="same", verdict=Verdict.REJECTED, status=LineageStatus.FAILED)
        copy = record("c.csv", fingerprint="same", verdict=Verdict.DUPLICATE)
        other = record("d.csv", fingerprint="other")
        ledger.record([accepted, refused, copy, other])
        assert list(ledger.accepted_with(["same", "unknown"])) == [accepted]
        assert list(ledger.accepted_with([])) == []


class TestSqlite:
    def test_a_damaged_file_is_corrupt_state(self, tmp_path: Path) -> None:
        """The error names it, and it is left as it is."""
        path = tmp_path / "takings.db"
        path.write_bytes(b"no database" * 100)
        with pytest.raises(CorruptState) as corrupt:
            open_database(path)
        assert str(corrupt.value) == (
            f"{path} is not a sound SQLite database (file is not a database). Nothing was changed. Move the store's"
            " .takings folder away and rebuild the store from its archive, or restore the file from a back-up."
        )
        assert path.read_bytes() == b"no database" * 100

    @pytest.mark.parametrize(
        ("column", "content"),
        [("pending", "{"), ("pending", "[]"), ("suspects", '["a"]'), ("landed", '["customers"]'), ("state", "ASLEEP")],
    )
    def test_a_damaged_gate_is_corrupt_state(self, column: str, content: str) -> None:
        """It was damaged from outside, so trying again would not help."""
        with closing(open_database(None)) as connection:
            ledger = SqliteLedger(connection)
            ledger.change_gate(replace(ledger.gate(), generation=1))
            connection.execute(f"update PendingBatches set {column} = ?", (content,))
            with pytest.raises(CorruptState, match=r"takings\.db is damaged: PendingBatches holds no gate .* Restore"):
                ledger.gate()

    def test_a_file_that_cannot_be_opened_is_a_store_error(self, tmp_path: Path) -> None:
        """Nothing is wrong with its content."""
        with pytest.raises(StoreError, match=r"unable to open database file\. Check that the folder can be written"):
            open_database(tmp_path / "no folder" / "takings.db")

    def test_a_ledger_may_live_in_memory(self) -> None:
        """The same adapter on a smaller store."""
        with closing(open_database(None)) as connection:
            ledger = SqliteLedger(connection)
            ledger.record([record("a.csv")])
            assert list(ledger.lineage()) == [record("a.csv")]

    def test_what_is_not_committed_is_not_read(self) -> None:
        """A thread that checks who owns the gate, and may end the process, waits for the thread that changes it."""
        with closing(open_database(None)) as connection, ThreadPoolExecutor(1) as other:
            ledger = SqliteLedger(connection)
            ledger.change_gate(Gate(generation=1, state=GateState.RUNNING, batch_id=BATCH, owner="me"))
            with transaction(connection):
                connection.execute("update PendingBatches set owner = null")
                reading = other.submit(ledger.gate)
                with pytest.raises(TimeoutError):
                    reading.result(timeout=0.2)
                connection.execute("update PendingBatches set owner = 'you'")
            assert reading.result().owner == "you"

    @pytest.mark.parametrize("step", ["begin immediate", "insert", "commit"])
    def test_an_interrupted_transaction_stands_in_no_way(self, step: str) -> None:
        """A signal's handler may raise after any call, including the first and the last."""
        with closing(open_database(None)) as connection:
            calls = [step]

            def execute(statement: str, *values: Any) -> object:
                done = type(connection).execute(connection, statement, *values)
                if calls and statement.startswith(calls[0]):
                    calls.clear()
                    raise KeyboardInterrupt
                return done

            with pytest.MonkeyPatch.context() as patched:
                patched.setattr(connection, "execute", execute)
                ledger = SqliteLedger(connection)
                with pytest.raises(KeyboardInterrupt):
                    ledger.change_gate(Gate(generation=1))
                assert ledger.gate() == (Gate(generation=1) if step == "commit" else Gate())
                ledger.change_gate(replace(ledger.gate(), generation=ledger.gate().generation + 1))
