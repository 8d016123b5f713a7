"""Find the columns that restatement watches: those that the SQL of the KPI tables reads, of each dataset.

A change of an order or of an item restates its days in any case; these columns decide for which change of a product, or of
an order, days of its other rows are restated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import duckdb

from takings.adapters.duckdb.query_tree import SqlFault, parse
from takings.adapters.duckdb.read_columns import read_columns
from takings.adapters.merging.rows import Watched
from takings.contracts.model import Contract, Contracts, Dataset
from takings.kpis import KpiTable, load_kpi_tables
from takings.kpis.own_views import DAY
from takings.lake import PARTITIONED

#: they join rows, and a row with another key is another row
_KEYS: Final = {
    Dataset.PRODUCTS: frozenset({"id"}),
    Dataset.ORDERS: frozenset({"order_id", DAY}),
}


def watched_columns(connection: duckdb.DuckDBPyConnection, contracts: Contracts, own: Iterable[KpiTable]) -> Watched:
    """Return what the shipped tables of these contracts, and tables of the shop's own, read."""
    by_category = next(
        table for table in load_kpi_tables(contracts[Dataset.ORDER_ITEMS].worth) if table.name == "CategoryKPIs"
    )
    tables = {str(dataset): _columns(dataset, contracts[dataset]) for dataset in Dataset}
    read = _read_of(connection, by_category.sql, tables)
    return Watched(
        products=_spelt(contracts[Dataset.PRODUCTS], read[Dataset.PRODUCTS] - _KEYS[Dataset.PRODUCTS]),
        orders=_spelt(contracts[Dataset.ORDERS], read[Dataset.ORDERS] - _KEYS[Dataset.ORDERS]),
        own={table.name: columns_of_products(connection, table) for table in own},
    )


def columns_of_products(connection: duckdb.DuckDBPyConnection, table: KpiTable) -> frozenset[str]:
    """Return the columns of products that an own table reads, through its views."""
    assert table.own is not None
    views = table.own.views
    read = _read_of(connection, table.sql, views.columns)
    sources = [source for view, names in read.items() for name in names for source in views.made_of[view][name]]
    return frozenset(column for dataset, column in sources if dataset is Dataset.PRODUCTS)


def _columns(dataset: Dataset, contract: Contract) -> frozenset[str]:
    day = {DAY} if dataset in PARTITIONED else set()
    return frozenset(column.lower() for column in contract.stored) | day


def _spelt(contract: Contract, names: Iterable[str]) -> tuple[str, ...]:
    wanted = set(names)
    return tuple(column.name for column in contract.columns if column.name.lower() in wanted)


def _read_of(
    connection: duckdb.DuckDBPyConnection, sql: str, tables: Mapping[str, frozenset[str]]
) -> Mapping[str, frozenset[str]]:
    tree = parse(connection, sql)
    assert not isinstance(tree, SqlFault), tree  # own SQL was checked when it was loaded
    return read_columns(tree, tables)
