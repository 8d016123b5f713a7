"""Rebuild a store from its archive into a new folder, and compare it with what the archive's bytes yield."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from takings.archive.lineage import RETURNED_TO_PENDING
from takings.composition.stores import Shop
from takings.entrypoints.kpi_output import as_csv
from takings.kpis.publication import visible
from takings.queries import verification
from takings.runs.pipeline import Ports
from takings.runs.rebuild import ArchivedBatch, rebuild
from takings.validation.findings import FileReport, RecordCounts, Verdict
from tests.oracle.comparison import differences
from tests.oracle.kpis import category_kpis, kpis_csv, order_kpis
from tests.simulation.drops import Content
from tests.simulation.parts import Rules, shop_under
from tests.simulation.truth import Settled, Truth
from tests.simulation.workshop import opened_shop


class Different(AssertionError):
    """A rebuilt store differs from what the archive's bytes yield."""


@dataclass(frozen=True, kw_only=True)
class Rebuilding:
    """What a rebuild is made from."""

    shop: Shop
    #: batch and key -> the bytes
    contents: Callable[[], Mapping[tuple[str, str], Content]]
    #: in the order of their claims
    batches: Sequence[str]
    rules: Rules

    def rebuild(self, archive: Sequence[ArchivedBatch]) -> None:
        """Rebuild what was read from the archive, under the rules of whoever does it."""
        self._check_order(archive)
        known = self.contents()
        truth, settled = Truth(versions=self.rules.versions), dict[tuple[str, str], Settled]()
        for batch in archive:
            id_ = batch.manifest.batch_id
            contents = {report.key: known[id_, report.key] for report in batch.reports}
            unread = {report.key for report in batch.reports if "file|kills_reader" in report.errors}
            for file in truth.take(batch.manifest, contents, unread, self.rules.contracts):
                settled[id_, file.arrival.key] = file
        with opened_shop({}, self.rules.versions) as opened:
            ports = shop_under(opened, self.rules).ports
            rebuilt = rebuild(self.shop.ports.store, tuple(archive), ports)
            self._check_stories(ports, settled)
            self._check_numbers(ports, truth)
        told = {(change.batch_id, change.before.key) for change in rebuilt.changes}
        before: dict[tuple[str, str], FileReport] = {
            (batch.manifest.batch_id, report.key): report for batch in archive for report in batch.reports
        }
        wanted = {place for place, file in settled.items() if _differs(before[place], file)}
        if told != wanted:
            raise Different(f"told to be judged otherwise: {told ^ wanted} is wrong")

    def _check_order(self, archive: Sequence[ArchivedBatch]) -> None:
        """Batches with rows in the lake are run again in the order in which they were committed."""
        taken = [batch.manifest.batch_id for batch in archive if any(_is_taken(report) for report in batch.reports)]
        if taken != sorted(taken, key=list(self.batches).index):
            raise Different(f"rebuilt in another order than processed: {taken}")

    def _check_stories(self, ports: Ports, settled: Mapping[tuple[str, str], Settled]) -> None:
        # What was overwritten before it was read is given back again.
        ended = [record for record in ports.ledger.lineage() if record.reason != RETURNED_TO_PENDING]
        found = {(record.batch_id, record.file_key): record for record in ended}
        if found.keys() != settled.keys():
            raise Different(f"stories of other files: {found.keys() ^ settled.keys()}")
        for place, record in found.items():
            file = settled[place]
            is_right = (record.verdict, record.version) == (file.verdict, file.arrival.version)
            if not is_right or (file.records is not None and record.records != file.records):
                raise Different(f"it should have been {file.verdict}, {file.records}: {record}")

    def _check_numbers(self, ports: Ports, truth: Truth) -> None:
        lake = truth.lake
        right = kpis_csv(order_kpis(lake), "day"), kpis_csv(category_kpis(lake), "category")
        by_day, by_category = (as_csv(table, visible(ports.kpis.rows(table))) for table in ports.kpi_tables)
        found = differences("by day", right[0], by_day) + differences("by category", right[1], by_category)
        if found:
            raise Different("\n".join(found))
        if verification.verify(ports).differences:
            raise Different(f"the rebuilt lake says otherwise: {verification.verify(ports).differences}")


def _is_taken(report: FileReport) -> bool:
    return report.verdict is Verdict.ACCEPTED


def _differs(before: FileReport, file: Settled) -> bool:
    after: RecordCounts = before.records if file.records is None else file.records
    return (before.verdict, before.records) != (file.verdict, after)
