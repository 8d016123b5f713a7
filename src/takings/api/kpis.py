"""Published KPIs as values, and as tables of the libraries that people compute with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from takings.composition.stores import Shop as OpenedStore
from takings.composition.stores import kpi_arrow, write_kpi_parquet
from takings.errors import SettingsError, UnknownThing, UsageError
from takings.kpis import KpiRow, KpiTable
from takings.kpis.publication import visible
from takings.queries.incomplete import Incomplete, find_incomplete
from takings.queries.kpi_documents import row_documents
from takings.queries.published_kpis import By, kpi_table, kpi_warnings, named_table, stale_tables

if TYPE_CHECKING:
    import pandas
    import polars
    from arro3.core import Table

#: a business day, or its text: 2025-03-30
Day = date | str


@dataclass(frozen=True, kw_only=True)
class Kpis:
    """Published KPIs of one table: rows by day, or by key and day.

    Amounts are exact decimals in the shop's currency, rounded half-up to 2 places; rates are percent. A ratio without a
    denominator is None. Whatever reads the Arrow PyCapsule interface takes this object as a table: `pyarrow.table(kpis)`,
    `polars.DataFrame(kpis)`, or `from kpis` in DuckDB.

    >>> import takings
    >>> kpis = takings.open("shop").kpis()
    >>> [(str(row.key[0]), str(row.values["total_revenue"])) for row in kpis.rows]
    [('2025-03-30', '30.25'), ('2025-03-31', '4.25')]
    """

    #: its name, key and columns
    table: KpiTable
    #: in the order of `takings kpis`: by order_date, or by key and order_date
    rows: tuple[KpiRow, ...]
    #: what is known to be missing from these days
    incomplete: Incomplete
    #: of a table of the shop's own: why its newest numbers are not published
    stale: str | None = None
    #: of a table of the shop's own: which check that only warns does not hold
    warning: str | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def arrow(self) -> Table:
        """Return an Arrow table: money as decimal128(38, 2), days as date32, then commit, batch_id, computed_at, definition.

        It is a table of arro3, which comes with Takings; `pyarrow.table(kpis)` makes one of pyarrow.

        >>> import takings
        >>> takings.open("shop").kpis().arrow().column_names[:3]
        ['order_date', 'total_orders', 'total_revenue']
        """
        return kpi_arrow(self.table, self.rows)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.arrow().__arrow_c_stream__(requested_schema)

    def df(self) -> pandas.DataFrame:
        """Return a pandas DataFrame with the table's columns. Money stays exact: `.astype(float)` draws and averages it.

        SettingsError where pandas is not installed.

        >>> import takings
        >>> takings.open("shop").kpis().df().set_index("order_date")["total_revenue"].astype(float).sum()
        np.float64(34.5)
        """
        try:
            import pandas as pd
        except ModuleNotFoundError as missing:
            raise SettingsError(
                "a DataFrame needs the package pandas. Install it: pip install 'takings[pandas]'."
            ) from missing
        cells = [(*row.key, *row.values.values()) for row in self.rows]
        frame = pd.DataFrame.from_records(cells, columns=list(self.table.header))
        counts = [column.name for column in self.table.columns if column.kind == "count"]
        types = {"order_date": "datetime64[s]"} | dict.fromkeys(counts, "int64")
        return frame.astype(types)

    def pl(self) -> polars.DataFrame:
        """Return a polars DataFrame: money as Decimal(38, 2), days as Date.

        SettingsError where polars is not installed.

        >>> import takings
        >>> takings.open("shop").kpis().pl()["total_revenue"].sum()
        Decimal('34.50')
        """
        try:
            import polars as pl
        except ModuleNotFoundError as missing:
            raise SettingsError(
                "a polars DataFrame needs the package polars. Install it: pip install polars."
            ) from missing
        return pl.DataFrame(self.arrow())

    def to_json(self) -> list[dict[str, Any]]:
        """Return them as `takings kpis --format json` prints them (kpis-by-day.schema.json, kpis-by-category.schema.json).

        >>> import takings
        >>> takings.open("shop").kpis().to_json()[0]["total_revenue"]
        '30.25'
        """
        return row_documents(self.table, self.rows, self.incomplete, {"stale": self.stale, "warning": self.warning})

    def write_parquet(self, path: str | Path) -> None:
        """Write them to a Parquet file, with the columns and types of `arrow`.

        >>> import takings
        >>> takings.open("shop").kpis().write_parquet("kpis.parquet")
        """
        write_kpi_parquet(self.table, self.rows, Path(path))


def find_kpis(
    store: OpenedStore,
    *,
    by: By | str | None,
    table: str | None,
    category: str | None,
    first: Day | None,
    last: Day | None,
) -> Kpis:
    """Return published KPIs of an opened store."""
    if table is not None and by is not None:
        raise UsageError("`table` and `by` both name a table. Keep one of them.")
    ports = store.ports
    found = kpi_table(ports.kpi_tables, _by(by or By.DAY)) if table is None else named_table(ports.kpi_tables, table)
    if category is not None and "category" not in found.key:
        raise UsageError(f"category '{category}': {found.name} is by {', '.join(found.key)}.")
    begin, end = as_days(first, last)
    rows = tuple(visible(ports.kpis.rows(found, first=begin, last=end, category=category)))
    if category is not None and not rows:
        raise UnknownThing(f"no KPIs of category '{category}' in that range. Write the name exactly.")
    return Kpis(
        table=found,
        rows=rows,
        incomplete=find_incomplete(ports).between(begin, end),
        stale=stale_tables(ports).get(found.name),
        warning=kpi_warnings(ports).get(found.name),
    )


def _by(name: By | str) -> By:
    try:
        return By(name)
    except ValueError as unknown:
        raise UsageError(f"by '{name}': write 'day' or 'category', or name a table with `table`.") from unknown


def as_days(first: Day | None, last: Day | None) -> tuple[date | None, date | None]:
    """Return the ends of a range of business days; UsageError where it ends before it begins."""
    begin, end = (None if day is None else as_day(day) for day in (first, last))
    if begin is not None and end is not None and end < begin:
        raise UsageError(f"the first day, {begin}, is after the last one, {end}.")
    return begin, end


def as_day(written: Day) -> date:
    """Return a business day from its text, such as 2025-03-30; UsageError for another text."""
    if isinstance(written, date):
        return written
    try:
        return date.fromisoformat(written)
    except ValueError as unknown:
        raise UsageError(f"'{written}' is no day. Write it as 2025-03-30.") from unknown
