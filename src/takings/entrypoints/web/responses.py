"""Answer without sending anything twice, and send long lists in pages."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from takings.errors import ConflictError, UnknownThing

JSON: Final = "application/json"
CSV: Final = "text/csv; charset=utf-8"
PARQUET: Final = "application/vnd.apache.parquet"
#: a browser asks each time, and gets the body only if it has changed
_CACHING: Final = "private, no-cache"
Item = TypeVar("Item")


def answer(request: Request, body: bytes, media_type: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return the body with its ETag, or 304 if the client already has it."""
    etag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
    told = {"ETag": etag, "Cache-Control": _CACHING, "Vary": "Authorization", **(headers or {})}
    known = request.headers.get("if-none-match", "")
    if known.strip() == "*" or etag in {tag.strip().removeprefix("W/") for tag in known.split(",")}:
        return Response(status_code=304, headers=told)
    return Response(body, headers=told, media_type=media_type)


def to_json(document: object) -> bytes:
    """Write a document; escape a key that is not UTF-8."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


def page_of(
    items: Sequence[Item], place: Callable[[Item], list[Any]], *, limit: int, cursor: str | None, version: str = ""
) -> tuple[list[Item], str | None]:
    """Return the items after a cursor, at most `limit`, and the cursor of the next page; None at the end.

    A cursor has the place of the last item, because the list may have grown, and the version of a list that must not change:
    ConflictError if it has changed, UnknownThing for a cursor of another list.
    """
    start = 0
    if cursor is not None:
        last, of_version = _read_cursor(cursor)
        if of_version != version:
            raise ConflictError("the numbers have changed since the first page. Start again without a cursor.")
        places = [place(item) for item in items]
        if last not in places:
            raise UnknownThing("the cursor belongs to another list. Start again without a cursor.")
        start = places.index(last) + 1
    found = list(items[start : start + limit])
    is_last = start + limit >= len(items)
    return found, None if is_last or not found else _write_cursor(place(found[-1]), version)


def _write_cursor(place: list[Any], version: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([place, version]).encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[list[Any], str]:
    try:
        place, version = json.loads(base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)))
    except (ValueError, TypeError, binascii.Error) as broken:
        raise UnknownThing("the cursor is not one of this API. Start again without a cursor.") from broken
    return place, version


def next_link(request: Request, cursor: str | None) -> dict[str, str]:
    """Return the header that leads to the next page (RFC 8288)."""
    if cursor is None:
        return {}
    url = request.url.include_query_params(cursor=cursor)
    return {"Link": f'<{url.path}?{url.query}>; rel="next"'}
