"""Show files, and what became of each: the page Files."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response

from takings.archive.lineage import LineageRecord
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
        """Tell one file's story."""
        with reader.opened.reading() as shop:
            records = files(shop, key=key)
            if not records:
                raise UnknownThing(f"no file '{key}' was ever taken up. The page Files lists those that were.")
            reports = {
                record.batch_id: next(
                    (each for each in reader.records.reports(shop, record.batch_id) if each["key"] == key), None
                )
                for record in records
            }
            return pages.show(
                request,
                "file.html",
                shop,
                page="files",
                key=key,
                records=records,
                reports=reports,
                state_of=_state,
                set_aside=[record.batch_id for record in records if has_set_aside(record)],
            )

    return router


def _state(record: LineageRecord) -> str:
    """Name in a word what became of a file."""
    if record.verdict is not None:
        return record.verdict.value
    return "in progress" if record.status == "IN_PROGRESS" else "returned"
