"""Compute what must have been decided about every file in a store's batches, from their bytes and order alone.

The order of batches matters for one thing only: which of several files with the same bytes is the original. The one that is
accepted first fixes the version, and a later copy never counts; so older bytes of a key that come back
under another key are ignored if their original was accepted, and count if it never was.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from takings.intake.arrivals import Arrival
from takings.intake.manifest import Manifest
from takings.validation.findings import RecordCounts, Verdict
from tests.oracle.kpis import Lake, Order, Product, Row, fields, instant, lake_of, read_rows, records
from tests.simulation.drops import VERSIONED_BY, Content
from tests.simulation.parts import DEARER, REPLACES, VERSIONED, ContractsName, Versions

#: what must be more than 0 (or, for an item under the stricter contract, more than that), by dataset
_POSITIVE: Final = {"products": "cost", "orders": "num_of_item", "order_items": "sale_price"}


@dataclass(frozen=True, kw_only=True)
class Settled:
    """The right outcome of a file."""

    arrival: Arrival
    content: Content
    verdict: Verdict
    #: None if nobody says how many records the file has
    records: RecordCounts | None
    #: the physical lines that were set aside
    without: frozenset[int] = frozenset()
    #: the column that says when the shop changed a row
    versioned_by: str | None = None

    def rows(self, time_zone: str = "UTC") -> list[Row]:
        """Return what the oracle reads of an accepted file."""
        arrival = self.arrival
        if self.verdict is not Verdict.ACCEPTED:
            return []
        return read_rows(
            self.content.dataset,
            self.content.data,
            arrival.version,
            arrival.key,
            time_zone,
            without=self.without,
            versioned_by=self.versioned_by,
        )


@dataclass(kw_only=True)
class Truth:
    """What is known after some batches."""

    #: what decides which rows count
    versions: Versions = "arrivals"
    #: fingerprint, key and version of every accepted file
    accepted: list[tuple[str, str, datetime]] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    #: for each product row, by its place: the colour that the contract of its batch let into the lake
    colours: dict[tuple[str, datetime, str, int], str | None] = field(default_factory=dict)
    #: copies of superseded bytes under another key: those that were ignored, and those that counted
    ignored_copies: int = 0
    counted_copies: int = 0

    @property
    def lake(self) -> Lake:
        """Return the oracle's lake of the accepted rows."""
        return lake_of(self.rows, "UTC", replaces_lines=self.versions in REPLACES)

    def take(
        self, manifest: Manifest, contents: Mapping[str, Content], unread: Collection[str], contracts: ContractsName
    ) -> list[Settled]:
        """Return what a batch decides about the files with these contents, and remember it."""
        settled: list[Settled] = []
        for arrival in manifest.arrivals:
            if arrival.key in contents:
                is_unread = arrival.key in unread
                settled.append(
                    self._judge(manifest, arrival, contents[arrival.key], settled, contracts, is_unread=is_unread)
                )
        if manifest.settings["policy"] == "strict" and not self._may_pass(settled):
            settled = [_refused(file) for file in settled]
        for file in settled:
            self._remember(file, contracts)
        return settled

    def _judge(
        self,
        manifest: Manifest,
        arrival: Arrival,
        content: Content,
        before: list[Settled],
        contracts: ContractsName,
        *,
        is_unread: bool,
    ) -> Settled:
        if is_unread:
            return Settled(arrival=arrival, content=content, verdict=Verdict.REJECTED, records=RecordCounts())
        if self._is_copy(arrival, content, before):
            return Settled(arrival=arrival, content=content, verdict=Verdict.DUPLICATE, records=RecordCounts())
        if content.is_unreadable:
            return Settled(arrival=arrival, content=content, verdict=Verdict.REJECTED, records=None)
        bad, copies, read = _examine(content, contracts, manifest.now)
        allowed = Decimal(manifest.settings["max_rejected"]) if manifest.settings["policy"] == "row" else Decimal(0)
        is_delivery = content.dataset == "order_items" and self.versions in REPLACES
        # A partial delivery would replace a complete one.
        is_part = is_delivery and (bool(bad) or b"_takings_version" in content.data)
        if is_part or 100 * len(bad) > allowed * read:
            counts = RecordCounts(read=read, rejected=read)
            return Settled(arrival=arrival, content=content, verdict=Verdict.REJECTED, records=counts)
        counts = RecordCounts(
            read=read, accepted=read - len(bad) - copies, rejected=len(bad), identical_duplicates=copies
        )
        is_versioned = content.dataset in VERSIONED[self.versions]
        return Settled(
            arrival=arrival,
            content=content,
            verdict=Verdict.ACCEPTED,
            records=counts,
            without=bad,
            versioned_by=VERSIONED_BY if is_versioned else None,
        )

    def _is_copy(self, arrival: Arrival, content: Content, before: list[Settled]) -> bool:
        """Return whether the bytes were accepted before: under another key, or as the newest bytes of this one.

        If the shop's instants decide, only under this one.
        """
        known = [
            (key, version)
            for fingerprint, key, version in self.accepted
            # A replay takes the same arrival again.
            if fingerprint == content.fingerprint and (key, version) != (arrival.key, arrival.version)
        ]
        beside = any(
            file.verdict is Verdict.ACCEPTED and file.content.fingerprint == content.fingerprint for file in before
        )
        is_versioned = content.dataset in VERSIONED[self.versions]
        if not is_versioned and (beside or any(key != arrival.key for key, _ in known)):
            return True
        versions = [version for _, key, version in self.accepted if key == arrival.key]
        return any(version == max(versions) for key, version in known if key == arrival.key)

    def _may_pass(self, settled: list[Settled]) -> bool:
        """Return whether a strict batch has neither a refused file nor an item without a parent."""
        if any(file.verdict is Verdict.REJECTED for file in settled):
            return False
        coming = [row for file in settled for row in file.rows()]
        orders = {row.id for row in (*self.rows, *coming) if isinstance(row, Order)}
        products = {row.id for row in (*self.rows, *coming) if isinstance(row, Product)}
        newest = lake_of(coming, "UTC", replaces_lines=self.versions in REPLACES).items.values()
        return all(item.order_id in orders and item.product_id in products for item in newest)

    def _remember(self, file: Settled, contracts: ContractsName) -> None:
        arrival, content = file.arrival, file.content
        others = [version for _, key, version in self.accepted if key == arrival.key]
        if content.is_superseded_copy and arrival.archived_at is None and not others:
            self.ignored_copies += file.verdict is Verdict.DUPLICATE
            self.counted_copies += file.verdict is Verdict.ACCEPTED
        if file.verdict is Verdict.ACCEPTED:
            self.accepted.append((content.fingerprint, arrival.key, arrival.version))
            rows = file.rows()
            self.rows += rows
            if content.dataset == "products":
                self._remember_colours(file, rows, has_colour="colour" in contracts)

    def _remember_colours(self, file: Settled, rows: list[Row], *, has_colour: bool) -> None:
        (_, header), *body = records(file.content.data)
        columns = fields(header)
        colour_of = {
            line: dict(zip(columns, fields(record), strict=False)).get("colour") or None for line, record in body
        }
        for row in rows:
            # A replay gives a row its former version, and the lake keeps the one that came first.
            colour = colour_of[row.line] if has_colour else None
            self.colours.setdefault((row.id, row.version, row.source, row.line), colour)


def _refused(file: Settled) -> Settled:
    """Refuse a file because its batch is refused."""
    if file.verdict is Verdict.REJECTED:
        return file
    read = file.records.read if file.records else 0
    return replace(file, verdict=Verdict.REJECTED, records=RecordCounts(read=read, rejected=read), without=frozenset())


def _examine(content: Content, contracts: ContractsName, now: datetime) -> tuple[frozenset[int], int, int]:
    """Return the lines of the bad records, how many records repeat another one, and how many there are."""
    (_, header), *body = records(content.data)
    columns = fields(header)
    least = DEARER if content.dataset == "order_items" and "dearer" in contracts else 0
    bad, good = set(), []
    for line, record in body:
        found = fields(record)
        values = dict(zip(columns, found, strict=False))
        is_late = "_takings_version" in values and instant(values["_takings_version"], "UTC") > now
        if len(found) != len(columns) or Decimal(values[_POSITIVE[content.dataset]]) <= least or is_late:
            bad.add(line)
        else:
            good.append(record)
    return frozenset(bad), len(good) - len(set(good)), len(body)
