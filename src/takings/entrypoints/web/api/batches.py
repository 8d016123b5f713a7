"""Serve what became of batches: /batches."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from takings.entrypoints.web import documents
from takings.entrypoints.web.api.parameters import BatchName, Cursor, Limit, responses
from takings.entrypoints.web.responses import JSON, answer, next_link, page_of, to_json
from takings.entrypoints.web.store_reader import StoreReader
from takings.errors import UnknownThing
from takings.layout import BatchId
from takings.queries.batches import details


def batch_routes(reader: StoreReader) -> APIRouter:
    """Return the routes of batches."""
    routes = APIRouter()

    @routes.get("/batches", response_model=documents.Batches, responses=responses())
    def batches(request: Request, limit: Limit = 100, cursor: Cursor = None) -> Response:
        """List batches, newest first."""
        with reader.opened.reading() as shop:
            found, following = page_of(reader.records.batches(shop), _itself, limit=limit, cursor=cursor)
            rows = [reader.records.summary(shop, batch_id) for batch_id in found]
        return answer(request, to_json({"rows": rows, "next": following}), JSON, next_link(request, following))

    @routes.get("/batches/{batch_id}", response_model=dict[str, Any], responses=responses())
    def batch(request: Request, batch_id: BatchName) -> Response:
        """Return one batch: its files, verdicts, violations and restated days (batch.schema.json)."""
        with reader.opened.reading() as shop:
            if batch_id not in reader.records.batches(shop):
                raise UnknownThing(f"there is no batch '{batch_id}'. /api/v1/batches lists them.")
            document = details(shop.ports, BatchId(batch_id)).to_json()
        return answer(request, to_json(document), JSON)

    return routes


def _itself(item: str) -> list[Any]:
    return [item]
