"""File a batch's originals away, with their lineage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from takings import layout
from takings.archive import moves
from takings.archive.lineage import LineageRecord, ended, given_back
from takings.archive.moves import Move
from takings.batch.claim import Claim
from takings.batch.validate import Judged
from takings.errors import StuckFile
from takings.intake.arrivals import Arrival
from takings.layout import BatchId
from takings.ports import Ports
from takings.validation.findings import FileReport, Verdict
from takings.validation.reports import reason_lines


@dataclass(frozen=True, kw_only=True)
class FailedFile:
    """A file that was refused."""

    key: str
    batch_id: BatchId
    #: where its original is now
    archived_at: str
    reason: str | None


@dataclass(frozen=True)
class Filing:
    """The archive of one batch."""

    claim: Claim
    #: why drops that are filed away are still there
    stuck: dict[str, str] = field(default_factory=dict)

    def file_away(self, judged: Judged, has_time: Callable[[], bool] = lambda: True) -> bool:
        """File every original away, with its lineage; False where the time was over before.

        Repeated, it goes on: what the ledger knows to be filed away is passed over.
        """
        arrivals = {arrival.key: (place, arrival) for place, arrival in enumerate(self.claim.arrivals)}
        self._ports.ledger.give_back([given_back(self.claim.begun(arrivals[key][1])) for key in judged.returned])
        filed = {record.file_key for record in self._ports.ledger.lineage(batch_id=self._id) if record.verdict}
        for report in judged.reports:
            if report.key in filed:
                continue
            if not has_time():
                return False
            place, arrival = arrivals[report.key]
            self.claim.check()
            self._ports.ledger.record([self._file_away(place, arrival, report)])
        return True

    def failed(self, judged: Judged) -> tuple[FailedFile, ...]:
        """Return the files that were refused, and where they are filed away."""
        arrivals = {arrival.key: arrival for arrival in self.claim.arrivals}
        return tuple(
            FailedFile(
                key=report.key,
                batch_id=self._id,
                archived_at=self._move(arrivals[report.key], report).destination,
                reason=report.reason,
            )
            for report in judged.reports
            if report.verdict is Verdict.REJECTED
        )

    @property
    def _ports(self) -> Ports:
        return self.claim.ports

    @property
    def _id(self) -> BatchId:
        return self.claim.batch_id

    def _file_away(self, place: int, arrival: Arrival, report: FileReport) -> LineageRecord:
        move = self._move(arrival, report)
        store = self._ports.store
        if move.reason_key is not None:
            self._keep_reasons(place, report, move.reason_key)
        try:
            store.file_away(
                arrival.source, arrival.etag, self._id, move.destination, arrival.version, report.fingerprint
            )
        except StuckFile as refused:
            self.stuck[arrival.key] = str(refused)
            self._ports.tell("file.stuck", {"key": arrival.key, "reason": str(refused)})
        self._ports.tell("file.archived", {"key": arrival.key, "archived_at": move.destination})
        return ended(
            self.claim.begun(arrival),
            verdict=report.verdict,
            fingerprint=report.fingerprint,
            records=report.records,
            reason=report.reason,
            archived_at=move.destination,
        )

    def _move(self, arrival: Arrival, report: FileReport) -> Move:
        return moves.plan_move(arrival, report, self._id, self.claim.manifest.now)

    def _keep_reasons(self, place: int, report: FileReport, key: str) -> None:
        """Keep the reasons beside a refused file; one without faults of its own has only its report's."""
        if not self._ports.store.copy(layout.staged_reasons(self._id, place), key):
            self._ports.store.create_from(key, reason_lines(report, ()))
