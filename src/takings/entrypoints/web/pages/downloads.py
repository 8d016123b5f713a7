"""Serve downloads: why files were refused, and the rows that were set aside from them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Response
from starlette.responses import StreamingResponse

from takings.entrypoints.web import downloads
from takings.entrypoints.web.responses import CSV
from takings.entrypoints.web.store_reader import StoreReader


def download_routes(reader: StoreReader) -> APIRouter:
    """Return the routes of downloads."""
    router = APIRouter(include_in_schema=False)

    @router.get("/batches/{batch_id}/reasons.csv")
    def reasons_file(batch_id: str, key: str) -> Response:
        """Serve why a file was refused."""
        with reader.opened.reading() as shop:
            return _download(downloads.reasons(shop, batch_id, key), f"reasons-{_name(key)}")

    @router.get("/batches/{batch_id}/quarantine.csv")
    def quarantine_file(batch_id: str, key: str, exactly: bool = False) -> Response:
        """Serve the rows that were set aside from a file."""
        name = key.rpartition("/")[2] if exactly else _name(key)
        with reader.opened.reading() as shop:
            return _download(downloads.quarantine(shop, batch_id, key, exactly=exactly), f"quarantine-{name}")

    return router


def _download(content: Iterator[Any], name: str) -> Response:
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}", "Cache-Control": "no-store"}
    return StreamingResponse(content, media_type=CSV, headers=headers)


def _name(key: str) -> str:
    return key.rpartition("/")[2].removesuffix(".gz")
