"""Answer other tools: the read API under /api/v1."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi import Path as PathParameter

from takings.archive.lineage import LineageStatus
from takings.composition.stores import write_kpi_parquet
from takings.entrypoints import explain_output, kpi_output
from takings.entrypoints.spreadsheets import neutralised_csv
from takings.entrypoints.web import documents
from takings.entrypoints.web.answers import CSV, JSON, PARQUET, answer, next_link, page_of, to_json
from takings.entrypoints.web.house import House, Made
from takings.entrypoints.web.problems import PROBLEM
from takings.entrypoints.web.records import file_document, files
from takings.errors import UnknownThing, UsageError
from takings.kpis import KpiRow, KpiTable
from takings.layout import BatchId
from takings.queries import batches as batch_documents
from takings.queries.published_kpis import By, PublishedKpis
from takings.validation.findings import Verdict

#: rows of a page of JSON unless told, and at most
_USUAL, _MOST = 1000, 10_000


class KpiFormat(StrEnum):
    """How KPIs are answered."""

    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


class RowFormat(StrEnum):
    """How rows are answered."""

    JSON = "json"
    CSV = "csv"


Limit = Annotated[int, Query(ge=1, le=_MOST, description="Rows of a page of JSON.")]
Cursor = Annotated[str | None, Query(description="Where the page before ended: its `next`.")]
First = Annotated[date | None, Query(alias="from", description="First day.")]
Last = Annotated[date | None, Query(alias="to", description="Last day, inclusive.")]
ForSpreadsheet = Annotated[bool, Query(description="CSV without formulas: a category such as =1+1 is quoted.")]
BatchName = Annotated[str, PathParameter(description="As /api/v1/batches lists it.")]
Dataset = Annotated[str | None, Query(description="products, orders or order_items.")]

_NOT_MODIFIED: Final[dict[str, Any]] = {"description": "The asker has it already (`If-None-Match`)."}


def _responses(*formats: str) -> dict[int | str, dict[str, Any]]:
    etag = {"ETag": {"schema": {"type": "string"}, "description": "Names these very bytes."}}
    content = {media_type.partition(";")[0]: {"schema": {"type": "string"}} for media_type in formats}
    return {200: {"content": content, "headers": etag}, 304: _NOT_MODIFIED, "4XX": _problem(), "5XX": _problem()}


def _problem() -> dict[str, Any]:
    schema = documents.Problem.model_json_schema()
    return {"description": "What is wrong, and what to do (RFC 9457).", "content": {PROBLEM: {"schema": schema}}}


def api(house: House) -> APIRouter:
    """Return the API's routes."""
    routes = APIRouter(prefix="/api/v1", tags=["v1"])

    @routes.get("/kpis", response_model=documents.Kpis, responses=_responses(CSV, PARQUET))
    def kpis(
        request: Request,
        by: Annotated[By, Query(description="day, or category and day.")] = By.DAY,
        first: First = None,
        last: Last = None,
        category: Annotated[str | None, Query(description="Only this category; goes with by=category.")] = None,
        format_: Annotated[KpiFormat, Query(alias="format", description="json, csv or parquet.")] = KpiFormat.JSON,
        for_spreadsheet: ForSpreadsheet = False,
        limit: Limit = _USUAL,
        cursor: Cursor = None,
    ) -> Response:
        """Return published KPIs by day, or by category and day. CSV and Parquet hold the whole range, JSON comes in pages."""
        if category is not None and by is By.DAY:
            raise UsageError("category goes with by=category: a day's KPIs cover the whole site.")
        with house.opened.reading() as shop:
            settled = house.settled(shop)

        def made() -> Made:
            rows = settled.rows(by, first=first, last=last, category=category)
            if category is not None and not rows:
                raise UnknownThing(f"no KPIs of category '{category}' in that range. Names are matched exactly.")
            if format_ is KpiFormat.JSON:
                return _kpi_page(settled, by, rows, limit, cursor)
            return _kpi_file(settled.table(by), rows, format_, for_spreadsheet=for_spreadsheet)

        what = (by, first, last, category, format_, for_spreadsheet, limit, cursor)
        body, media_type, following = house.remembered(settled, what, made)
        told = {"Takings-Commit": str(settled.commit.number if settled.commit else 0)}
        if format_ is not KpiFormat.JSON:
            told |= _file(f"{'category' if by is By.CATEGORY else 'order'}-kpis.{format_}")
        return answer(request, body, media_type, told | next_link(request, following))

    @routes.get("/batches", response_model=documents.Batches, responses=_responses())
    def batches(request: Request, limit: Limit = 100, cursor: Cursor = None) -> Response:
        """List batches, newest first."""
        with house.opened.reading() as shop:
            found, following = page_of(house.records.batches(shop), _itself, limit=limit, cursor=cursor)
            rows = [house.records.summary(shop, batch_id) for batch_id in found]
        return answer(request, to_json({"rows": rows, "next": following}), JSON, next_link(request, following))

    @routes.get("/batches/{batch_id}", response_model=dict[str, Any], responses=_responses())
    def batch(
        request: Request, batch_id: Annotated[str, PathParameter(description="As /api/v1/batches lists it.")]
    ) -> Response:
        """Return one batch: its files, verdicts, violations and the days that it restated (batch.schema.json)."""
        with house.opened.reading() as shop:
            if batch_id not in house.records.batches(shop):
                raise UnknownThing(f"there is no batch '{batch_id}'. /api/v1/batches lists them.")
            document = batch_documents.details(shop.ports, BatchId(batch_id))
        return answer(request, to_json(document), JSON)

    @routes.get("/files", response_model=documents.Files, responses=_responses())
    def list_files(
        request: Request,
        key: Annotated[str | None, Query(description="Exactly this key, e.g. raw-data/orders/a.csv.")] = None,
        search: Annotated[str | None, Query(description="Keys with this text in them, whatever its case.")] = None,
        status: Annotated[LineageStatus | None, Query(description="IN_PROGRESS, SUCCESS or FAILED.")] = None,
        verdict: Annotated[Verdict | None, Query(description="accepted, rejected or duplicate.")] = None,
        limit: Limit = _USUAL,
        cursor: Cursor = None,
    ) -> Response:
        """List lineage: every file in every batch, newest first, and where its original is now."""
        with house.opened.reading() as shop:
            records = [
                record
                for record in files(shop, key=key, search=search)
                if status in {None, record.status} and verdict in {None, record.verdict}
            ]
        found, following = page_of(
            records, lambda record: [record.file_key, record.batch_id], limit=limit, cursor=cursor
        )
        document = {"rows": [file_document(record) for record in found], "next": following}
        return answer(request, to_json(document), JSON, next_link(request, following))

    @routes.get("/violations", response_model=documents.Violations, responses=_responses())
    def violations(
        request: Request,
        batch: Annotated[str | None, Query(description="Only of this batch; otherwise of the newest 500.")] = None,
        dataset: Dataset = None,
        rule: Annotated[str | None, Query(description="Only this rule, e.g. cost|greater_than.")] = None,
        limit: Limit = _USUAL,
        cursor: Cursor = None,
    ) -> Response:
        """Count how many records of each file break which rule, newest batch first."""
        with house.opened.reading() as shop:
            if batch is not None and batch not in house.records.batches(shop):
                raise UnknownThing(f"there is no batch '{batch}'. /api/v1/batches lists them.")
            rows = [
                row
                for row in house.records.violations(shop, batch)
                if dataset in {None, row["dataset"]} and rule in {None, row["rule"]}
            ]
        place: Callable[[dict[str, Any]], list[Any]] = lambda row: [row["batch_id"], row["key"], row["rule"]]  # noqa: E731
        found, following = page_of(rows, place, limit=limit, cursor=cursor)
        return answer(request, to_json({"rows": found, "next": following}), JSON, next_link(request, following))

    @routes.get("/explain", response_model=documents.Rows, responses=_responses(CSV))
    def explain(
        request: Request,
        day: Annotated[date, Query(description="The business day.")],
        category: Annotated[str | None, Query(description="Only the rows behind this category's numbers.")] = None,
        format_: Annotated[RowFormat, Query(alias="format", description="json or csv.")] = RowFormat.JSON,
        for_spreadsheet: ForSpreadsheet = False,
        limit: Limit = _USUAL,
        cursor: Cursor = None,
    ) -> Response:
        """Return the rows behind a day's numbers, with file and line, and what they add up to. CSV holds all of them."""
        with house.opened.reading() as shop:
            _, explanation = house.explain(shop, day, category)
        told = {"Takings-Commit": str(explanation.commit)}
        if format_ is RowFormat.CSV:
            cells = [explain_output.COLUMNS, *map(explain_output.texts, explanation.rows)] if for_spreadsheet else []
            text = "".join(neutralised_csv(cells)) or explain_output.as_csv(explanation.rows)
            return answer(request, text.encode("utf-8", "backslashreplace"), CSV, told | _file(f"rows-{day}.csv"))
        numbered = list(enumerate(explanation.rows))
        found, following = page_of(
            numbered, lambda pair: [pair[0]], limit=limit, cursor=cursor, version=str(explanation.commit)
        )
        document = explain_output.as_document(explanation, [row for _, row in found]) | {"next": following}
        return answer(request, to_json(document), JSON, told | next_link(request, following))

    return routes


