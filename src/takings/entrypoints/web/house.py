"""Hold what all requests share: the opened store and what was read of it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import date
from typing import Final

from takings.bootstrap import Shop
from takings.commits import read_commit
from takings.entrypoints.web.opening import OpenedStore
from takings.entrypoints.web.records import Records
from takings.entrypoints.web.settled import Settled, SettledKpis
from takings.kpis import derive
from takings.kpis.definitions import KpiValue
from takings.proof import Explanation, explain

#: explanations kept, for the pages of a long one
_MOST_EXPLANATIONS: Final = 8
#: one day's numbers, by name; none where there was no order
Kpis = Mapping[str, KpiValue]


class House:
    """The store, as the page and the API read it."""

    def __init__(self, opened: OpenedStore) -> None:
        self.opened = opened
        self.records = Records()
        self._kpis = SettledKpis()
        self._explanations: dict[tuple[object, ...], Explanation] = {}
        self._keeping = threading.Lock()

    def settled(self, shop: Shop) -> Settled:
        """Return the published KPIs as of one commit."""
        return self._kpis.current(shop)

    def explain(self, shop: Shop, day: date, category: str | None) -> tuple[Settled, Explanation]:
        """Return the rows behind a day's numbers as of the very commit that the numbers are of."""
        settled = self.settled(shop)
        which = (settled.commit and settled.commit.number, day, category)
        known = self._explanations.get(which)
        if known is None:
            with self.opened.engine:
                known = explain(shop.ports, day, category, as_of=settled.commit)
            with self._keeping:
                self._explanations[which] = known
                while len(self._explanations) > _MOST_EXPLANATIONS:
                    self._explanations.pop(next(iter(self._explanations)))
        return settled, known

    def restated(self, shop: Shop, days: frozenset[date], commit: int) -> Mapping[date, tuple[Kpis, Kpis]]:
        """Compute the days' numbers before and after a commit; StoreError once the lake has let go of the one before."""
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
