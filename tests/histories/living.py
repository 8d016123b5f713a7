"""Run a history on a real store, and compare everything published with the oracle after every run."""

from __future__ import annotations

import os
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, cast

from takings.archive.lineage import RETURNED_TO_PENDING, LineageRecord
from takings.batch.merge import read_changes
from takings.composition.stores import Shop, open_store
from takings.entrypoints.kpi_output import as_csv
from takings.errors import StoreError, Superseded
from takings.kpis.publication import visible
from takings.layout import BatchId
from takings.queries import verification
from takings.runs import pipeline
from takings.runs.pipeline import Ports
from tests.contract_options import write_contracts
from tests.histories.changes import kinds_of
from tests.histories.shops import FOLDERS, History, Write, newest
from tests.oracle.comparison import differences
from tests.oracle.kpis import Lake, Row, category_kpis, counted_items, day_of, kpis_csv, lake_of, order_kpis, total
from tests.oracle.kpis import published as rounded
from tests.shop import ShiftedClock, csv_of, drop, expected, new_store, silent
from tests.worths import ROLES, contracts_of_worth

#: every call that changes something outside the process
STEPS: Final = {
    "store": {"create", "create_each", "create_from", "copy", "fetch", "archive_each", "forget"},
    "ledger": {"change_gate", "begin", "record"},
    "tables": {"prepare", "apply"},
    "kpis": {"publish"},
}
#: keys whose rows are checked at the end
EXPLAINED: Final = 8


class Killed(BaseException):
    """The process died: it does nothing more, not even cleaning up."""


@dataclass
class Mishap:
    """Something that goes wrong once, at the n-th step."""

    at: int
    #: killed before the step, a fault before it, or a fault after it was done
    kind: str
    steps: list[str] = field(default_factory=list)

    @property
    def has_happened(self) -> bool:
        """Return whether it has gone wrong."""
        return len(self.steps) > self.at

    def take(self, step: str, call: Callable[[], object]) -> object:
        """Take a step, or fail to."""
        if self.kind == "killed" and self.has_happened:
            raise Killed
        self.steps.append(step)
        if len(self.steps) != self.at + 1:
            return call()
        if self.kind == "killed":
            raise Killed
        if self.kind == "done, but not told":
            call()
        raise StoreError(f"{step}: a fault.")


@dataclass
class Shaken:
    """A port where something goes wrong."""

    port: object
    name: str
    mishap: Mishap

    def __getattr__(self, method: str) -> object:
        """Return the port's method; methods that change something are counted."""
        call = cast("Callable[..., object]", getattr(self.port, method))
        if method not in STEPS[self.name]:
            return call
        return lambda *values, **named: self.mishap.take(f"{self.name}.{method}", lambda: call(*values, **named))


def shaken(ports: Ports, mishap: Mishap) -> Ports:
    """Return ports where something goes wrong."""
    wrapped: dict[str, Any] = {name: Shaken(getattr(ports, name), name, mishap) for name in STEPS}
    return replace(ports, **wrapped)


@dataclass
class Tally:
    """How much was tried."""

    histories: int = 0
    stores: int = 0
    batches: int = 0
    files: int = 0
    mishaps: int = 0
    hidden: int = 0
    #: ignored copies of superseded bytes under another key, counted each time they were checked
    ignored: int = 0
    explained: int = 0


TALLY: Final = Tally()


