"""Serve KPI tables by their names, those of the shop's own too: /tables."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request, Response

from takings.entrypoints.web import documents
from takings.entrypoints.web.api.kpis import KpiFormat, kpi_file
from takings.entrypoints.web.api.parameters import (
    USUAL,
    Cursor,
    First,
    ForSpreadsheet,
    Last,
    Limit,
    conditions,
    file_name,
    responses,
)
from takings.entrypoints.web.responses import CSV, JSON, PARQUET, answer, next_link, page_of, to_json
from takings.entrypoints.web.store_reader import Made, StoreReader
from takings.kpis import KpiRow, KpiTable
from takings.queries.kpi_documents import row_document
from takings.queries.published_kpis import PublishedKpis

#: what a row has beside its key and columns
_GUARD: Final[dict[str, Any]] = {
    "commit": {"type": "integer"},
    "batch_id": {"type": "string"},
    "computed_at": {"type": "string", "format": "date-time"},
    "definition": {"type": "string"},
    "unfinished": {"type": "boolean"},
}
_MONEY: Final = {"type": "string", "pattern": r"^-?[0-9]+\.[0-9]{2}$"}
_RATIO: Final = {"type": ["string", "null"], "pattern": r"^-?[0-9]+\.[0-9]{2}$"}
_KINDS: Final = {"count": {"type": "integer"}, "money": _MONEY}


def table_routes(reader: StoreReader) -> APIRouter:
    """Return the routes of KPI tables by name."""
    routes = APIRouter()

    @routes.get("/tables", response_model=documents.Tables)
    def tables(request: Request) -> Response:
        """Return every KPI table, with the JSON Schema of its rows, and why one is stale."""
        with reader.opened.reading() as shop:
            published = reader.kpis(shop)
        document = {"rows": [_described(published, table) for table in published.tables]}
        return answer(request, to_json(document), JSON)

    @routes.get("/tables/{table}", response_model=documents.TableRows, responses=responses(CSV, PARQUET))
    def rows(
        request: Request,
        table: Annotated[str, Path(description="The name of a KPI table; /tables lists them.")],
        first: First = None,
        last: Last = None,
        format_: Annotated[KpiFormat, Query(alias="format", description="json, csv or parquet.")] = KpiFormat.JSON,
        for_spreadsheet: ForSpreadsheet = False,
        limit: Limit = USUAL,
        cursor: Cursor = None,
    ) -> Response:
        """Return a table's published rows by their key. CSV and Parquet hold the whole range; JSON comes in pages.

        Each column of the key is a parameter as well, such as `?brand=Acme`, and limits the rows to those with this value; an
        empty one to those without.
        """
        with reader.opened.reading() as shop:
            published = reader.kpis(shop)
        wanted = published.named(table)
        of = conditions(request)

        def made() -> Made:
            found = published.rows_of_table(wanted, first=first, last=last, of=of)
            if format_ is KpiFormat.JSON:
                return _page(published, wanted, found, limit, cursor)
            return kpi_file(wanted, found, format_, for_spreadsheet=for_spreadsheet)

        what = ("table", wanted.name, first, last, format_, for_spreadsheet, limit, cursor, *of.items())
        body, media_type, following = reader.remembered(published, what, made)
        headers = {"Takings-Commit": str(published.commit.number if published.commit else 0)}
        if format_ is not KpiFormat.JSON:
            headers |= file_name(f"{wanted.name}.{format_}")
        return answer(request, body, media_type, headers | next_link(request, following))

    return routes


def _described(published: PublishedKpis, table: KpiTable) -> dict[str, Any]:
    return {
        "table": table.name,
        "key": list(table.key),
        "is_own": table.own is not None,
        "stale": published.stale.get(table.name),
        "warning": published.warnings.get(table.name),
        "row_schema": row_schema(table),
    }


def row_schema(table: KpiTable) -> dict[str, Any]:
    """Return the JSON Schema of a table's rows."""
    properties = {
        part: {"type": "string", "format": "date"} if part == "order_date" else {"type": ["string", "integer", "null"]}
        for part in table.key
    }
    properties |= {column.name: _KINDS.get(column.kind, _RATIO) for column in table.columns} | _GUARD
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": table.name,
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _place(row: KpiRow) -> list[Any]:
    return [None if part is None else str(part) for part in row.key]


def _page(published: PublishedKpis, table: KpiTable, rows: list[KpiRow], limit: int, cursor: str | None) -> Made:
    found, following = page_of(rows, _place, limit=limit, cursor=cursor, version=published.version)
    document = {
        "commit": published.commit.number if published.commit else None,
        "table": table.name,
        "stale": published.stale.get(table.name),
        "warning": published.warnings.get(table.name),
        "rows_in_all": len(rows),
        "rows": [row_document(table, row) | {"unfinished": published.is_unfinished(_day(row))} for row in found],
        "next": following,
    }
    return to_json(document), JSON, following


def _day(row: KpiRow) -> date:
    day: date = row.key[-1]
    return day
