"""Serve other tools: the read API under /api/v1."""

from __future__ import annotations

from fastapi import APIRouter

from takings.entrypoints.web.api.batches import batch_routes
from takings.entrypoints.web.api.explain import explain_routes
from takings.entrypoints.web.api.files import file_routes
from takings.entrypoints.web.api.kpis import kpi_routes
from takings.entrypoints.web.api.tables import table_routes
from takings.entrypoints.web.api.violations import violation_routes
from takings.entrypoints.web.store_reader import StoreReader


def api_routes(reader: StoreReader) -> APIRouter:
    """Return the API's routes, in the order in which its page shows them."""
    routes = APIRouter(prefix="/api/v1", tags=["v1"])
    for made in (kpi_routes, table_routes, batch_routes, file_routes, violation_routes, explain_routes):
        routes.include_router(made(reader))
    return routes
