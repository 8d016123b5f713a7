"""Serve published KPIs: /kpis."""

from __future__ import annotations

import tempfile
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from takings.composition.stores import write_kpi_parquet
from takings.entrypoints import kpi_output
from takings.entrypoints.web import documents
from takings.entrypoints.web.api.parameters import (
    USUAL,
    Cursor,
    First,
    ForSpreadsheet,
    Last,
    Limit,
    file_name,
    responses,
)
from takings.entrypoints.web.responses import CSV, JSON, PARQUET, answer, next_link, page_of, to_json
from takings.entrypoints.web.store_reader import Made, StoreReader
from takings.errors import UnknownThing, UsageError
from takings.kpis import KpiRow, KpiTable
from takings.queries.kpi_documents import row_document
from takings.queries.published_kpis import By, PublishedKpis


class KpiFormat(StrEnum):
    """The format of the KPIs."""

    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


def kpi_routes(reader: StoreReader) -> APIRouter:
    """Return the route of published KPIs."""
    routes = APIRouter()

    @routes.get("/kpis", response_model=documents.Kpis, responses=responses(CSV, PARQUET))
    def kpis(
        request: Request,
        by: Annotated[By, Query(description="day, or category and day.")] = By.DAY,
        first: First = None,
        last: Last = None,
        category: Annotated[str | None, Query(description="Only this category; goes with by=category.")] = None,
        format_: Annotated[KpiFormat, Query(alias="format", description="json, csv or parquet.")] = KpiFormat.JSON,
        for_spreadsheet: ForSpreadsheet = False,
        limit: Limit = USUAL,
        cursor: Cursor = None,
    ) -> Response:
        """Return published KPIs by day, or by category and day. CSV and Parquet hold the whole range; JSON comes in pages."""
        if category is not None and by is By.DAY:
            raise UsageError("category goes with by=category: a day's KPIs cover the whole site.")
        with reader.opened.reading() as shop:
            published = reader.kpis(shop)

        def made() -> Made:
            rows = _rows(published, by, first, last, category)
            if format_ is KpiFormat.JSON:
                return _kpi_page(published, by, rows, limit, cursor)
            return kpi_file(published.table(by), rows, format_, for_spreadsheet=for_spreadsheet)

        what = (by, first, last, category, format_, for_spreadsheet, limit, cursor)
        body, media_type, following = reader.remembered(published, what, made)
        headers = {"Takings-Commit": str(published.commit.number if published.commit else 0)}
        if format_ is not KpiFormat.JSON:
            headers |= file_name(f"{'category' if by is By.CATEGORY else 'order'}-kpis.{format_}")
        return answer(request, body, media_type, headers | next_link(request, following))

    return routes


def _rows(
    published: PublishedKpis, by: By, first: date | None, last: date | None, category: str | None
) -> list[KpiRow]:
    rows = published.rows(by, first=first, last=last, category=category)
    if category is not None and not rows:
        raise UnknownThing(f"no KPIs of category '{category}' in that range. Write the name exactly.")
    return rows


def _kpi_place(row: KpiRow) -> list[Any]:
    return [str(part) for part in row.key]


def _kpi_page(published: PublishedKpis, by: By, rows: list[KpiRow], limit: int, cursor: str | None) -> Made:
    found, following = page_of(rows, _kpi_place, limit=limit, cursor=cursor, version=published.version)
    table = published.table(by)
    document = {
        "commit": published.commit.number if published.commit else None,
        "by": by.value,
        "rows_in_all": len(rows),
        "rows": [_kpi_document(published, table, row) for row in found],
        "notes": list(published.incomplete.notes),
        "next": following,
    }
    return to_json(document), JSON, following


def _kpi_document(published: PublishedKpis, table: KpiTable, row: KpiRow) -> dict[str, Any]:
    day = row.key[-1]
    missing = published.incomplete.days.get(day)
    told = {"unfinished": published.is_unfinished(day), "incomplete": None if missing is None else missing.to_json()}
    return row_document(table, row) | told


def kpi_file(table: KpiTable, rows: list[KpiRow], format_: KpiFormat, *, for_spreadsheet: bool) -> Made:
    """Return a table's rows as a file."""
    if format_ is KpiFormat.PARQUET:
        return _parquet(table, rows), PARQUET, None
    return kpi_output.as_csv(table, rows, for_spreadsheet=for_spreadsheet).encode(), CSV, None


def _parquet(table: KpiTable, rows: list[KpiRow]) -> bytes:
    with tempfile.TemporaryDirectory(prefix="takings-") as folder:
        output = Path(folder) / "kpis.parquet"
        write_kpi_parquet(table, rows, output)
        return output.read_bytes()
