"""Judge a batch's files: each against its contract, once, with reports, reasons and staged rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from hashlib import file_digest
from pathlib import Path
from typing import Final

from takings import layout
from takings.batch.claim import Claim
from takings.batch.commits import newest_commit
from takings.batch.gaps import refused_days_document
from takings.batch.reading_ahead import ReadingAhead, SmallFile, small_files
from takings.batch.validate_file import Examination, examine
from takings.contracts.model import Dataset
from takings.documents import VERDICTS, parse_document
from takings.errors import MachineryError, StoreError, UnreadableFile
from takings.intake.arrivals import Arrival
from takings.intake.gate import MOST_DEATHS, MOST_LEFT
from takings.intake.manifest import to_json
from takings.lake import LakeSnapshot, StagedBatch, StagedFile, TableSnapshot
from takings.layout import BatchId
from takings.ports import Ports
from takings.validation.findings import FaultyRecord, FileReport, Verdict
from takings.validation.quarantine import broken_lines, quarantine_lines
from takings.validation.reports import (
    chunk_document,
    file_document,
    read_file_report,
    reason_lines,
    verdicts_document,
)
from takings.validation.verdicts import RejectionPolicy, Tolerance, fail_batch, judge_unread

#: a reader keeps a file open and some buffers: these leave room within 256 open files and the smallest memory …
_FILES_AT_ONCE: Final = 64
#: … and these within hardly any
_FEWEST_AT_ONCE: Final = 4
#: what is being read where it is no single file; no key, so that none is suspected
_TOGETHER: Final = "small files together"


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The verdicts of a batch, which nothing changes once they are written."""

    reports: tuple[FileReport, ...]
    #: keys of the files whose bytes were overwritten before they were read, or could not be read: they are pending again
    returned: tuple[str, ...]
    #: of those that could not be read, the reasons
    unread: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_accepted(self) -> bool:
        """Tell whether any file was accepted."""
        return any(report.verdict is Verdict.ACCEPTED for report in self.reports)


