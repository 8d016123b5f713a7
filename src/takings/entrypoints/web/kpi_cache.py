"""Cache the published KPIs that were read last, so that most requests read nothing."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Final

from takings.intake.gate import Gate
from takings.ports import Ports
from takings.queries.published_kpis import PublishedKpis, read_published

#: a restatement does not change the gate, so the cache expires after a while
_KEEP_SECONDS: Final = 60


@dataclass(frozen=True, kw_only=True)
class _Kept:
    kpis: PublishedKpis
    read_at: float = field(default_factory=time.monotonic)

    def is_fresh(self, gate: Gate) -> bool:
        return self.kpis.last_commit == gate.last_commit and time.monotonic() - self.read_at < _KEEP_SECONDS


class KpiCache:
    """The published KPIs that were read last, until newer ones are published."""

    def __init__(self) -> None:
        self._kept: _Kept | None = None
        self._reading = threading.Lock()

    def current(self, ports: Ports) -> PublishedKpis:
        """Return the published KPIs; HalfPublishedError if a batch is half published and nothing older is known."""
        kept = self._kept
        if kept is not None and kept.is_fresh(ports.ledger.gate()):
            return kept.kpis
        # One request reads; the others get the previous KPIs meanwhile.
        if not self._reading.acquire(blocking=kept is None):
            assert kept is not None
            return kept.kpis
        try:
            if self._kept is not None and self._kept is not kept:
                return self._kept.kpis
            before = None if kept is None else kept.kpis
            found = read_published(ports, before)
            if found is not before:
                self._kept = _Kept(kpis=found)
            return found
        finally:
            self._reading.release()
