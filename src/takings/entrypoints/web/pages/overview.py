"""Show a period's takings: the page Overview."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from takings.entrypoints.web.figures import change, overview
from takings.entrypoints.web.pages.page import Pages
from takings.entrypoints.web.periods import quick_periods, read_period
from takings.entrypoints.web.store_reader import StoreReader
from takings.errors import UnknownThing


def overview_routes(reader: StoreReader, pages: Pages) -> APIRouter:
    """Return the route of the overview."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    def overview_page(
        request: Request,
        first: Annotated[str | None, Query(alias="from")] = None,
        last: Annotated[str | None, Query(alias="to")] = None,
        category: Annotated[list[str], Query()] = [],  # noqa: B006 - FastAPI copies it
    ) -> Response:
        """Show a period's takings."""
        with reader.opened.reading() as shop:
            kpis = reader.kpis(shop)
            if not kpis.days:
                return pages.show(request, "nothing_yet.html", shop, page="overview")
            period = read_period(kpis.days, first, last)
            chosen = [name for name in dict.fromkeys(category) if name]
            unknown = [name for name in chosen if name not in kpis.categories]
            if unknown:
                raise UnknownThing(f"there is no category '{unknown[0]}'. The filter lists them.")
            shown = overview(kpis, period, chosen)
            changes = {
                name: shown.before and change(getattr(shown.totals, name), getattr(shown.before, name))
                for name in ("revenue", "net", "orders", "average", "items")
            }
            return pages.show(
                request,
                "overview.html",
                shop,
                page="overview",
                kpis=kpis,
                shown=shown,
                changes=changes,
                quick=quick_periods(kpis.days),
            )

    return router
