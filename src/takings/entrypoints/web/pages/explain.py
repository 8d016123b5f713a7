"""Show the rows behind a day's numbers: the page Explain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from takings.composition.stores import Shop
from takings.entrypoints.web.api.parameters import conditions
from takings.entrypoints.web.pages.page import PageNumber, Pages, page_numbers
from takings.entrypoints.web.periods import read_day
from takings.entrypoints.web.store_reader import StoreReader
from takings.queries.published_kpis import By

_ROWS: Final = 50


def explain_routes(reader: StoreReader, pages: Pages) -> APIRouter:
    """Return the routes of the rows behind a number."""
    router = APIRouter(include_in_schema=False)

    @router.get("/explain")
    def explain_asked(request: Request, day: str | None = None, category: str | None = None) -> Response:
        """Redirect to the rows behind a day that was chosen in a form."""
        with reader.opened.reading() as shop:
            days = reader.kpis(shop).days
        chosen = read_day(day, "day") or (days[-1] if days else None)
        asked = {**({"category": category} if category else {}), **conditions(request, "day", "category")}
        query = f"?{urlencode(asked, quote_via=quote)}" if asked else ""
        return RedirectResponse(f"/explain/{chosen}{query}" if chosen else "/", 303)

    @router.get("/explain/{day}")
    def explain_page(request: Request, day: str, category: str | None = None, page: PageNumber = 1) -> Response:
        """Show the rows behind a day's numbers."""
        chosen = read_day(day, "day")
        assert chosen is not None
        with reader.opened.reading() as shop:
            of = conditions(request, "category", "page")
            shown = _explained(reader, shop, chosen, category or None, of, page)
            return pages.show(request, "explain.html", shop, page="explain", **shown)

    return router


def _explained(
    reader: StoreReader, shop: Shop, day: date, category: str | None, of: Mapping[str, str], page: int
) -> dict[str, Any]:
    """Return what the page shows: the published row, the rows behind it on this sheet, and their sum by kind."""
    kpis, explanation = reader.explain(shop, day, category, of)
    by = By.DAY if category is None else By.CATEGORY
    published = [] if of else kpis.rows(by, first=day, last=day, category=category)
    return {
        "kpis": kpis,
        "day": day,
        "category": category,
        "of": of,
        "explanation": explanation,
        "parts_of_sum": _parts(explanation.rows),
        "total": explanation.revenue.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP),
        "published": published[0] if published else None,
        "table": kpis.table(by),
        "rows": explanation.rows[(page - 1) * _ROWS : page * _ROWS],
        "sheet": page_numbers(page, len(explanation.rows), _ROWS),
    }


def _parts(rows: Sequence[Any]) -> list[tuple[str, int, Decimal]]:
    """Return each kind of row, how many there are, and their exact sum."""
    names = ("net", "returned", "cancelled", "order without items")
    found = [(name, [row for row in rows if row.counted_as == name]) for name in names]
    return [
        (name, len(mine), sum((row.amount for row in mine if row.amount is not None), Decimal(0)))
        for name, mine in found
        if mine
    ]
