"""Answer with a page: the templates, the values that all of them get, and the page numbers of a long list."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Query, Request, Response

from takings.composition.stores import Shop
from takings.entrypoints.web import rendering
from takings.entrypoints.web.progress import look
from takings.entrypoints.web.responses import answer
from takings.entrypoints.web.store_reader import StoreReader

_HTML: Final = "text/html; charset=utf-8"

PageNumber = Annotated[int, Query(ge=1, le=1_000_000)]


class Pages:
    """The templates, and the values that each of them gets."""

    def __init__(self, reader: StoreReader) -> None:
        self._reader = reader
        self._templates = rendering.environment()

    def render(self, name: str, shop: Shop | None, **known: Any) -> bytes:  # noqa: ANN401 - templates take anything
        """Render a template; without a store, a page that says what is wrong."""
        zone = shop.ports.time_zone if shop is not None else "UTC"
        common = {
            "store": self._reader.opened.store,
            "zone": zone,
            "live": None if shop is None else look(shop),
            "has_own_tables": shop is not None and any(table.own is not None for table in shop.ports.kpi_tables),
        }
        return self._templates.get_template(name).render(common | known).encode("utf-8", "backslashreplace")

    def show(self, request: Request, name: str, shop: Shop | None, **known: Any) -> Response:  # noqa: ANN401 - as above
        """Answer with a page."""
        return answer(request, self.render(name, shop, **known), _HTML)


def page_numbers(page: int, items: int, size: int) -> dict[str, int]:
    """Return which items of a list a page shows, and how many pages there are."""
    last = max(1, -(-items // size))
    return {
        "page": page,
        "last": last,
        "items": items,
        "first": (page - 1) * size + 1,
        "until": min(items, page * size),
    }
