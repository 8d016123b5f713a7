"""Define what the API's routes share: their parameters, and the OpenAPI description of their answers."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Final

from fastapi import Path as PathParameter
from fastapi import Query, Request

from takings.entrypoints.web import documents
from takings.entrypoints.web.problems import PROBLEM

#: rows on a page of JSON: the default, and the most
USUAL, _MOST = 1000, 10_000

Limit = Annotated[int, Query(ge=1, le=_MOST, description="Rows on a page of JSON.")]
Cursor = Annotated[str | None, Query(description="The `next` of the previous page.")]
First = Annotated[date | None, Query(alias="from", description="First day.")]
Last = Annotated[date | None, Query(alias="to", description="Last day, inclusive.")]
ForSpreadsheet = Annotated[bool, Query(description="CSV without formulas: a category such as =1+1 is quoted.")]
BatchName = Annotated[str, PathParameter(description="As /api/v1/batches lists it.")]
Dataset = Annotated[str | None, Query(description="products, orders, order_items or the name of a source.")]

_NOT_MODIFIED: Final[dict[str, Any]] = {"description": "The client already has it (`If-None-Match`)."}


def responses(*formats: str) -> dict[int | str, dict[str, Any]]:
    """Describe a route's answers; `formats` are the media types besides JSON."""
    etag = {"ETag": {"schema": {"type": "string"}, "description": "Identifies exactly these bytes."}}
    content = {media_type.partition(";")[0]: {"schema": {"type": "string"}} for media_type in formats}
    return {200: {"content": content, "headers": etag}, 304: _NOT_MODIFIED, "4XX": _problem(), "5XX": _problem()}


def _problem() -> dict[str, Any]:
    schema = documents.Problem.model_json_schema()
    return {"description": "What is wrong, and what to do (RFC 9457).", "content": {PROBLEM: {"schema": schema}}}


def conditions(request: Request, *parameters: str) -> dict[str, str]:
    """Return the query's values of columns: all but the route's own parameters."""
    usual = {"from", "to", "format", "for_spreadsheet", "limit", "cursor", *parameters}
    return {name: value for name, value in request.query_params.items() if name not in usual}


def file_name(name: str) -> dict[str, str]:
    """Return the header that lets a browser save an answer under this name."""
    return {"Content-Disposition": f'attachment; filename="{name}"'}