def _itself(item: str) -> list[Any]:
    return [item]


def _kpi_place(row: KpiRow) -> list[Any]:
    return [str(part) for part in row.key]


def _kpi_page(settled: PublishedKpis, by: By, rows: list[KpiRow], limit: int, cursor: str | None) -> Made:
    found, following = page_of(rows, _kpi_place, limit=limit, cursor=cursor, version=settled.version)
    table = settled.table(by)
    document = {
        "commit": settled.commit.number if settled.commit else None,
        "by": by.value,
        "rows_in_all": len(rows),
        "rows": [_kpi_document(settled, table, row) for row in found],
        "notes": list(settled.incomplete.notes),
        "next": following,
    }
    return to_json(document), JSON, following


def _kpi_document(settled: PublishedKpis, table: KpiTable, row: KpiRow) -> dict[str, Any]:
    day = row.key[-1]
    missing = settled.incomplete.days.get(day)
    told = {"unfinished": settled.is_unfinished(day), "incomplete": None if missing is None else missing.to_json()}
    return kpi_output.document(table, row) | told


def _kpi_file(table: KpiTable, rows: list[KpiRow], format_: KpiFormat, *, for_spreadsheet: bool) -> Made:
    if format_ is KpiFormat.PARQUET:
        return _parquet(table, rows), PARQUET, None
    return kpi_output.as_csv(table, rows, for_spreadsheet=for_spreadsheet).encode(), CSV, None


def _parquet(table: KpiTable, rows: list[KpiRow]) -> bytes:
    with tempfile.TemporaryDirectory(prefix="takings-") as folder:
        output = Path(folder) / "kpis.parquet"
        write_kpi_parquet(table, rows, output)
        return output.read_bytes()


def _file(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
