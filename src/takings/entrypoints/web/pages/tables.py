"""Show the KPI tables of the shop's own: one page each, with a chart and a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response

from takings.entrypoints.web.api.parameters import conditions
from takings.entrypoints.web.own_figures import figures
from takings.entrypoints.web.pages.page import Pages
from takings.entrypoints.web.periods import quick_periods, read_period
from takings.entrypoints.web.store_reader import StoreReader
from takings.errors import UnknownThing
from takings.kpis import KpiTable
from takings.queries.published_kpis import PublishedKpis

#: rows of the table; the downloads have all
_MOST_ROWS: Final = 500


def table_routes(reader: StoreReader, pages: Pages) -> APIRouter:
    """Return the routes of the shop's own KPI tables."""
    router = APIRouter(include_in_schema=False)

    @router.get("/tables")
    def tables_page(request: Request) -> Response:
        """List the tables."""
        with reader.opened.reading() as shop:
            kpis = reader.kpis(shop)
            own = [table for table in kpis.tables if table.own is not None]
            return pages.show(request, "tables.html", shop, page="tables", kpis=kpis, own=own)

    @router.get("/tables/{name}")
    def table_page(
        request: Request,
        name: str,
        first: Annotated[str | None, Query(alias="from")] = None,
        last: Annotated[str | None, Query(alias="to")] = None,
        column: str | None = None,
    ) -> Response:
        """Show a table's numbers in a period."""
        with reader.opened.reading() as shop:
            kpis = reader.kpis(shop)
            table = _own(kpis, name)
            if not kpis.days:
                return pages.show(request, "nothing_yet.html", shop, page="tables")
            days = sorted({row.key[-1] for row in kpis.rows_of[table.name]}) or list(kpis.days)
            period = read_period(days, first, last)
            of = conditions(request, "column")
            rows = kpis.rows_of_table(table, first=period.first, last=period.last, of=of)
            return pages.show(
                request,
                "table.html",
                shop,
                page="tables",
                kpis=kpis,
                table=table,
                period=period,
                of=of,
                quick=quick_periods(days),
                rows=rows[:_MOST_ROWS],
                rows_in_all=len(rows),
                figures=figures(table, rows, _column(table, column)),
                behind=_behind,
            )

    return router


def _behind(table: KpiTable, key: Sequence[Any]) -> list[tuple[str, str]]:
    """Return the parameters of the page with the rows behind a key."""
    return [(name, "" if part is None else str(part)) for name, part in zip(table.key[:-1], key[:-1], strict=True)]


def _own(kpis: PublishedKpis, name: str) -> KpiTable:
    table = kpis.named(name)
    if table.own is None:
        raise UnknownThing(f"{table.name} has no page of its own: the overview shows it.")
    return table


def _column(table: KpiTable, name: str | None) -> str:
    """Return the column that the chart shows: the first sum of money unless one is named."""
    names = [column.name for column in table.columns]
    if name is not None:
        if name not in names:
            raise UnknownThing(f"{table.name} has no column '{name}'. It has {', '.join(names)}.")
        return name
    return next((column.name for column in table.columns if column.kind == "money"), names[0])
