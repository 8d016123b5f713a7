"""Show what was wrong with the data, over time: the page Quality."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from takings.entrypoints.web import quality
from takings.entrypoints.web.pages.page import Pages
from takings.entrypoints.web.store_reader import StoreReader


def quality_routes(reader: StoreReader, pages: Pages) -> APIRouter:
    """Return the route of data quality."""
    router = APIRouter(include_in_schema=False)

    @router.get("/quality")
    def quality_page(request: Request) -> Response:
        """Show what was wrong, over time."""
        with reader.opened.reading() as shop:
            seen = quality.look(reader, shop)
            return pages.show(request, "quality.html", shop, page="quality", seen=seen, now=shop.ports.clock.now())

    return router
