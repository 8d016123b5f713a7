"""Serve what became of files: /files."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from takings.archive.lineage import LineageStatus
from takings.entrypoints.web import documents
from takings.entrypoints.web.api.parameters import USUAL, Cursor, Limit, responses
from takings.entrypoints.web.records import file_document, files
from takings.entrypoints.web.responses import JSON, answer, next_link, page_of, to_json
from takings.entrypoints.web.store_reader import StoreReader
from takings.validation.findings import Verdict


def file_routes(reader: StoreReader) -> APIRouter:
    """Return the route of files."""
    routes = APIRouter()

    @routes.get("/files", response_model=documents.Files, responses=responses())
    def list_files(
        request: Request,
        key: Annotated[str | None, Query(description="Exactly this key, e.g. raw-data/orders/a.csv.")] = None,
        search: Annotated[str | None, Query(description="Keys that contain this text, in any case.")] = None,
        status: Annotated[LineageStatus | None, Query(description="IN_PROGRESS, SUCCESS or FAILED.")] = None,
        verdict: Annotated[Verdict | None, Query(description="accepted, rejected or duplicate.")] = None,
        limit: Limit = USUAL,
        cursor: Cursor = None,
    ) -> Response:
        """List lineage: every file in every batch, newest first, and where its original is now."""
        with reader.opened.reading() as shop:
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

    return routes
