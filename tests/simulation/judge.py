"""Watch every call for what must never happen, and compare the final store with the oracle and the drops."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from takings import layout
from takings.archive.lineage import REPLAY_GIVEN_UP, RETURNED_TO_PENDING, LineageRecord, LineageStatus
from takings.batch.publish import current_definition
from takings.contracts.model import Dataset
from takings.entrypoints.kpi_output import as_csv
from takings.intake.gate import Gate, GateState
from takings.intake.manifest import Manifest, read_manifest
from takings.kpis.publication import visible
from takings.lake import Commit
from takings.queries import verification
from takings.runs.pipeline import Ports
from takings.runs.restate import restate
from takings.validation.findings import Verdict
from tests.oracle.comparison import differences
from tests.oracle.kpis import Product, category_kpis, kpis_csv, order_kpis
from tests.oracle.kpis import newest as newest_rows
from tests.shop import expected
from tests.simulation.drops import Content, Drop, written_at
from tests.simulation.mishaps import Life
from tests.simulation.parts import Rules, contracts_of_hash
from tests.simulation.truth import Truth

#: what an attempt may do only right after checking that it owns the batch
_GUARDED: Final = frozenset({"tables.apply", "kpis.publish", "store.archive"})
_GUARDED_PAPERS: Final = ("/verdicts.json", "/affected.json", "/outcome.json")
#: a file that was being read at this many takeovers is refused unread
_MOST_DEATHS: Final = 3
_TICK: Final = timedelta(microseconds=1)


class Violated(AssertionError):
    """Something happened that must never happen."""


@dataclass(kw_only=True)
class Judge:
    """What is known about a run, besides the content of the store."""

    root: Path
    #: the store's own ports, which never fail
    ports: Ports
    drops: list[Drop] = field(default_factory=list)
    gate: Gate = field(default_factory=Gate)
    #: in the order of their claims
    batches: list[str] = field(default_factory=list)
    #: an attempt lost its batch to another; maintenance removes what it did before it noticed
    has_losers: bool = False
    #: batches whose private copies were removed
    forgotten: set[str] = field(default_factory=set)
    #: who ended batches whose private copies still exist
    not_forgotten: dict[str, Life] = field(default_factory=dict)
    #: batches that were taken over unfinished
    takeovers: int = 0
    commits: list[Commit] = field(default_factory=list)
    #: what each instance found under raw-data/ when it last listed it
    listed: dict[str, set[tuple[str, str]]] = field(default_factory=dict)
    #: the commit of each published key, per KPI table
    published: dict[str, dict[Any, int]] = field(default_factory=lambda: defaultdict(dict))
    #: the settings in force at the end
    rules: Rules = field(default_factory=Rules)
    #: what numbers meant to those that published since the last batch began to merge, and to whoever began it
    meanings: set[tuple[str, int]] = field(default_factory=set)
    #: batches that lost the race for the gate
    losers: set[str] = field(default_factory=set)
    #: kept here, because maintenance removes the manifest of a batch that was given up before it began
    _manifests: dict[str, Manifest] = field(default_factory=dict)
    #: what must have been decided, known after judging
    truth: Truth = field(default_factory=Truth)

    # During the run ---------------------------------------------------------------------------------------------------

    def saw(self, life: Life, step: str, values: tuple[object, ...], result: object) -> None:
        """Check a call that was made."""
        self._check_loser(life, step, values)
        match step:
            case "ledger.change_gate" if isinstance(result, Gate):
                self._check_gate(life, result)
            case "store.fetch" if result is not None and life.claim == (self.gate.batch_id, self.gate.attempt):
                key, etag, *_ = values
                for drop in self.drops:
                    drop.is_fetched |= (drop.key, drop.etag) == (key, etag)
            case "store.list" if values[0] == layout.RAW:
                self.listed[life.name] = {(drop.key, drop.etag) for drop in self.drops if not drop.is_overwritten}
            case "ledger.give_back":
                self._note_given_back(life, values[0])
            case "store.forget":
                if life.is_maintenance and values[0] == self.gate.batch_id:
                    raise Violated(f"{life.name} forgets what a batch in flight holds: {values[0]}")
                self.forgotten.add(str(values[0]))
                self.not_forgotten.pop(str(values[0]), None)
            case "store.create" if result is True and str(values[0]).startswith(layout.COMMITS):
                self._check_commit(life, str(values[0]))
            case "store.create" if result is True and str(values[0]).endswith("/affected.json"):
                self.meanings = {life.rules.meaning}
            case "kpis.publish":
                self.meanings.add(life.rules.meaning)
                self._check_publication()

    def _note_given_back(self, life: Life, records: Any) -> None:
        """A file that a batch gives back and that was still there at its last look is pending again, and may be overwritten.

        An attempt that has lost its batch gives nothing back: the newer one holds the bytes.
        """
        if life.claim != (self.gate.batch_id, self.gate.attempt):
            return
        own = {(record.file_key, record.etag) for record in records if record.archived_at is None}
        back = own & self.listed.get(life.name, set())
        for drop in self.drops:
            drop.is_fetched &= (drop.key, drop.etag) not in back

    def _check_loser(self, life: Life, step: str, values: tuple[object, ...]) -> None:
        """An attempt that lost its batch between a check and the guarded change makes that one change, and no other."""
        has_lost = life.claim is not None and life.claim != (self.gate.batch_id, self.gate.attempt)
        key = str(values[0]) if step == "store.create" else ""
        is_guarded = step in _GUARDED or key.startswith(layout.COMMITS) or key.endswith(_GUARDED_PAPERS)
        if has_lost and is_guarded:
            life.late_effects += 1
            if life.late_effects > 1:
                raise Violated(f"{life.name} goes on although it has lost its batch")

    def _check_gate(self, life: Life, after: Gate) -> None:
        """The gate changes as allowed, one generation at a time; a batch that has begun is the only one until it ends."""
        before, self.gate = self.gate, after
        if after.generation != before.generation + 1:
            raise Violated(f"the gate went from generation {before.generation} to {after.generation}")
        if after.has_batch and after.batch_id != before.batch_id:
            if before.has_batch or after.batch_id in self.batches:
                raise Violated(f"batch {after.batch_id} began beside {before.batch_id}")
            self.batches.append(str(after.batch_id))
            self.manifest(str(after.batch_id))
        elif before.has_batch and not after.has_batch and after.state is not GateState.IDLE:
            raise Violated(f"batch {before.batch_id} ended as {after.state}")
        if before.has_batch and not after.has_batch and before.batch_id not in self.forgotten:
            self.not_forgotten[str(before.batch_id)] = life
        self.takeovers += after.attempt > before.attempt > 0
        self.has_losers |= before.owner is not None and after.attempt > before.attempt > 0
        if after.owner == life.name and (before.owner, before.attempt) != (after.owner, after.attempt):
            life.claim = after.batch_id, after.attempt
            life.late_effects = 0
        if after.last_commit < before.last_commit or after.landed < before.landed:
            raise Violated(f"the gate forgot: {before} became {after}")

    def _check_commit(self, life: Life, key: str) -> None:
        """Commits are consecutive, one per batch; maintenance repeats the batch before it."""
        commit = Commit.from_json(json.loads(self.ports.store.read(key) or b""))
        last = self.commits[-1] if self.commits else None
        if commit.number != len(self.commits) + 1:
            raise Violated(f"commit {commit.number} follows {len(self.commits)}")
        if last is not None and any(commit.versions[dataset] < last.versions[dataset] for dataset in Dataset):
            raise Violated(f"older tables than the commit before: {last}, then {commit}")
        known = {earlier.batch_id for earlier in self.commits}
        if life.is_maintenance != (commit.batch_id in known):
            raise Violated(f"a batch has more than one commit: {self.commits}, then {commit}")
        self.commits.append(commit)

    def _check_publication(self) -> None:
        """No published row goes back to an older commit, and none vanishes."""
        for table in self.ports.kpi_tables:
            before = self.published[table.name]
            after = {row.key: row.commit for row in self.ports.kpis.rows(table)}
            for key, commit in before.items():
                if after.get(key, -1) < commit:
                    raise Violated(f"{table.name} {key} went from commit {commit} back to {after.get(key)}")
            self.published[table.name] = after

    # At the end -------------------------------------------------------------------------------------------------------

    def judge(self) -> None:
        """Check everything in the final store against what was dropped."""
        self._check_places()
        self._check_stories()
        self._check_papers()
        self._check_verdicts()
        self._check_meaning()
        self._check_numbers()
        self._check_colours()

    @property
    def arrivals(self) -> list[Drop]:
        """Return the drops that must have been archived: nobody overwrote them before a batch held their bytes."""
        return [drop for drop in self.drops if drop.is_fetched or not drop.is_overwritten]

    def _check_places(self) -> None:
        """Each arrival's bytes are in exactly one place, and nothing else is left."""
        wanted: Counter[tuple[str, str, str]] = Counter(
            (drop.plan.content.dataset, drop.plan.name, drop.plan.content.fingerprint) for drop in self.arrivals
        )
        known = self.contents()
        for record in self._ended():
            if self._is_replay(record):
                content = known[record.batch_id, record.file_key]
                wanted[content.dataset, record.file_key.split("/", 2)[2], content.fingerprint] += 1
        found: Counter[tuple[str, str, str]] = Counter()
        for path in self._files("processed", "failed"):
            dataset, *folders = path.relative_to(self.root).parts[5:]
            name = "/".join(folders)
            if not name.endswith(".reason.json"):
                found[dataset, name, sha256(path.read_bytes()).hexdigest()] += 1
        if wanted != found:
            raise Violated(f"lost: {_shown(wanted - found)}; in more than one place: {_shown(found - wanted)}")
        if self.has_losers:
            return
        # A process that dies or fails after giving a batch up leaves its copies to maintenance: wasteful, but harmless.
        excused = {batch for batch, life in self.not_forgotten.items() if life.process.is_dead or life.has_failed}
        left = [path for path in self.leftovers() if not excused & set(path.split("/"))]
        if left:
            raise Violated(f"left behind: {left}")

    def leftovers(self) -> list[str]:
        """Return what is left in places that are empty when nothing is going on.

        A private copy that a lost attempt fetched after the end of its batch stays forever: wasteful, but harmless.
        """
        folders = ("raw-data", "staging") if self.has_losers else ("raw-data", "staging", ".takings/fetched")
        return [str(path.relative_to(self.root)) for path in self._files(*folders)]

    def _files(self, *folders: str) -> Iterator[Path]:
        return (path for folder in folders for path in sorted((self.root / folder).rglob("*")) if path.is_file())

    def _check_stories(self) -> None:
        """Each arrival ended once, in the place of its bytes; given-back files say so; the gate is free."""
        gate = self.ports.ledger.gate()
        if gate.state is not GateState.IDLE or gate != self.gate:
            raise Violated(f"the gate stands at {gate}")
        told = Counter((record.file_key, record.etag) for record in self._ended() if not self._is_replay(record))
        wanted = Counter((drop.key, drop.etag) for drop in self.arrivals)
        if told != wanted:
            raise Violated(f"without an end: {_shown(wanted - told)}; with too many: {_shown(told - wanted)}")
        for record in self.ports.ledger.lineage():
            if record.verdict is None:
                reason = REPLAY_GIVEN_UP if self._is_replay(record) else RETURNED_TO_PENDING
                if (record.status, record.reason) != (LineageStatus.FAILED, reason):
                    raise Violated(f"neither ended nor given back: {record}")
                continue
            original = self.root / str(record.archived_at)
            status = LineageStatus.FAILED if record.verdict is Verdict.REJECTED else LineageStatus.SUCCESS
            is_told = record.status is status and sha256(original.read_bytes()).hexdigest() == record.fingerprint
            if not is_told or written_at(original) != record.version:
                raise Violated(f"this is not how it ended: {record}")

    def _ended(self) -> list[LineageRecord]:
        """Return the records of arrivals that ended, in processing order."""
        place = {
            (batch_id, arrival.key): (number, position)
            for number, batch_id in enumerate(self.batches)
            for position, arrival in enumerate(self.manifest(batch_id).arrivals)
        }
        ended = [record for record in self.ports.ledger.lineage() if record.verdict is not None]
        return sorted(ended, key=lambda record: place[record.batch_id, record.file_key])

    def _is_replay(self, record: LineageRecord) -> bool:
        arrivals = self.manifest(record.batch_id).arrivals
        return next(arrival for arrival in arrivals if arrival.key == record.file_key).archived_at is not None

    def contents(self) -> dict[tuple[str, str], Content]:
        """Return the bytes of each file in each batch, as they were dropped."""
        drop_of = {(drop.key, drop.etag): drop for drop in self.drops}
        place_of = {record.archived_at: record for record in self.ports.ledger.lineage() if record.verdict is not None}
        known: dict[tuple[str, str], Content] = {}
        for batch_id in self.batches:
            for arrival in self.manifest(batch_id).arrivals:
                if arrival.archived_at is not None:
                    original = place_of[arrival.archived_at]
                    known[batch_id, arrival.key] = known[original.batch_id, original.file_key]
                elif (arrival.key, arrival.etag) in drop_of:
                    known[batch_id, arrival.key] = drop_of[arrival.key, arrival.etag].plan.content
        return known

    def manifest(self, batch_id: str) -> Manifest:
        """Return the manifest of a batch."""
        if batch_id not in self._manifests:
            key = layout.manifest(layout.BatchId(batch_id))
            self._manifests[batch_id] = read_manifest(self.ports.store.read(key) or b"", key)
        return self._manifests[batch_id]

    def _check_verdicts(self) -> None:
        """Each file has the verdict, row counts and version that follow from what was processed before it.

        The order of processing decides whether a copy of superseded bytes counts, as the golden case
        `a_copy_under_another_name_after_a_correction` shows; so this follows that order.
        """
        drop_of = {(drop.key, drop.etag): drop for drop in self.drops}
        known = self.contents()
        originals = {record.archived_at: record for record in self._ended()}
        ended: dict[str, list[LineageRecord]] = defaultdict(list)
        for record in self._ended():
            ended[record.batch_id].append(record)
        self.truth, versions = Truth(versions=self.rules.versions), dict[str, datetime]()
        for batch_id, records in ended.items():
            manifest = self.manifest(batch_id)
            contents = {record.file_key: known[batch_id, record.file_key] for record in records}
            unread = {record.file_key for record in records if self._has_killed(record)}
            settled = self.truth.take(manifest, contents, unread, contracts_of_hash(manifest.contracts))
            for record, file in zip(records, settled, strict=True):
                if record.verdict is not file.verdict:
                    raise Violated(f"it should have been {file.verdict}: {record}")
                if file.records is not None and record.records != file.records:
                    raise Violated(f"its records should be {file.records}: {record}")
                if file.arrival.archived_at is not None:
                    original = originals[file.arrival.archived_at]
                    if (original.file_key, original.version) != (record.file_key, record.version):
                        raise Violated(f"a replay of {original} is no other write: {record}")
                    continue
                if record.file_key in versions and record.version <= versions[record.file_key]:
                    raise Violated(f"a version not behind {versions[record.file_key]}: {record}")
                versions[record.file_key] = record.version
                self._check_version(drop_of[record.file_key, record.etag], record)

    def _has_killed(self, record: LineageRecord) -> bool:
        """Return whether a file was refused unread, which is right only after attempts that ended without a result."""
        is_unread = "reading it killed the process" in str(record.reason)
        return is_unread and self.takeovers >= _MOST_DEATHS

    def _check_version(self, drop: Drop, record: LineageRecord) -> None:
        """A version is the time when the bytes were written, except with a fast clock or after an earlier version of a key."""
        now = self.manifest(record.batch_id).now
        known = [other.version for other in self.ports.ledger.lineage(file_key=record.file_key) if other != record]
        allowed = {min(drop.written_at, now)} | {version + _TICK for version in known} | set(known)
        if record.version not in allowed:
            raise Violated(f"written at {drop.written_at}, processed at {now}: {record}")

    def _check_numbers(self) -> None:
        """The published numbers are what the oracle computes from the accepted bytes, and the lake agrees."""
        lake = self.truth.lake
        right = kpis_csv(order_kpis(lake), "day"), kpis_csv(category_kpis(lake), "category")
        by_day, by_category = (as_csv(table, visible(self.ports.kpis.rows(table))) for table in self.ports.kpi_tables)
        found = differences("by day", right[0], by_day) + differences("by category", right[1], by_category)
        if found:
            raise Violated("\n".join(found))
        if expected(self.root) != right:
            raise Violated("the archive's originals do not make the numbers that the drops make")
        rows = {dataset: table.rows for dataset, table in self.ports.tables.snapshot().tables.items()}
        if rows != {"products": len(lake.products), "orders": len(lake.orders), "order_items": len(lake.items)}:
            raise Violated(f"the tables hold {rows}")
        again = verification.verify(self.ports)
        if again.differences:
            raise Violated(f"the lake says otherwise: {again.differences}")

    def _check_meaning(self) -> None:
        """Published numbers have the present definition, unless nothing was taken since it changed."""
        definitions = {meaning for table in self.ports.kpi_tables for meaning in self.ports.kpis.definitions(table)}
        if not definitions - {current_definition(self.ports)}:
            return
        if self.meanings == {self.rules.meaning}:
            raise Violated(f"published under {definitions}, although a batch was taken under the present definition")
        restate(self.ports)

    def _check_colours(self) -> None:
        """An added column holds what came after it was added, and nothing from before."""
        newest = [row for row in newest_rows(self.truth.rows) if isinstance(row, Product)]
        right = {int(row.id): self.truth.colours[row.id, row.version, row.source, row.line] for row in newest}
        folder = self.ports.tables.folder(Dataset.PRODUCTS)
        paths = [str(folder / file.path) for file in self.ports.tables.snapshot()[Dataset.PRODUCTS].files]
        found: dict[int, str | None] = {}
        with self.ports.engine._connection.cursor() as cursor:  # type: ignore[attr-defined] # one DuckDB serves all
            for path in paths:
                relation = cursor.execute("select * from read_parquet(?)", [path])
                columns = [column for column, *_ in relation.description]
                rows = [dict(zip(columns, row, strict=True)) for row in relation.fetchall()]
                found |= {row["id"]: row.get("colour") for row in rows}
        if found != right:
            raise Violated(f"the products' colours are {found}, not {right}")

    def _check_papers(self) -> None:
        """A batch that began has ended or was given up; one that lost the race for the gate has only a manifest."""
        ended: dict[str, set[str]] = defaultdict(set)
        for record in self.ports.ledger.lineage():
            ended[record.batch_id] |= {record.file_key} if record.verdict else set()
        papers: dict[str, set[str]] = defaultdict(set)
        for path in self._files("batches"):
            papers[path.parent.name].add(path.name)
        for batch_id, names in papers.items():
            if batch_id not in self.batches:
                self.losers.add(batch_id)
                if names != {"manifest.json"} or batch_id in ended:
                    raise Violated(f"{batch_id} never began, but there are {names} of it")
            elif ("outcome.json" in names) != bool(ended[batch_id] or self._is_empty(batch_id)):
                raise Violated(f"{batch_id} has {names}, and the stories of {ended[batch_id]}")

    def _is_empty(self, batch_id: str) -> bool:
        """Return whether all files of a batch were overwritten before it read them, so it ended without any."""
        key = layout.verdicts(layout.BatchId(batch_id))
        content = self.ports.store.read(key)
        return content is not None and not json.loads(content)["files"]


def _shown(counted: Counter[Any]) -> str:
    return (
        ", ".join(f"{' '.join(str(part)[:40] for part in key)} ({count})" for key, count in counted.items()) or "none"
    )
