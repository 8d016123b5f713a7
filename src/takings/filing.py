"""File a batch's originals away, with their lineage."""

from __future__ import annotations

from dataclasses import dataclass

from takings import archive, layout
from takings.arrivals import Arrival
from takings.claim import Claim
from takings.judging import Judged
from takings.layout import BatchId
from takings.lineage import LineageRecord, ended, given_back
from takings.ports import Ports
from takings.validation.findings import FileReport
from takings.validation.reports import reason_lines


@dataclass(frozen=True)
class Filing:
    """The archive of one batch."""

    claim: Claim

    def file_away(self, judged: Judged) -> None:
        """File every original away, with its lineage."""
        arrivals = {arrival.key: (place, arrival) for place, arrival in enumerate(self.claim.arrivals)}
        self._ports.ledger.give_back([given_back(self.claim.begun(arrivals[key][1])) for key in judged.returned])
        for report in judged.reports:
            place, arrival = arrivals[report.key]
            self.claim.check()
            self._ports.ledger.record([self._file_away(place, arrival, report)])

    @property
    def _ports(self) -> Ports:
        return self.claim.ports

    @property
    def _id(self) -> BatchId:
        return self.claim.batch_id

    def _file_away(self, place: int, arrival: Arrival, report: FileReport) -> LineageRecord:
        move = archive.plan_move(arrival, report, self._id, self.claim.manifest.now)
        store = self._ports.store
        if move.reason_key is not None:
            self._keep_reasons(place, report, move.reason_key)
        store.file_away(arrival.source, arrival.etag, self._id, move.destination, arrival.version, report.fingerprint)
        self._ports.tell("file.archived", {"key": arrival.key, "archived_at": move.destination})
        return ended(
            self.claim.begun(arrival),
            verdict=report.verdict,
            fingerprint=report.fingerprint,
            records=report.records,
            reason=report.reason,
            archived_at=move.destination,
        )

    def _keep_reasons(self, place: int, report: FileReport, key: str) -> None:
        """Keep the reasons beside a refused file; one without faults of its own has only its report's."""
        if not self._ports.store.copy(layout.staged_reasons(self._id, place), key):
            self._ports.store.create_from(key, reason_lines(report, ()))
