"""Show batches, and what became of each: the page Batches."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response

from takings.composition.stores import Shop
from takings.entrypoints.web import batch_story
from takings.entrypoints.web.pages.page import PageNumber, Pages, page_numbers
from takings.entrypoints.web.store_reader import StoreReader
from takings.errors import UnknownThing
from takings.layout import BatchId
from takings.queries import batches as batch_documents

_BATCHES: Final = 25


def batch_routes(reader: StoreReader, pages: Pages) -> APIRouter:
    """Return the routes of batches."""
    router = APIRouter(include_in_schema=False)

    @router.get("/batches")
    def batches_page(request: Request, page: PageNumber = 1) -> Response:
        """List batches."""
        with reader.opened.reading() as shop:
            known = reader.records.batches(shop)
            rows = [
                batch_story.row(reader.records, shop, batch) for batch in known[(page - 1) * _BATCHES : page * _BATCHES]
            ]
            return pages.show(
                request, "batches.html", shop, page="batches", rows=rows, sheet=page_numbers(page, len(known), _BATCHES)
            )

    @router.get("/batches/{batch_id}")
    def batch_page(request: Request, batch_id: str) -> Response:
        """Show what one batch did."""
        with reader.opened.reading() as shop:
            _known_batch(reader, shop, batch_id)
            document = batch_documents.details(shop.ports, BatchId(batch_id)).to_json()
            story = batch_story.story(reader.records, shop, document)
            return pages.show(request, "batch.html", shop, page="batches", batch=document, story=story)

    @router.get("/batches/{batch_id}/restated")
    def restated_part(request: Request, batch_id: str) -> Response:
        """Show the days that a batch restated, before and after."""
        with reader.opened.reading() as shop:
            _known_batch(reader, shop, batch_id)
            restated = batch_story.restated(reader, shop, BatchId(batch_id))
            return pages.show(request, "restated.html", shop, page="batches", batch_id=batch_id, restated=restated)

    return router


def _known_batch(reader: StoreReader, shop: Shop, batch_id: str) -> None:
    if batch_id not in reader.records.batches(shop):
        raise UnknownThing(f"there is no batch '{batch_id}'. The page Batches lists them.")
