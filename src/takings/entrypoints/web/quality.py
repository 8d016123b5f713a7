"""Gather what was wrong with the data: violations by rule over time, the worst files, items that wait for parents."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from takings.archive.lineage import LineageRecord, dead_letters
from takings.composition.stores import Shop
from takings.entrypoints.web.records import has_set_aside
from takings.entrypoints.web.store_reader import StoreReader
from takings.layout import parse_instant
from takings.time_zones import business_time

#: how many rules have their own colour; the others are summed
_SHOWN_RULES: Final = 5
_OTHERS: Final = "other rules"
_SHOWN_FILES: Final = 10
_SHOWN_ORPHANS: Final = 12


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the page Quality shows."""

    #: rule and severity -> records that broke it, most first
    rules: Sequence[tuple[str, str, int]]
    #: the rules that the chart distinguishes, most first
    shown_rules: Sequence[str]
    #: per day of processing: how many records broke each shown rule
    by_day: Sequence[tuple[date, Sequence[int]]]
    #: refused files that no newer original has replaced
    failed: Sequence[LineageRecord]
    #: accepted files with rows that were set aside
    set_aside: Sequence[LineageRecord]
    worst: Sequence[tuple[str, int, int]]
    orphans: int
    waiting: Sequence[Mapping[str, Any]]
    records_read: int
    records_rejected: int
    files: int


def look(reader: StoreReader, shop: Shop) -> Seen:
    """Gather it from the newest batches, and the lake as of the settled commit."""
    violations = list(reader.records.violations(shop))
    errors = [found for found in violations if found["severity"] == "error"]
    totals: Counter[tuple[str, str]] = Counter()
    for found in violations:
        totals[found["rule"], found["severity"]] += found["records"]
    shown, by_day = _by_day(errors, shop.ports.time_zone)
    lineage = shop.ports.ledger.lineage()
    ended = [record for record in lineage if record.records is not None]
    commit = reader.kpis(shop).commit
    lake = shop.ports.tables.snapshot(commit.versions) if commit else None
    waiting: Sequence[Mapping[str, Any]] = ()
    if lake is not None and lake.orphans:
        with reader.opened.engine:
            waiting = shop.ports.engine.orphans(lake, _SHOWN_ORPHANS)
    return Seen(
        rules=[(*rule, records) for rule, records in sorted(totals.items(), key=lambda each: (-each[1], each[0]))],
        shown_rules=shown,
        by_day=by_day,
        failed=dead_letters(lineage)[::-1][:_SHOWN_FILES],
        set_aside=[record for record in ended[::-1] if has_set_aside(record)][:_SHOWN_FILES],
        worst=_worst(errors),
        orphans=lake.orphans if lake else 0,
        waiting=waiting,
        records_read=sum(record.records.read for record in ended if record.records),
        records_rejected=sum(record.records.rejected for record in ended if record.records),
        files=len(ended),
    )


def _by_day(
    violations: Sequence[Mapping[str, Any]], time_zone: str
) -> tuple[list[str], list[tuple[date, Sequence[int]]]]:
    zone = business_time(time_zone)
    of_rule: Counter[str] = Counter()
    for found in violations:
        of_rule[found["rule"]] += found["records"]
    shown = [rule for rule, _ in of_rule.most_common(_SHOWN_RULES)]
    if len(of_rule) > len(shown):
        shown.append(_OTHERS)
    days: dict[date, Counter[str]] = defaultdict(Counter)
    for found in violations:
        if found["now"] is not None:
            name = found["rule"] if found["rule"] in shown else _OTHERS
            days[zone.day_of(parse_instant(found["now"]))][name] += found["records"]
    return shown, [(day, [days[day][rule] for rule in shown]) for day in sorted(days)]


def _worst(violations: Sequence[Mapping[str, Any]]) -> list[tuple[str, int, int]]:
    """Return the files with the most violations: key, records that broke a rule, rules broken."""
    records: Counter[str] = Counter()
    rules: dict[str, set[str]] = defaultdict(set)
    for found in violations:
        records[found["key"]] += found["records"]
        rules[found["key"]].add(found["rule"])
    return [(key, count, len(rules[key])) for key, count in records.most_common(_SHOWN_FILES)]
