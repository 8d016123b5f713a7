"""Read the store for all requests, and cache what one of them has read for the others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import date
from typing import Final, TypeVar

from takings.batch.commits import read_commit
from takings.composition.stores import Shop
from takings.entrypoints.web.kpi_cache import KpiCache
from takings.entrypoints.web.opening import OpenedStore
from takings.entrypoints.web.records import History
from takings.kpis import derive
from takings.kpis.definitions import KpiValue
from takings.ports.engines import NO_CONDITION
from takings.queries.published_kpis import PublishedKpis
from takings.queries.verification import Explanation, explain

Key = TypeVar("Key")
Value = TypeVar("Value")
#: how many explanations are cached, for the pages of a long one
_MOST_EXPLANATIONS: Final = 8
#: one day's numbers, by name; empty for a day without orders
Kpis = Mapping[str, KpiValue]
#: an answer: its body, its media type and the cursor of the next page
Made = tuple[bytes, str, str | None]
#: how many answers are cached, and the most bytes of each
_MOST_ANSWERS, _LARGEST_ANSWER = 256, 1 << 20


class StoreReader:
    """The store as the page and the API read it."""

    def __init__(self, opened: OpenedStore) -> None:
        self.opened = opened
        self.records = History()
        self._kpis = KpiCache()
        self._explanations: dict[tuple[object, ...], Explanation] = {}
        self._answers: dict[tuple[object, ...], Made] = {}
        self._keeping = threading.Lock()

    def kpis(self, shop: Shop) -> PublishedKpis:
        """Return the published KPIs as of one commit."""
        return self._kpis.current(shop.ports)

    def remembered(self, kpis: PublishedKpis, what: tuple[object, ...], make: Callable[[], Made]) -> Made:
        """Return an answer from the published KPIs; make it once and keep it until they change."""
        key = (kpis.version, *what)
        found = self._answers.get(key)
        if found is None:
            found = make()
            if len(found[0]) <= _LARGEST_ANSWER:
                _keep(self._keeping, self._answers, key, found, _MOST_ANSWERS)
        return found

    def explain(
        self, shop: Shop, day: date, category: str | None, of: Mapping[str, str] = NO_CONDITION
    ) -> tuple[PublishedKpis, Explanation]:
        """Return the rows behind a day's numbers, or those with values `of` columns, as of the same commit as the numbers."""
        kpis = self.kpis(shop)
        which = (kpis.commit and kpis.commit.number, day, category, *of.items())
        known = self._explanations.get(which)
        if known is None:
            with self.opened.engine:
                known = explain(shop.ports, day, category, of=of, as_of=kpis.commit)
            _keep(self._keeping, self._explanations, which, known, _MOST_EXPLANATIONS)
        return kpis, known

    def restated(self, shop: Shop, days: frozenset[date], commit: int) -> Mapping[date, tuple[Kpis, Kpis]]:
        """Compute the days' numbers before and after a commit; StoreError if the lake no longer has the previous commit."""
        before, after = (self._as_of(shop, number, days) for number in (commit - 1, commit))
        return {day: (before.get(day, {}), after.get(day, {})) for day in sorted(days)}

    def _as_of(self, shop: Shop, number: int, days: frozenset[date]) -> Mapping[date, Kpis]:
        ports = shop.ports
        commit = read_commit(ports.store, number) if number else None
        if commit is None:
            return {}
        table = ports.kpi_tables[0]
        with self.opened.engine:
            measures = ports.kpi_engine.measures([table], ports.tables.snapshot(commit.versions), days)
        return {key[0]: values for key, values in (derive(table, row) for row in measures[table.name])}


def _keep(lock: threading.Lock, kept: dict[Key, Value], key: Key, value: Value, most: int) -> None:
    """Keep a value, and remove the oldest when there are too many."""
    with lock:
        kept[key] = value
        while len(kept) > most:
            kept.pop(next(iter(kept)))
