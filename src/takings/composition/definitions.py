"""Load the contracts and KPI tables of a store; a command that works has their SQL checked first."""

from __future__ import annotations

from pathlib import Path

from takings.composition.on_demand import shipped_contracts_on_demand
from takings.contracts.model import Contracts
from takings.kpis import KpiTable, load_own_tables
from takings.profiles import is_shipped


def contracts_of(folder: Path | None, *, only_looks: bool) -> Contracts:
    """Load contracts, and let DuckDB check the SQL of their sources; a look takes both of what is shipped on trust."""
    if only_looks and folder is None:
        return shipped_contracts_on_demand(load_contracts)
    contracts = load_contracts(folder)
    if not contracts.sources or (only_looks and is_shipped(folder)):
        return contracts
    from takings.composition import engines

    return engines.checked(contracts)


def own_tables_of(folder: Path | None, contracts: Contracts, *, only_looks: bool) -> tuple[KpiTable, ...]:
    """Load the KPI tables of the shop's own, and let DuckDB check their SQL; a look only reads what they published."""
    tables = load_own_tables(folder, contracts)
    if not tables or only_looks:
        return tables
    from takings.composition import engines

    return engines.checked_tables(tables, contracts)


def load_contracts(folder: Path | None = None) -> Contracts:
    """Load the reader of contracts, and read them."""
    from takings.contracts import load

    return load.load_contracts(folder)
