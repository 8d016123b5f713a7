"""Show people the shop: overview, batches, files, quality, and the rows behind a number."""

from __future__ import annotations

from fastapi import APIRouter

from takings.entrypoints.web.pages.batches import batch_routes
from takings.entrypoints.web.pages.downloads import download_routes
from takings.entrypoints.web.pages.explain import explain_routes
from takings.entrypoints.web.pages.files import file_routes
from takings.entrypoints.web.pages.overview import overview_routes
from takings.entrypoints.web.pages.page import Pages
from takings.entrypoints.web.pages.quality import quality_routes
from takings.entrypoints.web.pages.tables import table_routes
from takings.entrypoints.web.store_reader import StoreReader


def page_routes(reader: StoreReader, pages: Pages) -> APIRouter:
    """Return the pages' routes."""
    router = APIRouter(include_in_schema=False)
    for made in (overview_routes, table_routes, explain_routes, batch_routes, file_routes, quality_routes):
        router.include_router(made(reader, pages))
    router.include_router(download_routes(reader))
    return router
