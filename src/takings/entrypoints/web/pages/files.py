"""Show files, and what became of each: the page Files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from takings.archive.lineage import LineageRecord
from takings.composition.stores import Shop
from takings.entrypoints.web.pages.page import PageNumber, Pages, page_numbers
from takings.entrypoints.web.records import files, has_set_aside
from takings.entrypoints.web.store_reader import StoreReader
from takings.errors import UnknownThing

_FILES: Final = 50


def file_routes(reader: StoreReader, pages: Pages) -> APIRouter:
    """Return the routes of files."""
    router = APIRouter(include_in_schema=False)

    @router.get("/files")
    def files_page(request: Request, search: str = "", state: str = "", page: PageNumber = 1) -> Response:
        """List files, newest first."""
        with reader.opened.reading() as shop:
            found = [record for record in files(shop, search=search) if not state or _state(record) == state]
            return pages.show(
                request,
                "files.html",
                shop,
                page="files",
                search=search,
                state=state,
                records=found[(page - 1) * _FILES : page * _FILES],
                sheet=page_numbers(page, len(found), _FILES),
                state_of=_state,
            )

    @router.get("/file")
    def file_page(request: Request, key: str) -> Response:
        """Show what became of one file."""
        with reader.opened.reading() as shop:
            records = files(shop, key=key)
            if not records:
                raise UnknownThing(f"no batch ever took a file '{key}'. The page Files lists the files of all batches.")
            return pages.show(
                request,
                "file.html",
                shop,
                page="files",
                key=key,
                records=records,
                reports={record.batch_id: _report(reader, shop, record) for record in records},
                state_of=_state,
                set_aside=[record.batch_id for record in records if has_set_aside(record)],
            )

    return router


def _report(reader: StoreReader, shop: Shop, record: LineageRecord) -> Mapping[str, Any] | None:
    """Return the report on a file of a batch; None before its verdict."""
    reports = reader.records.reports(shop, record.batch_id)
    return next((each for each in reports if each["key"] == record.file_key), None)


def _state(record: LineageRecord) -> str:
    """Return in one word what became of a file."""
    if record.verdict is not None:
        return record.verdict.value
    return "in progress" if record.status == "IN_PROGRESS" else "returned"
