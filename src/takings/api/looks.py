"""What a shop's store tells: the methods that leave it as it is."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from takings.api import validating
from takings.api.kpis import Day, Kpis, as_day, find_kpis
from takings.api.validating import FileFindings, Files
from takings.batch.store_format import check_lake
from takings.composition.stores import Shop as OpenedStore
from takings.composition.stores import check_own_tables, open_store_to_look, read_settings_of
from takings.contracts.datasets import Dataset
from takings.errors import UnknownThing
from takings.kpis import KpiTable
from takings.layout import BatchId
from takings.ports import Tell
from takings.ports.engines import NO_CONDITION
from takings.queries.batches import BatchDetails, BatchSummary, batch_ids, details, summary
from takings.queries.digest import Digest, find_digest
from takings.queries.incomplete import find_incomplete
from takings.queries.published_kpis import By
from takings.queries.status import Status, find_status
from takings.queries.verification import Explanation, Verification
from takings.queries.verification import explain as find_rows
from takings.queries.verification import verify as compare
from takings.settings import EngineChoice, Settings

_log = logging.getLogger("takings")


def _log_event(event: str, known: Mapping[str, object]) -> None:
    """Log an event as `takings --verbose` does."""
    _log.info("%s %s", event, " ".join(f"{name}={value}" for name, value in known.items()))


class ShopLooks:
    """The half of a Shop that only looks; `takings.open` makes a whole one."""

    def __init__(self, store: str | Path, *, tell: Tell | None = None, **settings: Any) -> None:  # noqa: ANN401
        #: as it was named
        self.store = str(store)
        self._tell = tell or _log_event
        self._options = settings

    def __repr__(self) -> str:
        return f"Shop('{self.store}')"

    def settings(self) -> Settings:
        """Return the settings as they are now: takings.toml, TAKINGS_* variables, and what was given to `takings.open`.

        >>> import takings
        >>> takings.open("shop", batch_files=3).settings().batch_files
        3
        """
        return read_settings_of(self.store, self._options)

    def kpis(
        self,
        by: By | str | None = None,
        *,
        table: str | None = None,
        category: str | None = None,
        first: Day | None = None,
        last: Day | None = None,
    ) -> Kpis:
        """Return published KPIs: `by` "day" (the default) or "category", or of the `table` of that name.

        `first` and `last` are business days, both inclusive; `category` is one name, exactly.

        UsageError where table and filter do not fit, UnknownThing where there is no such table or category.

        >>> import takings
        >>> toys = takings.open("shop").kpis(by="category", category="Toys", first="2025-03-31")
        >>> [(row.key[0], str(row.values["daily_revenue"])) for row in toys.rows]
        [('Toys', '4.25')]
        """
        with self._looking() as store:
            return find_kpis(store, by=by, table=table, category=category, first=first, last=last)

    def status(self) -> Status:
        """Return what is pending and what it waits for, the batch in flight, orphans, and files to put right.

        >>> import takings
        >>> status = takings.open("shop").status()
        >>> status.state, status.pending["orders"], status.commit, status.orphans
        ('IDLE', 1, 1, 0)
        """
        with self._looking() as store:
            return find_status(store.ports, find_incomplete(store.ports))

    def batches(self) -> tuple[BatchSummary, ...]:
        """Return the store's batches, oldest first.

        >>> import takings
        >>> [(batch.state, batch.files, batch.records_read) for batch in takings.open("shop").batches()]
        [('DONE', 3, 9)]
        """
        with self._looking() as store:
            return tuple(summary(store.ports, batch_id) for batch_id in batch_ids(store.ports))

    def batch(self, batch_id: str) -> BatchDetails:
        """Return one batch with its files, verdicts, violations and restated days; UnknownThing where there is none.

        >>> import takings
        >>> shop = takings.open("shop")
        >>> found = shop.batch(shop.batches()[-1].batch_id)
        >>> [(report.file, report.verdict.value) for report in found.reports if report.dataset == "orders"]
        [('a.csv', 'accepted')]
        """
        with self._looking() as store:
            if batch_id not in batch_ids(store.ports):
                raise UnknownThing(
                    f"{self.store}: there is no batch '{batch_id}'. `takings batches {self.store}` lists them."
                )
            return details(store.ports, BatchId(batch_id))

    def validate(
        self,
        files: Files,
        *,
        dataset: Dataset | str | None = None,
        most: int | None = validating.MOST_VIOLATIONS,
    ) -> tuple[FileFindings, ...]:
        """Validate files with this store's settings, and find copies of its files; write nothing.

        The same as `takings.validate(files, store=…)`, which says what it takes and raises.

        >>> import takings
        >>> [found.verdict.value for found in takings.open("shop").validate("good.csv", dataset="orders")]
        ['accepted']
        """
        return validating.validate(files, dataset=dataset, store=self.store, most=most, **self._options)

    def explain(self, day: Day, category: str | None = None, *, of: Mapping[str, str] = NO_CONDITION) -> Explanation:
        """Return the rows behind a day's numbers, or a category's on that day, with file and line, and their exact sum.

        `of` limits them to a key of a table of your own: values by column, as text. UnknownThing where there is no row.

        >>> import takings
        >>> explanation = takings.open("shop").explain("2025-03-30", "Toys")
        >>> [(row.key, row.line, str(row.amount)) for row in explanation.rows], str(explanation.revenue)
        ([('raw-data/order-items/a.csv', 3, '20.2500000000000000')], '20.2500000000000000')
        """
        with self._looking() as store:
            return find_rows(store.ports, as_day(day), category, of=of)

    def verify(self) -> Verification:
        """Recompute every KPI from the lake and compare it with the published one; change nothing.

        >>> import takings
        >>> verification = takings.open("shop").verify()
        >>> verification.rows, verification.differences
        (5, ())
        """
        with self._looking() as store:
            check_lake(store.ports)
            return compare(store.ports)

    def check_tables(self) -> tuple[tuple[KpiTable, ...], tuple[EngineChoice, ...]]:
        """Check the KPI tables of the shop's own on a small sample shop; return them, and the engines that computed them.

        Nothing is published. With the setting `engine = "spark"`, Spark computes them too. ContractError for the first table
        that cannot be used.

        >>> import takings
        >>> takings.open("shop").check_tables()
        ((), (<EngineChoice.DUCKDB: 'duckdb'>,))
        """
        return check_own_tables(self.store, self._options)

    def digest(self, day: Day | None = None) -> Digest:
        """Return what is worth knowing of a business day, of yesterday unless one is named: what the mail shows.

        >>> import takings
        >>> digest = takings.open("shop").digest("2025-03-30")
        >>> str(digest.numbers["total_revenue"]), digest.categories[0][0]
        ('30.25', 'Toys')
        """
        with self._looking() as store:
            return find_digest(store.ports, None if day is None else as_day(day))

    def _looking(self) -> AbstractContextManager[OpenedStore]:
        return open_store_to_look(self.store, self._tell, self._options)