@dataclass
class Life:
    """A store and what is known to have been accepted by it."""

    shop: Shop
    history: History
    clock: ShiftedClock
    taken: list[Write] = field(default_factory=list)
    #: what the oracle reads from each write, kept once it was asked
    _rows: dict[tuple[str, datetime], list[Row]] = field(default_factory=dict)
    #: keys that have been in each KPI table
    seen: dict[str, set[Any]] = field(default_factory=lambda: defaultdict(set))

    @property
    def ports(self) -> Ports:
        """Return the store's ports."""
        return replace(self.shop.ports, clock=self.clock)

    @property
    def lake(self) -> Lake:
        """Return the oracle's lake of the accepted rows."""
        rows = (row for write in self.counted() for row in self._rows_of(write))
        return lake_of(rows, self.history.time_zone, replaces_lines=self.history.replaces)

    def counted(self) -> list[Write]:
        """Return the writes that count, in processing order, after checking the verdicts in that order.

        The first of several equal contents to be processed fixes the version; a later copy never counts, unless its own
        key reverts a correction with it. If the shop's instants decide, a copy under another key counts as well.
        """
        written = {(write.key, write.version): write for write in self.taken}
        keys: dict[bytes, set[str]] = defaultdict(set)
        newest: dict[str, Write] = {}
        counted: list[Write] = []
        for record in self._processed():
            write = written[record.file_key, record.version]
            is_copy = (write.versioned_by is None and bool(keys[write.content] - {write.key})) or (
                write.key in newest and newest[write.key].content == write.content
            )
            verdict = "rejected" if write.damage == "dirty" else "duplicate" if is_copy else "accepted"
            assert record.verdict == verdict, (record, verdict)
            TALLY.ignored += verdict == "duplicate" and write.damage == "late copy"
            if verdict == "accepted":
                keys[write.content].add(write.key)
                newest[write.key] = write
                counted.append(write)
        return counted

    def _processed(self) -> list[LineageRecord]:
        ended = [record for record in self.ports.ledger.lineage() if record.verdict is not None]
        return sorted(ended, key=lambda record: (record.processing_date, record.version, record.file_key))

    def _rows_of(self, write: Write) -> list[Row]:
        place = write.key, write.version
        if place not in self._rows:
            self._rows[place] = write.rows(self.history.time_zone)
        return self._rows[place]

    def published(self) -> tuple[str, str]:
        """Return what `takings kpis` prints."""
        by_day, by_category = (as_csv(table, visible(self.ports.kpis.rows(table))) for table in self.ports.kpi_tables)
        return by_day, by_category

    def drop(self, writes: Sequence[Write]) -> None:
        """Drop files, each with the time that becomes its version."""
        for write in writes:
            path = drop(self.shop.root, write.file, write.content)
            os.utime(path, (write.version.timestamp(),) * 2)
            self.taken.append(write)

    def run(self, mishaps: Sequence[Mishap] = ()) -> None:
        """Process what is pending, in as many runs as the mishaps require."""
        for mishap in mishaps:
            try:
                outcome = pipeline.run(shaken(self.ports, mishap), at_once=True)
            except (Killed, StoreError, Superseded):
                # By then, any lease has ended.
                self.clock.ahead += timedelta(minutes=2)
                TALLY.mishaps += 1
            else:
                TALLY.batches += len(outcome.batches)
        outcome = pipeline.run(self.ports, at_once=True)
        TALLY.batches += len(outcome.batches)
        assert isinstance(outcome.decision, pipeline.NothingPending)


def live(history: History, lanes: int, *, mishaps: int = 0, **engine: Any) -> tuple[tuple[str, str], list[Write]]:
    """Run a history and check everything; return the final KPIs and the writes that count."""
    TALLY.histories += lanes
    TALLY.stores += 1
    with _life(history, **engine) as life:
        drops, steps = list(history.drops), 0
        doomed = set(history.chance.sample(range(len(drops)), min(mishaps, len(drops))))
        while drops:
            is_doomed = len(history.drops) - len(drops) in doomed
            writes = drops.pop(0)
            life.drop(writes)
            if is_doomed:
                first = _mishap(history, writes)
                with_more = _interrupt(life, first)
                if with_more and drops and not {write.file for write in drops[0]} & {write.file for write in writes}:
                    # What is dropped before the batch is resumed goes into the next one.
                    life.drop(drops.pop(0))
                life.run([_mishap(history, writes)] if history.chance.random() < 0.4 else [])
            else:
                life.run()
            steps += 1
            _check_numbers(life)
        _check_stories(life)
        _check_changes(life)
        _check_explanations(life, None if lanes == 1 else EXPLAINED)
        assert life.published() == expected(life.shop.root, ROLES)
        TALLY.files += len(life.taken)
        return life.published(), life.counted()


def at_once(history: History, writes: Sequence[Write]) -> tuple[str, str]:
    """Return the KPIs of a store that gets the newest rows of a history's writes as three files."""
    plain = replace(history, drops=(), batch_max_files=1000)
    with _life(plain) as life:
        for dataset, records in newest(writes, replaces=history.replaces).items():
            if records:
                drop(life.shop.root, f"{FOLDERS[dataset]}/all.csv", csv_of(*records))
        life.run()
        return life.published()


@contextmanager
def _life(history: History, **engine: Any) -> Iterator[Life]:
    options = engine | {"threads": 1, "time_zone": history.time_zone, "batch_max_files": history.batch_max_files}
    with tempfile.TemporaryDirectory(prefix=f"history {history.seed} ") as folder:
        if history.is_of_worth:
            options["contracts"] = contracts_of_worth(Path(folder) / "contracts", optional=("status",))
        if history.versioned or history.replaces:
            options["contracts"] = write_contracts(
                Path(folder) / "contracts", versioned=history.versioned, replaces=history.replaces
            )
        root = new_store(Path(folder) / "shop")
        with open_store(root, silent, options) as shop:
            yield Life(shop=shop, history=history, clock=ShiftedClock())


def _mishap(history: History, writes: Sequence[Write]) -> Mishap:
    """Draw one; a batch takes about 18 steps and 4 for each file."""
    return Mishap(
        at=history.chance.randrange(18 + 4 * len(writes)),
        kind=history.chance.choice(("killed", "fault", "done, but not told")),
    )


