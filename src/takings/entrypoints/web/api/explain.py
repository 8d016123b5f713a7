"""Serve the rows behind a day's numbers: /explain."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from takings.entrypoints import explain_output
from takings.entrypoints.spreadsheets import neutralised_csv
from takings.entrypoints.web import documents
from takings.entrypoints.web.api.parameters import (
    USUAL,
    Cursor,
    ForSpreadsheet,
    Limit,
    conditions,
    file_name,
    responses,
)
from takings.entrypoints.web.responses import CSV, JSON, answer, next_link, page_of, to_json
from takings.entrypoints.web.store_reader import StoreReader
from takings.queries.verification import Explanation


class RowFormat(StrEnum):
    """The format of the rows."""

    JSON = "json"
    CSV = "csv"


def explain_routes(reader: StoreReader) -> APIRouter:
    """Return the route of the rows behind a number."""
    routes = APIRouter()

    @routes.get("/explain", response_model=documents.Rows, responses=responses(CSV))
    def explain(
        request: Request,
        day: Annotated[date, Query(description="The business day.")],
        category: Annotated[str | None, Query(description="Only the rows behind this category's numbers.")] = None,
        format_: Annotated[RowFormat, Query(alias="format", description="json or csv.")] = RowFormat.JSON,
        for_spreadsheet: ForSpreadsheet = False,
        limit: Limit = USUAL,
        cursor: Cursor = None,
    ) -> Response:
        """Return the rows behind a day's numbers, with file and line, and their sums. CSV holds all rows.

        Each column of an item, its order and its product is a parameter as well, such as `?brand=Acme`; an empty one stands for
        items without a value.
        """
        with reader.opened.reading() as shop:
            _, explanation = reader.explain(shop, day, category, conditions(request, "day", "category"))
        headers = {"Takings-Commit": str(explanation.commit)}
        if format_ is RowFormat.CSV:
            body = _csv(explanation, for_spreadsheet=for_spreadsheet)
            return answer(request, body, CSV, headers | file_name(f"rows-{day}.csv"))
        body, following = _page(explanation, limit, cursor)
        return answer(request, body, JSON, headers | next_link(request, following))

    return routes


def _csv(explanation: Explanation, *, for_spreadsheet: bool) -> bytes:
    cells = [explain_output.COLUMNS, *map(explain_output.texts, explanation.rows)] if for_spreadsheet else []
    text = "".join(neutralised_csv(cells)) or explain_output.as_csv(explanation.rows)
    return text.encode("utf-8", "backslashreplace")


def _page(explanation: Explanation, limit: int, cursor: str | None) -> tuple[bytes, str | None]:
    numbered = list(enumerate(explanation.rows))
    found, following = page_of(
        numbered, lambda pair: [pair[0]], limit=limit, cursor=cursor, version=str(explanation.commit)
    )
    document = explanation.to_json([row for _, row in found]) | {"next": following}
    return to_json(document), following
