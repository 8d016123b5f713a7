"""Report what went wrong: programs get problem+json (RFC 9457), people a page that says what to do next."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from starlette.responses import Response

from takings.errors import ConflictError, CorruptState, TakingsError, UnknownThing, UsageError
from takings.queries.published_kpis import HalfPublishedError

PROBLEM: Final = "application/problem+json"


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **more: object) -> Response:
    """Return an answer for programs that says what went wrong."""
    document = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    body = json.dumps(document, ensure_ascii=False).encode("utf-8", "backslashreplace")
    return Response(body, status, {"Cache-Control": "no-store", **(headers or {})}, PROBLEM)


def status_of(error: TakingsError) -> int:
    """Return the HTTP status of an error: whose fault it is, and whether to try again."""
    match error:
        case UnknownThing():
            return HTTPStatus.NOT_FOUND
        case UsageError():
            return HTTPStatus.BAD_REQUEST
        case ConflictError():
            return HTTPStatus.CONFLICT
        case HalfPublishedError():
            return HTTPStatus.SERVICE_UNAVAILABLE
        case CorruptState():
            return HTTPStatus.INTERNAL_SERVER_ERROR
    return HTTPStatus.SERVICE_UNAVAILABLE


def retry_headers(status: int) -> dict[str, str]:
    """Return the headers that say when to retry after a transient failure."""
    return {"Retry-After": "2"} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
