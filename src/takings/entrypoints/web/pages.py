"""Show people the shop: overview, batches, files, quality, and the rows behind a number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import RedirectResponse, StreamingResponse

from takings.archive.lineage import LineageRecord
from takings.composition.stores import Shop
from takings.entrypoints.web import batch_story, downloads, quality, showing
from takings.entrypoints.web.answers import CSV, answer
from takings.entrypoints.web.asking import quick_periods, read_day, read_period
from takings.entrypoints.web.figures import change, overview
from takings.entrypoints.web.house import House
from takings.entrypoints.web.progress import look
from takings.entrypoints.web.records import files, has_set_aside
from takings.errors import UnknownThing
from takings.layout import BatchId
from takings.queries import batches as batch_documents
from takings.queries.published_kpis import By

_HTML: Final = "text/html; charset=utf-8"
#: rows of a page
_FILES, _BATCHES, _ROWS = 50, 25, 50

Page = Annotated[int, Query(ge=1, le=1_000_000)]
Render = Callable[..., bytes]


class Pages:
    """The templates, and what each of them is given."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._templates = showing.environment()

    def render(self, name: str, shop: Shop | None, **known: Any) -> bytes:  # noqa: ANN401 - templates take anything
        """Render a template; without a store, a page that tells what is wrong."""
        zone = shop.ports.time_zone if shop is not None else "UTC"
        common = {"store": self._house.opened.store, "zone": zone, "live": None if shop is None else look(shop)}
        return self._templates.get_template(name).render(common | known).encode("utf-8", "backslashreplace")

    def show(self, request: Request, name: str, shop: Shop | None, **known: Any) -> Response:  # noqa: ANN401 - as above
        """Answer with a page."""
        return answer(request, self.render(name, shop, **known), _HTML)


