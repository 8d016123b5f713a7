"""Gather what a batch did: its steps with their times, its violations by rule, its days before and after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Any, Final

from takings import layout
from takings.composition.stores import Shop
from takings.documents import AFFECTED, OUTCOME, read_document
from takings.entrypoints.web.records import History
from takings.entrypoints.web.store_reader import StoreReader
from takings.errors import StoreError
from takings.layout import BatchId, parse_instant

#: the most days whose numbers are recomputed
_MOST_DAYS: Final = 31
#: the most places that are shown; a file's reasons have all
_MOST_SAMPLES: Final = 15
#: the compared columns, with the page's names for them
_COMPARED: Final = (
    *(("total_orders", "Orders"), ("total_revenue", "Revenue"), ("net_revenue", "Net"), ("return_rate", "Return rate")),
)


def row(records: History, shop: Shop, batch_id: BatchId) -> dict[str, Any]:
    """Return a batch as the list of batches shows it."""
    summary = records.summary(shop, batch_id)
    outcome = read_document(shop.ports.store, layout.outcome(batch_id), OUTCOME) or {}
    return summary | {"orphans": outcome.get("orphans"), "seconds": _seconds(summary)}


def _seconds(summary: Mapping[str, Any]) -> float | None:
    if summary["started_at"] is None or summary["finished_at"] is None:
        return None
    return (parse_instant(summary["finished_at"]) - parse_instant(summary["started_at"])).total_seconds()


def story(records: History, shop: Shop, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page of a batch shows in addition to its document."""
    batch_id = BatchId(document["batch_id"])
    rules: dict[tuple[str, str, str], Counter[str]] = {}
    for found in records.violations(shop, batch_id):
        counted = rules.setdefault((found["dataset"], found["rule"], found["severity"]), Counter())
        counted[found["key"]] += found["records"]
    return {
        "steps": _steps(shop, document),
        "samples": _samples(document, {(dataset, rule) for dataset, rule, severity in rules if severity == "error"}),
        "seconds": _seconds(document),
        "changes": {file["key"]: file for file in (document["changes"] or {"files": ()})["files"]},
        "rules": sorted(
            ((*rule, sum(counted.values()), len(counted)) for rule, counted in rules.items()),
            key=lambda each: (each[2], -each[3], each[1]),
        ),
    }


def _samples(document: Mapping[str, Any], errors: Collection[tuple[str, str]]) -> list[Mapping[str, Any]]:
    """Return where rules were broken: errors if there are any, otherwise warnings."""
    refused = [each for each in document["violations"] if (each["dataset"], each["rule"]) in errors]
    return list((refused or document["violations"])[:_MOST_SAMPLES])


def _steps(shop: Shop, document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the steps of a batch with the instant at which each ended, read from the documents that it left."""
    batch_id = BatchId(document["batch_id"])
    written = {info.key: info.written_at for info in shop.ports.store.list(f"{layout.BATCHES}{batch_id}/")}
    steps: list[tuple[str, datetime | None]] = [("Formed", parse_instant(document["now"]) if document["now"] else None)]
    for attempt in document["attempts"]:
        again = f", attempt {attempt['attempt']}" if attempt["attempt"] > 1 else ""
        steps.append((f"Begun{again}", parse_instant(attempt["began_at"])))
    steps.append(("Validated", written.get(layout.verdicts(batch_id))))
    if document["commit"] is not None:
        commit = layout.commit(document["commit"])
        committed = {info.key: info.written_at for info in shop.ports.store.list(layout.COMMITS)}.get(commit)
        steps.append((f"Merged, commit {document['commit']}", committed))
    finished = document["finished_at"]
    steps.append(("Published and archived", parse_instant(finished) if finished else None))
    return _timed(steps, is_over=document["state"] in {"DONE", "GIVEN_UP", "NOT_STARTED"})


def _timed(steps: list[tuple[str, datetime | None]], *, is_over: bool) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = []
    before: datetime | None = None
    for name, at in steps:
        took = (at - before).total_seconds() if at is not None and before is not None else None
        shown.append({"name": name, "at": at, "seconds": took if took is not None and took >= 0 else None})
        before = at or before
    return [step for step in shown if step["at"] is not None or not is_over]


def restated(reader: StoreReader, shop: Shop, batch_id: BatchId) -> dict[str, Any]:
    """Return the days that a batch restated, before and after it; only count those that did not change."""
    commit = reader.records.summary(shop, batch_id)["commit"]
    affected = read_document(shop.ports.store, layout.affected(batch_id), AFFECTED)
    if commit is None or affected is None:
        return {"days": [], "all": 0, "same": 0, "gone": None}
    if affected["everything"]:
        wanted = reader.kpis(shop).days
    else:
        by_category = {day for _, day in affected["category_days"]}
        wanted = tuple(date.fromisoformat(day) for day in sorted({*affected["days"], *by_category}))
    chosen = frozenset(wanted[-_MOST_DAYS:])
    try:
        found = reader.restated(shop, chosen, commit)
    except StoreError as gone:
        return {"days": [], "all": len(wanted), "same": 0, "gone": str(gone)}
    changed = {day: pair for day, pair in found.items() if pair[0] != pair[1]}
    days = [
        (day, [(label, before.get(name), after.get(name)) for name, label in _COMPARED])
        for day, (before, after) in changed.items()
    ]
    return {"days": days, "all": len(wanted), "same": len(found) - len(changed), "gone": None, "columns": _COMPARED}
