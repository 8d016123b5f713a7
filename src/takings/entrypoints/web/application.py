"""Assemble the page and the API as one application, behind the guard."""

from __future__ import annotations

from collections.abc import Collection
from http import HTTPStatus
from importlib import resources
from pathlib import Path
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

import takings
from takings.entrypoints.faults import explain_os_error
from takings.entrypoints.web.api.routes import api_routes
from takings.entrypoints.web.guard import Guard
from takings.entrypoints.web.live import Live
from takings.entrypoints.web.metrics import exposition
from takings.entrypoints.web.pages.page import Pages
from takings.entrypoints.web.pages.routes import page_routes
from takings.entrypoints.web.problems import problem, retry_headers, status_of
from takings.entrypoints.web.store_reader import StoreReader
from takings.errors import TakingsError

_ABOUT: Final = (
    "Read a store's KPIs, batches, files and violations. Everything is as of one commit; nothing is written."
)
#: what a page calls a failure whose name in HTTP says nothing to people
_TITLES: Final = {
    HTTPStatus.UNPROCESSABLE_ENTITY: "This cannot be shown",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something went wrong",
    HTTPStatus.SERVICE_UNAVAILABLE: "Not available now",
}
_EXPOSITION: Final = "text/plain; version=0.0.4; charset=utf-8"


class _Static(StaticFiles):
    """The package's own files; a changed file gets another address."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        """Let browsers cache a file that is requested by its version."""
        found = super().file_response(*args, **kwargs)  # type: ignore[arg-type]  # passed on as they came
        scope = next((each for each in args if isinstance(each, dict)), {})
        is_versioned = bytes(scope.get("query_string", b"")).startswith(b"v=")
        found.headers["Cache-Control"] = "public, max-age=31536000, immutable" if is_versioned else "no-cache"
        return found


def application(reader: StoreReader, live: Live, *, names: Collection[str] = (), token: str | None = None) -> ASGIApp:
    """Return the page and the API of a store; `names` are the allowed host names."""
    pages = Pages(reader)
    app = FastAPI(
        title="Takings",
        version=takings.__version__,
        description=_ABOUT,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.include_router(api_routes(reader))
    app.include_router(page_routes(reader, pages))
    _add_the_rest(app, reader, pages, live)
    _explain_failures(app, pages)
    folder = Path(str(resources.files("takings.entrypoints.web") / "static"))
    app.mount("/static", _Static(directory=folder))
    return Guard(app, names={"localhost", *names}, token=token)


def _add_the_rest(app: FastAPI, reader: StoreReader, pages: Pages, live: Live) -> None:
    @app.get("/api", include_in_schema=False)
    def api_page(request: Request) -> Response:
        """Show what the API answers."""
        with reader.opened.reading() as shop:
            return pages.show(request, "api.html", shop, page="api", openapi=app.openapi(), base=_base(request))

    @app.get("/health", include_in_schema=False)
    def health() -> Response:
        """Return whether the store can be read."""
        try:
            with reader.opened.reading() as shop:
                shop.ports.ledger.gate()
        except (TakingsError, OSError):
            return PlainTextResponse("the store cannot be read\n", HTTPStatus.SERVICE_UNAVAILABLE)
        return PlainTextResponse("ok\n", headers={"Cache-Control": "no-store"})

    @app.get("/metrics", include_in_schema=False)
    def metrics() -> Response:
        """Return the metrics for Prometheus."""
        with reader.opened.reading() as shop:
            return Response(exposition(reader, shop), media_type=_EXPOSITION, headers={"Cache-Control": "no-store"})

    @app.get("/live", include_in_schema=False)
    async def events(request: Request) -> Response:
        """Stream what happens."""
        return await live.stream(request)


def _explain_failures(app: FastAPI, pages: Pages) -> None:
    """Answer errors: to programs with a problem document, to people with a page that says what to do next."""

    def told(request: Request, status: int, detail: str) -> Response:
        if request.url.path.startswith("/api/") or "text/html" not in request.headers.get("accept", ""):
            return problem(status, detail, retry_headers(status))
        title = _TITLES.get(HTTPStatus(status)) or HTTPStatus(status).phrase
        body = pages.render("problem.html", None, page="", status=status, title=title, detail=detail)
        headers = {"Cache-Control": "no-store", **retry_headers(status)}
        return Response(body, status, headers, "text/html; charset=utf-8")

    @app.exception_handler(TakingsError)
    def failed(request: Request, error: TakingsError) -> Response:
        return told(request, status_of(error), str(error))

    @app.exception_handler(OSError)
    def refused(request: Request, error: OSError) -> Response:
        return told(request, HTTPStatus.SERVICE_UNAVAILABLE, explain_os_error(error))

    @app.exception_handler(Exception)
    def surprised(request: Request, error: Exception) -> Response:
        # The server's log has the traceback.
        detail = (
            f"unexpected fault: {type(error).__name__}. Reading again is safe; the server's log says where it happened."
        )
        return told(request, HTTPStatus.INTERNAL_SERVER_ERROR, detail)

    @app.exception_handler(HTTPException)
    def unknown(request: Request, error: HTTPException) -> Response:
        detail = "there is no such page. The menu lists the pages." if error.status_code == 404 else error.detail
        return told(request, error.status_code, detail)

    @app.exception_handler(RequestValidationError)
    def misread(request: Request, error: RequestValidationError) -> Response:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc'][1:]))}: {each['msg']}" for each in error.errors())
        return told(request, HTTPStatus.UNPROCESSABLE_ENTITY, f"{wrong}. /api/v1/openapi.json says what is allowed.")


def _base(request: Request) -> str:
    return str(request.base_url).rstrip("/")