def routes(house: House, pages: Pages) -> APIRouter:
    """Return the pages' routes."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    def overview_page(
        request: Request,
        first: Annotated[str | None, Query(alias="from")] = None,
        last: Annotated[str | None, Query(alias="to")] = None,
        category: Annotated[list[str], Query()] = [],  # noqa: B006 - FastAPI copies it
    ) -> Response:
        """Show a period's takings."""
        with house.opened.reading() as shop:
            settled = house.settled(shop)
            if not settled.days:
                return pages.show(request, "nothing_yet.html", shop, page="overview")
            period = read_period(settled.days, first, last)
            chosen = [name for name in dict.fromkeys(category) if name]
            unknown = [name for name in chosen if name not in settled.categories]
            if unknown:
                raise UnknownThing(f"there is no category '{unknown[0]}'. The filter lists those there are.")
            shown = overview(settled, period, chosen)
            changes = {
                name: shown.before and change(getattr(shown.totals, name), getattr(shown.before, name))
                for name in ("revenue", "net", "orders", "average", "items")
            }
            return pages.show(
                request,
                "overview.html",
                shop,
                page="overview",
                settled=settled,
                shown=shown,
                changes=changes,
                quick=quick_periods(settled.days),
            )

    @router.get("/explain")
    def explain_asked(day: str | None = None, category: str | None = None) -> Response:
        """Lead to the rows behind a day that was chosen in a form."""
        with house.opened.reading() as shop:
            days = house.settled(shop).days
        chosen = read_day(day, "day") or (days[-1] if days else None)
        query = f"?category={quote(category)}" if category else ""
        return RedirectResponse(f"/explain/{chosen}{query}" if chosen else "/", 303)

    @router.get("/explain/{day}")
    def explain_page(request: Request, day: str, category: str | None = None, page: Page = 1) -> Response:
        """Show the rows behind a day's numbers."""
        chosen = read_day(day, "day")
        assert chosen is not None
        category = category or None
        with house.opened.reading() as shop:
            settled, explanation = house.explain(shop, chosen, category)
            by = By.DAY if category is None else By.CATEGORY
            published = settled.rows(by, first=chosen, last=chosen, category=category)
            parts = _parts(explanation.rows)
            return pages.show(
                request,
                "explain.html",
                shop,
                page="explain",
                settled=settled,
                day=chosen,
                category=category,
                explanation=explanation,
                parts_of_sum=parts,
                total=explanation.revenue.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP),
                published=published[0] if published else None,
                table=settled.table(by),
                rows=explanation.rows[(page - 1) * _ROWS : page * _ROWS],
                sheet=_sheet(page, len(explanation.rows), _ROWS),
            )

    @router.get("/batches")
    def batches_page(request: Request, page: Page = 1) -> Response:
        """List batches."""
        with house.opened.reading() as shop:
            known = house.records.batches(shop)
            rows = [
                batch_story.row(house.records, shop, batch) for batch in known[(page - 1) * _BATCHES : page * _BATCHES]
            ]
            return pages.show(
                request, "batches.html", shop, page="batches", rows=rows, sheet=_sheet(page, len(known), _BATCHES)
            )

    @router.get("/batches/{batch_id}")
    def batch_page(request: Request, batch_id: str) -> Response:
        """Tell one batch's story."""
        with house.opened.reading() as shop:
            _known_batch(house, shop, batch_id)
            document = batch_documents.details(shop.ports, BatchId(batch_id))
            story = batch_story.story(house.records, shop, document)
            return pages.show(request, "batch.html", shop, page="batches", batch=document, story=story)

    @router.get("/batches/{batch_id}/restated")
    def restated_part(request: Request, batch_id: str) -> Response:
        """Show the days that a batch restated, before and after."""
        with house.opened.reading() as shop:
            _known_batch(house, shop, batch_id)
            restated = batch_story.restated(house, shop, BatchId(batch_id))
            return pages.show(request, "restated.html", shop, page="batches", batch_id=batch_id, restated=restated)

    @router.get("/batches/{batch_id}/reasons.csv")
    def reasons_file(batch_id: str, key: str) -> Response:
        """Hand out why a file was refused."""
        with house.opened.reading() as shop:
            return _download(downloads.reasons(shop, batch_id, key), f"reasons-{_name(key)}")

    @router.get("/batches/{batch_id}/quarantine.csv")
    def quarantine_file(batch_id: str, key: str, exactly: bool = False) -> Response:
        """Hand out the rows that were set aside from a file."""
        name = key.rpartition("/")[2] if exactly else _name(key)
        with house.opened.reading() as shop:
            return _download(downloads.quarantine(shop, batch_id, key, exactly=exactly), f"quarantine-{name}")

    @router.get("/files")
    def files_page(request: Request, search: str = "", state: str = "", page: Page = 1) -> Response:
        """List files, newest first."""
        with house.opened.reading() as shop:
            found = [record for record in files(shop, search=search) if not state or _state(record) == state]
            return pages.show(
                request,
                "files.html",
                shop,
                page="files",
                search=search,
                state=state,
                records=found[(page - 1) * _FILES : page * _FILES],
                sheet=_sheet(page, len(found), _FILES),
                state_of=_state,
            )

    @router.get("/file")
    def file_page(request: Request, key: str) -> Response:
        """Tell one file's story."""
        with house.opened.reading() as shop:
            records = files(shop, key=key)
            if not records:
                raise UnknownThing(f"no file '{key}' was ever taken up. The page Files lists those that were.")
            reports = {
                record.batch_id: next(
                    (each for each in house.records.reports(shop, record.batch_id) if each["key"] == key), None
                )
                for record in records
            }
            return pages.show(
                request,
                "file.html",
                shop,
                page="files",
                key=key,
                records=records,
                reports=reports,
                state_of=_state,
                set_aside=[record.batch_id for record in records if has_set_aside(record)],
            )

    @router.get("/quality")
    def quality_page(request: Request) -> Response:
        """Show what was wrong, over time."""
        with house.opened.reading() as shop:
            seen = quality.look(house, shop)
            return pages.show(request, "quality.html", shop, page="quality", seen=seen, now=shop.ports.clock.now())

    return router


def _known_batch(house: House, shop: Shop, batch_id: str) -> None:
    if batch_id not in house.records.batches(shop):
        raise UnknownThing(f"there is no batch '{batch_id}'. The page Batches lists those there are.")


def _parts(rows: Sequence[Any]) -> list[tuple[str, int, Decimal]]:
    """Return what rows are counted as: how many, and their exact sum."""
    names = ("net", "returned", "cancelled", "order without items")
    found = [(name, [row for row in rows if row.counted_as == name]) for name in names]
    return [
        (name, len(mine), sum((row.sale_price for row in mine if row.sale_price is not None), Decimal(0)))
        for name, mine in found
        if mine
    ]


def _state(record: LineageRecord) -> str:
    """Name in a word what became of a file."""
    if record.verdict is not None:
        return record.verdict.value
    return "in progress" if record.status == "IN_PROGRESS" else "returned"


def _sheet(page: int, items: int, size: int) -> dict[str, int]:
    last = max(1, -(-items // size))
    return {
        "page": page,
        "last": last,
        "items": items,
        "first": (page - 1) * size + 1,
        "until": min(items, page * size),
    }


def _download(content: Iterator[Any], name: str) -> Response:
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}", "Cache-Control": "no-store"}
    return StreamingResponse(content, media_type=CSV, headers=headers)


def _name(key: str) -> str:
    return key.rpartition("/")[2].removesuffix(".gz")