@dataclass(frozen=True)
class Judging:
    """The validation of one batch."""

    claim: Claim
    #: many small files may be read at once: no earlier attempt has died or failed, maybe of one of them
    reads_ahead: bool = False

    def judge(self) -> Judged:
        """Judge every file, once: an earlier attempt's verdicts stand."""
        key = layout.verdicts(self._id)
        settled = self._ports.store.read(key)
        if settled is not None:
            return _read_verdicts(settled, key)
        reports: list[FileReport] = []
        returned: list[str] = []
        read_until = 0
        unread: dict[str, str] = {}
        for place, arrival in enumerate(self.claim.arrivals):
            if place == read_until:
                read_until = self._read_ahead(place)
            self._ports.tell("file.validating", {"key": arrival.key, "place": place, "of": len(self.claim.arrivals)})
            try:
                report = self._validate_file(place, arrival, reports)
            except UnreadableFile as refused:
                unread[arrival.key] = str(refused)
                self._ports.tell("file.unread", {"key": arrival.key, "reason": str(refused)})
                self._check_number_of(unread)
                report = None
            if report is None:
                returned.append(arrival.key)
                continue
            reports.append(report)
            self._ports.tell("file.judged", {"key": arrival.key, "verdict": report.verdict.value})
        if self._tolerance.policy is RejectionPolicy.STRICT:
            reports = list(self._judge_strictly(tuple(reports)))
        self.claim.check()
        self._keep_refused_days(reports)
        for report in reports:
            key = layout.file_report(self._id, report.dataset, report.file)
            self._ports.store.create(key, to_json(file_document(report)))
        document = to_json(verdicts_document(self._id, reports, returned, unread))
        if not self._ports.store.create(layout.verdicts(self._id), document):
            return self.judge()
        return Judged(reports=tuple(reports), returned=tuple(returned), unread=unread)

    def _check_number_of(self, unread: Mapping[str, str]) -> None:
        """Raise StoreError where so many files cannot be read that each is hardly to blame."""
        if len(unread) + len(self.claim.gate.left) > MOST_LEFT:
            last = list(unread.values())[-1]
            raise StoreError(
                f"more than {MOST_LEFT} files under raw-data/ cannot be read, at last this one: {last}"
                " Mend that and run again; nothing is lost."
            )

    @property
    def _ports(self) -> Ports:
        return self.claim.ports

    @property
    def _id(self) -> BatchId:
        return self.claim.batch_id

    def _judge_strictly(self, reports: tuple[FileReport, ...]) -> tuple[FileReport, ...]:
        """Apply the policy "strict": a refused file, or an orphan without a parent anywhere, refuses the batch."""
        for report in reports:
            if report.verdict is Verdict.REJECTED:
                return fail_batch(reports, f"{report.key} was rejected")
        with self._ports.engine.landing(self.staged_batch(reports)) as session:
            orphan = session.first_orphan(self._ports.tables.snapshot())
        if orphan is None:
            return reports
        return fail_batch(
            reports,
            f"{orphan.key} line {orphan.line}: its {orphan.column} is neither in the batch nor in the lake",
        )

    def _keep_refused_days(self, reports: Sequence[FileReport]) -> None:
        """Keep the days that refused files are about, as far as their good rows tell, so that these days can be marked."""
        refused = {report.key for report in reports if report.verdict is Verdict.REJECTED}
        if not refused:
            return
        staged = [self._staged(place, arrival) for place, arrival in enumerate(self.claim.arrivals)]
        # Items have the days of their orders, whatever became of the file that these came in.
        wanted = [file for file in staged if file.dataset is Dataset.ORDERS or file.key in refused]
        files = tuple(file for file in wanted if file.dataset is not Dataset.PRODUCTS and file.path.exists())
        batch = StagedBatch(batch_id=self._id, files=files, files_at_once=self._files_at_once)
        days = self._ports.engine.days_of(batch, self._lake()) if files else {}
        document = refused_days_document(self._id, {key: days.get(key, ()) for key in refused})
        self._ports.store.create(layout.refused_days(self._id), to_json(document))

    def _lake(self) -> LakeSnapshot:
        """Return the lake as of the newest commit."""
        commit = newest_commit(self._ports.store, self.claim.gate.last_commit)
        if commit is None:
            return LakeSnapshot(tables={dataset: TableSnapshot(version=0, files=()) for dataset in Dataset})
        return self._ports.tables.snapshot(commit.versions)

    def _validate_file(self, place: int, arrival: Arrival, before: list[FileReport]) -> FileReport | None:
        """Judge one file; None where its bytes were overwritten before they were read, UnreadableFile where it cannot be."""
        path = self._ports.store.fetch(arrival.source, arrival.etag, self._id)
        if path is None:
            return None
        deaths = self.claim.gate.deaths_of(arrival.key, arrival.etag)
        if deaths >= MOST_DEATHS:
            return judge_unread(arrival, _fingerprint(path), deaths)
        self._say_reading(_TOGETHER if self._ahead.knows(self._workspace(place)) else arrival.key)
        examination = examine(
            self._ahead,
            self._ports.contracts,
            arrival,
            path,
            now=self.claim.manifest.now,
            tolerance=self._tolerance,
            workspace=self._workspace(place),
            staged=self._staged(place, arrival).path,
            original_of=lambda fingerprint: self._original_of(arrival, fingerprint, before),
        )
        report = examination.report
        self._report_chunks(arrival, examination)
        if report.records.rejected or report.verdict is Verdict.REJECTED:
            self._explain(place, report, examination.faulty_records())
        if report.verdict is Verdict.ACCEPTED and report.records.rejected:
            self._quarantine(arrival, examination)
        return report

    @cached_property
    def _ahead(self) -> ReadingAhead:
        return ReadingAhead(self._ports.validation, self._ports.contracts)

    def _read_ahead(self, first: int) -> int:
        """Read small files ahead, if there are many; return the place behind the last one that was looked at."""
        if not self.reads_ahead:
            return len(self.claim.arrivals)
        small, end = small_files(
            self.claim.arrivals, first, lambda arrival: self.claim.gate.deaths_of(arrival.key, arrival.etag) > 0
        )
        if small:
            self._say_reading(_TOGETHER)
            found = [self._found(place) for place in small]
            self._ahead.read(
                [file for file in found if file is not None],
                now=self.claim.manifest.now,
                workspace=self._workspace(first),
            )
        return end

    def _found(self, place: int) -> SmallFile | None:
        """Return a small file as it can be read; None where it cannot, which its own turn tells."""
        arrival = self.claim.arrivals[place]
        try:
            path = self._ports.store.fetch(arrival.source, arrival.etag, self._id)
        except UnreadableFile:
            return None
        if path is None:
            return None
        return SmallFile(
            dataset=arrival.dataset,
            path=path,
            workspace=self._workspace(place),
            staged=self._staged(place, arrival).path,
        )

    def _say_reading(self, what: str) -> None:
        """Say what is being read, for whoever finds this process dead."""
        if self.claim.gate.reading != what:
            self.claim.change(lambda current: current.now_reading(what))

    def _workspace(self, place: int) -> Path:
        return self._ports.store.staging(self._id) / "work" / str(place)

    @property
    def _tolerance(self) -> Tolerance:
        settings = self.claim.manifest.settings
        return Tolerance(policy=RejectionPolicy(settings["policy"]), max_rejected=Decimal(settings["max_rejected"]))

    def _explain(self, place: int, report: FileReport, faulty: Iterable[FaultyRecord]) -> None:
        """Write every line that was refused, and why, for the archive."""
        self._ports.store.create_from(layout.staged_reasons(self._id, place), reason_lines(report, faulty))

    def _quarantine(self, arrival: Arrival, examination: Examination) -> None:
        """Set the bad rows of an accepted file aside, in a form that can be mended and dropped again."""
        key = layout.quarantined(self._id, arrival.dataset, arrival.file)
        rows = quarantine_lines(arrival, examination.structure.header or (), examination.faulty_records())
        self._ports.store.create_from(key, rows)
        self._ports.store.create_from(f"{key}.broken.jsonl", broken_lines(examination.faulty_records()))

    def _original_of(self, arrival: Arrival, fingerprint: str, before: list[FileReport]) -> str | None:
        """Return the accepted file of which this one is a copy, if there is one.

        Only the newest accepted version of its own key counts: older bytes dropped again are a correction.
        """
        accepted = [
            record
            for record in self._ports.ledger.accepted_with([fingerprint])
            # The batch itself, and the same arrival in an earlier one: a replay takes it again.
            if record.batch_id != self._id and (record.file_key, record.version) != (arrival.key, arrival.version)
        ]
        candidates = [(record.file_key, record.version) for record in accepted]
        candidates += [
            (report.key, report.version)
            for report in before
            if report.verdict is Verdict.ACCEPTED and report.fingerprint == fingerprint
        ]
        others = [key for key, _ in candidates if key != arrival.key]
        if others:
            return others[0]
        if not candidates:
            return None
        newest = max(
            record.version
            for record in self._ports.ledger.lineage(file_key=arrival.key)
            if record.verdict is Verdict.ACCEPTED
        )
        return arrival.key if any(version == newest for _, version in candidates) else None

    def _report_chunks(self, arrival: Arrival, examination: Examination) -> None:
        for chunk in examination.chunks:
            key = layout.chunk_report(self._id, arrival.dataset, arrival.file, chunk.chunk)
            self._ports.store.create(key, to_json(chunk_document(chunk)))

    def _staged(self, place: int, arrival: Arrival) -> StagedFile:
        folder = self._ports.store.staging(self._id) / arrival.dataset
        folder.mkdir(parents=True, exist_ok=True)
        return StagedFile(
            dataset=arrival.dataset, key=arrival.key, version=arrival.version, path=folder / f"{place:05d}.parquet"
        )

    def share_staged(self, judged: Judged) -> None:
        """Let the batch's next step find the staged rows, on whatever machine it runs; the verdicts are written."""
        self.claim.check()
        paths = (self._staged(place, arrival).path for place, arrival in self._accepted(judged.reports))
        self._ports.store.put_staged(self._id, [path for path in paths if path.exists()])

    def staged_batch(self, reports: tuple[FileReport, ...]) -> StagedBatch:
        """Return the staged rows of the accepted files."""
        accepted = self._accepted(reports)
        paths = (self._staged(place, arrival).path for place, arrival in accepted)
        self._ports.store.fetch_staged(self._id, [path for path in paths if not path.exists()])
        files = (self._staged_again(place, arrival) for place, arrival in accepted)
        return StagedBatch(batch_id=self._id, files=tuple(files), files_at_once=self._files_at_once)

    @property
    def _files_at_once(self) -> int:
        """Return how many files may be open at once: fewer for each attempt that has failed, maybe of too many."""
        return max(_FEWEST_AT_ONCE, _FILES_AT_ONCE >> 2 * (self.claim.gate.attempt - 1))

    def _accepted(self, reports: tuple[FileReport, ...]) -> list[tuple[int, Arrival]]:
        """Return the accepted files with their places in the batch."""
        accepted = {report.key for report in reports if report.verdict is Verdict.ACCEPTED}
        return [(place, arrival) for place, arrival in enumerate(self.claim.arrivals) if arrival.key in accepted]

    def _staged_again(self, place: int, arrival: Arrival) -> StagedFile:
        """Return the file's staged rows; where they are gone, or nobody has shared them, they are made again."""
        staged = self._staged(place, arrival)
        if not staged.path.exists() and self._validate_file(place, arrival, []) is None:
            raise MachineryError(
                f"{arrival.key}: its staged rows and the bytes they were read from are gone, so batch {self._id} cannot be"
                " completed. Drop the same file again under its name and run again."
            )
        return staged


def _read_verdicts(content: bytes, key: str) -> Judged:
    document = parse_document(content, key, VERDICTS)
    return Judged(
        reports=tuple(read_file_report(file) for file in document["files"]),
        returned=tuple(document["returned"]),
        # Verdicts of before 0.2 do not tell.
        unread=document.get("unread", {}),
    )


def _fingerprint(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
