"""Show past batches, and what became of each file: `takings batches`."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from takings.composition.stores import Shop, open_store_to_look
from takings.contracts.datasets import kind_of
from takings.entrypoints import violation_output
from takings.entrypoints.app import print_json
from takings.entrypoints.console import Teller, out, show_warnings
from takings.entrypoints.legible import marked
from takings.entrypoints.options import Json, Store
from takings.errors import UnknownThing
from takings.layout import BatchId
from takings.queries import batches as batch_documents
from takings.validation.findings import Violation

_SHOWN = 20


def batches(
    store: Store,
    batch_id: Annotated[str | None, typer.Argument(help="One batch: its files, verdicts and violations.")] = None,
    as_json: Json = False,
) -> None:
    """Show the store's batches, oldest first, or one batch with its files, verdicts, violations and restated days."""
    with open_store_to_look(store, Teller()) as shop:
        if batch_id is None:
            documents = [batch_documents.summary(shop.ports, found) for found in batch_documents.batch_ids(shop.ports)]
            if as_json:
                print_json({"schema_version": 1, "batches": documents})
            else:
                _show_list(documents)
            return
        if batch_id not in batch_documents.batch_ids(shop.ports):
            raise UnknownThing(f"{store}: there is no batch '{batch_id}'. `takings batches {store}` lists them.")
        document = batch_documents.details(shop.ports, BatchId(batch_id))
        if as_json:
            print_json(document)
        else:
            _show_one(shop, document)


def _show_list(documents: list[dict[str, Any]]) -> None:
    if not documents:
        out.print("no batch yet")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("batch", "state", "files", "verdicts", "records", "rejected", "new", "changed", "commit"):
        table.add_column(column, justify="left" if column in {"batch", "state", "verdicts"} else "right", no_wrap=True)
    for found in documents:
        verdicts = ", ".join(f"{count} {verdict}" for verdict, count in found["verdicts"].items())
        new, changed = ("–" if found["rows"] is None else f"{found['rows'][name]:,}" for name in ("new", "changed"))
        commit = "–" if found["commit"] is None else str(found["commit"])
        table.add_row(
            found["batch_id"],
            found["state"],
            f"{found['files']:,}",
            verdicts,
            f"{found['records_read']:,}",
            f"{found['records_rejected']:,}",
            new,
            changed,
            commit,
        )
    out.print(table)


def _show_one(shop: Shop, document: dict[str, Any]) -> None:
    commit = "no commit" if document["commit"] is None else f"commit {document['commit']}"
    out.print(f"[bold]batch {document['batch_id']}[/]: {document['state']}, {commit}", highlight=False)
    changes = document["changes"] or {"files": [], "warnings": []}
    of_file = {file["key"]: file for file in changes["files"]}
    for file in document["file_reports"]:
        counts = file["records"]
        reason = f": {marked(file['reason'])}" if file["reason"] else ""
        out.print(
            f"  {file['verdict']:<9} {marked(file['key'])} ({counts['read']:,} read, {counts['accepted']:,} accepted,"
            f" {counts['rejected']:,} rejected, {counts['identical_duplicates']:,} identical duplicates){reason}",
            highlight=False,
            soft_wrap=True,
        )
        if counted := of_file.get(file["key"]):
            names = ("new", "changed", "unchanged", "older")
            told = ", ".join(f"{counted[name]:,} {name}" for name in names if counted[name])
            out.print(f"            {told or 'no row'} compared with the lake before", highlight=False)
        if file["archived_at"]:
            out.print(f"            now at {marked(file['archived_at'])}", highlight=False, soft_wrap=True)
    show_warnings(document.get("kpi_warnings", {}))
    for warning in changes["warnings"]:
        out.print(f"  [yellow]warning[/] {marked(warning['sentence'])}", highlight=False, soft_wrap=True)
    if not document["file_reports"]:
        for record in document["lineage"]:
            reason = f": {marked(record['reason'])}" if record["reason"] else ""
            out.print(f"  {record['status']:<11} {marked(record['key'])}{reason}", highlight=False, soft_wrap=True)
    for attempt in document["attempts"] if len(document["attempts"]) > 1 else ():
        after = f" ({marked(attempt['after'])})" if attempt["after"] else ""
        out.print(
            f"  attempt {attempt['attempt']} by {marked(attempt['owner'])} from {attempt['began_at']}{after}",
            highlight=False,
            soft_wrap=True,
        )
    restated = document["restated"]
    days = "every day" if restated["everything"] else f"{len(restated['days'])} days"
    if document["commit"] is not None:
        out.print(f"  restated: {days}", highlight=False)
    _show_samples(shop, document["violations"])


def _show_samples(shop: Shop, samples: list[dict[str, Any]]) -> None:
    for place in sorted({(sample["dataset"], sample["file"]) for sample in samples}):
        found = [sample for sample in samples if (sample["dataset"], sample["file"]) == place]
        out.print(f"\n{place[0]}/{marked(place[1])}", highlight=False)
        violation_output.show_violations(
            [
                Violation(**{key: sample[key] for key in ("rule", "record", "line", "column", "reason", "shape")})
                for sample in found[:_SHOWN]
            ],
            shop.ports.contracts,
            kind_of(place[0]),
        )
        if len(found) > _SHOWN:
            out.print("… and more; --json has all that the reports show", highlight=False)