def _interrupt(life: Life, mishap: Mishap) -> bool:
    """Run into a mishap; return whether it happened."""
    try:
        pipeline.run(shaken(life.ports, mishap), at_once=True)
    except (Killed, StoreError, Superseded):
        life.clock.ahead += timedelta(minutes=2)
        TALLY.mishaps += 1
    return mishap.has_happened


# What must hold


def _check_numbers(life: Life) -> None:
    """The published numbers are the oracle's; a key that was ever published keeps its row, with zeros if it is gone."""
    lake = life.lake
    right = kpis_csv(order_kpis(lake), "day"), kpis_csv(category_kpis(lake), "category")
    for name, oracles, actual in zip(("by day", "by category"), right, life.published(), strict=True):
        found = differences(name, oracles, actual)
        assert not found, found
    again = verification.verify(life.ports)
    assert again.differences == ()
    for table in life.ports.kpi_tables:
        rows = list(life.ports.kpis.rows(table))
        shown = {row.key for row in visible(rows)}
        life.seen[table.name] |= shown
        assert {row.key for row in rows} >= life.seen[table.name]
        for row in rows:
            if row.is_gone:
                TALLY.hidden += row.key not in shown
                assert row.values == {column.name: column.zero for column in table.columns}
        assert all(row.commit <= (again.commit or 0) for row in rows)


def _check_stories(life: Life) -> None:
    """Each write has one record, with its version and verdict; nothing else is left."""
    # A file that was being read when its process died, or after failures, is given back; then another batch has it.
    told = Counter(
        (record.file_key, record.version, str(record.verdict))
        for record in life.ports.ledger.lineage()
        if record.reason != RETURNED_TO_PENDING
    )
    counted = {(write.key, write.version) for write in life.counted()}
    for write in life.taken:
        is_counted = (write.key, write.version) in counted
        verdict = "rejected" if write.damage == "dirty" else "accepted" if is_counted else "duplicate"
        assert told.pop((write.key, write.version, verdict)) == 1, write.key
    assert not told
    assert not list((life.shop.root / "raw-data").rglob("*.csv"))
    assert not list((life.shop.root / "staging").glob("*"))


def _check_changes(life: Life) -> None:
    """Each batch has counted correctly how its rows compared with the lake."""
    counted = {(write.key, write.version): write for write in life.counted()}
    batches: dict[str, dict[str, list[Row]]] = defaultdict(dict)
    for record in life._processed():
        write = counted.get((record.file_key, record.version))
        if record.verdict == "accepted" and write is not None:
            batches[record.batch_id][record.file_key] = life._rows_of(write)
    right = kinds_of(batches.values(), replaces=life.history.replaces)
    for batch_id, kinds in zip(batches, right, strict=True):
        changes = read_changes(life.ports.store, BatchId(batch_id))
        assert changes is not None
        told = {
            key: {"new": each.new, "present": each.changed + each.unchanged, "older": each.older}
            for key, each in changes.files.items()
        }
        assert told == {key: {kind: each[kind] for kind in ("new", "present", "older")} for key, each in kinds.items()}


def _check_explanations(life: Life, most: int | None) -> None:
    """The rows behind a number are those that the oracle counts, and their prices add up to it."""
    lake = life.lake
    right: dict[tuple[Any, str | None], Any] = {
        (row.order_date, None): (row.total_revenue, row.total_items_sold, row.returned_value, row.cancelled_value)
        for row in order_kpis(lake)
    }
    right |= {
        (row.order_date, row.category): (row.daily_revenue, row.items_sold, row.returned_value, row.cancelled_value)
        for row in category_kpis(lake)
    }
    items: dict[tuple[Any, str | None], set[tuple[int, int, str]]] = defaultdict(set)
    for row in counted_items(lake):
        day = day_of(lake.orders[row.order_id], lake)
        for category in (None, lake.products[row.product_id].category):
            items[day, category].add((int(row.order_id), int(row.id), row.source))
    keys = sorted(right, key=str)
    for day, category in keys if most is None else life.history.chance.sample(keys, min(most, len(keys))):
        TALLY.explained += 1
        explanation = verification.explain(life.ports, day, category)
        pieces = sum(row.pieces or 0 for row in explanation.rows)
        values = (
            total(row.returned_value or Decimal(0) for row in explanation.rows),
            total(row.cancelled_value or Decimal(0) for row in explanation.rows),
        )
        sums = (rounded(explanation.revenue), pieces, *map(rounded, values))
        assert sums == right[day, category], (day, category)
        behind = [(row.order_id, row.item_id, row.key) for row in explanation.rows if row.item_id is not None]
        assert len(behind) == len(items[day, category]), (day, category)
        assert set(behind) == items[day, category], (day, category)
