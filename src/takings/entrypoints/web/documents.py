"""Describe the API's answers for OpenAPI; the code that prints for the command line makes their content."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from takings.kpis import load_kpi_tables

Money = Annotated[str, Field(pattern=r"^-?[0-9]+\.[0-9]{2,}$", description="An exact decimal.", examples=["34911.35"])]
Instant = Annotated[str, Field(pattern=r"^[0-9-]{10}T[0-9:.]+Z$", examples=["2026-11-23T12:16:00.123456Z"])]
Next = Annotated[str | None, Field(description="The cursor of the next page; null at the end.")]


class Document(BaseModel):
    """An answer: an object with exactly these members."""

    model_config = ConfigDict(extra="forbid")


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str


class IncompleteDay(Document):
    """What is known to be missing from a day's numbers."""

    sentence: str = Field(description="A sentence for people.")
    waiting_items: int = Field(description="Items of the day's orders whose product is not in the lake yet.")
    waiting_worth: Money
    orders_without_items: int
    refused: list[str] = Field(
        description="Keys of refused files with rows of the day, unless a newer accepted file replaced them."
    )


_KEYS: dict[str, Any] = {"category": str, "order_date": date}
_KINDS: dict[str, Any] = {"count": int, "money": Money, "percent": Money | None, "average": Money | None}


def row_of(table_name: str) -> Callable[[type[Document]], type[Document]]:
    """Put a KPI table's keys and columns, as its definition lists them, before the class's own members."""
    table = next(table for table in load_kpi_tables() if table.name == table_name)
    fields: dict[str, Any] = {name: (_KEYS[name], ...) for name in table.key}
    fields |= {column.name: (_KINDS[column.kind], ...) for column in table.columns}

    def made_of(row: type[Document]) -> type[Document]:
        own: dict[str, Any] = {name: (field.annotation, field) for name, field in row.model_fields.items()}
        return create_model(
            row.__name__, __base__=Document, __module__=row.__module__, __doc__=row.__doc__, **fields, **own
        )

    return made_of


@row_of("OrderKPIs")
class OrderKpi(Document):
    """One day."""

    commit: int
    batch_id: str
    computed_at: Instant
    definition: str
    unfinished: bool = Field(description="The day was not over when the newest number was computed.")
    incomplete: IncompleteDay | None = Field(description="null if nothing is known to be missing.")


@row_of("CategoryKPIs")
class CategoryKpi(Document):
    """One category on one day."""

    commit: int
    batch_id: str
    computed_at: Instant
    definition: str
    unfinished: bool
    incomplete: IncompleteDay | None = Field(description="What the day lacks, in all categories together.")


class Kpis(Document):
    """Published KPIs, all as of one commit."""

    commit: int | None
    by: str
    rows_in_all: int
    rows: list[OrderKpi] | list[CategoryKpi]
    notes: list[str] = Field(description="Sentences about what is missing when the days are unknown.")
    next: Next


class TableDescription(Document):
    """A KPI table, and the JSON Schema of its rows."""

    table: str
    key: list[str]
    is_own: bool
    stale: str | None = Field(description="Why its newest numbers are not published; null if they are.")
    warning: str | None = Field(description="Which check that only warns does not hold; null if all hold.")
    row_schema: dict[str, Any]


class Tables(Document):
    """Every KPI table."""

    rows: list[TableDescription]


class TableRows(Document):
    """Published rows of a KPI table, all as of one commit; /tables has their JSON Schema."""

    commit: int | None
    table: str
    stale: str | None
    warning: str | None
    rows_in_all: int
    rows: list[dict[str, Any]]
    next: Next


class RowChanges(Document):
    """What accepted rows changed in the lake before the batch's first merge."""

    new: int
    changed: int
    unchanged: int
    older: int


class Batch(Document):
    """One batch, as a list shows it."""

    batch_id: str
    state: str
    now: Instant | None
    files: int
    verdicts: dict[str, int]
    records_read: int
    records_rejected: int
    rows: RowChanges | None
    warnings: int = Field(description="How many kinds of warnings there are about what the rows replace.")
    commit: int | None
    attempt: int | None
    started_at: Instant | None
    finished_at: Instant | None


class Batches(Document):
    """Batches, newest first."""

    rows: list[Batch]
    next: Next


class Records(Document):
    """A file's row accounting: read = accepted + rejected + identical_duplicates."""

    read: int
    accepted: int
    rejected: int
    identical_duplicates: int


class File(Document):
    """One file in one batch."""

    key: str
    dataset: str
    batch_id: str
    processing_date: Instant
    status: str
    verdict: str | None
    size: int
    version: Instant
    fingerprint: str | None
    records: Records | None
    reason: str | None
    archived_at: str | None


class Files(Document):
    """Files, newest first."""

    rows: list[File]
    next: Next


class RuleViolations(Document):
    """How many records of a file break a rule."""

    batch_id: str
    now: Instant | None
    dataset: str
    key: str
    verdict: str
    rule: str
    severity: str
    records: int


class Violations(Document):
    """Violations, newest batch first."""

    rows: list[RuleViolations]
    next: Next


class Row(Document):
    """One row behind a number."""

    order_date: date
    category: str | None
    order_id: int | str
    item_id: int | str | None
    product_id: int | str | None
    status: str
    sale_price: Money | None
    counted_as: str
    key: str
    archived_at: str | None
    line: int
    pieces: int | None
    amount: Money | None
    returned_value: Money | None
    cancelled_value: Money | None


class Rows(Document):
    """The rows behind a day's numbers, or a category's, and the sums over all of them."""

    schema_version: int
    commit: int
    rows_in_all: int
    revenue: Money
    rows: list[Row]
    next: Next
