"""Serve which rules were broken: /violations."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from takings.entrypoints.web import documents
from takings.entrypoints.web.api.parameters import USUAL, Cursor, Dataset, Limit, responses
from takings.entrypoints.web.responses import JSON, answer, next_link, page_of, to_json
from takings.entrypoints.web.store_reader import StoreReader
from takings.errors import UnknownThing


def violation_routes(reader: StoreReader) -> APIRouter:
    """Return the route of violations."""
    routes = APIRouter()

    @routes.get("/violations", response_model=documents.Violations, responses=responses())
    def violations(
        request: Request,
        batch: Annotated[str | None, Query(description="Only this batch; otherwise the newest 500.")] = None,
        dataset: Dataset = None,
        rule: Annotated[str | None, Query(description="Only this rule, e.g. cost|greater_than.")] = None,
        limit: Limit = USUAL,
        cursor: Cursor = None,
    ) -> Response:
        """Return how many records of each file break which rule, newest batch first."""
        with reader.opened.reading() as shop:
            if batch is not None and batch not in reader.records.batches(shop):
                raise UnknownThing(f"there is no batch '{batch}'. /api/v1/batches lists them.")
            rows = [
                row
                for row in reader.records.violations(shop, batch)
                if dataset in {None, row["dataset"]} and rule in {None, row["rule"]}
            ]
        found, following = page_of(rows, _place, limit=limit, cursor=cursor)
        return answer(request, to_json({"rows": found, "next": following}), JSON, next_link(request, following))

    return routes


def _place(row: dict[str, Any]) -> list[Any]:
    return [row["batch_id"], row["key"], row["rule"]]
