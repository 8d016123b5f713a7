"""Turn measures into published KPIs: compute ratios and round, once, in exact decimals.

Engines compute only sums and counts, from one portable SQL file per table. The YAML file beside it defines the published
columns.
"""

from takings.kpis.definitions import KpiTable, definition_hash, load_kpi_tables
from takings.kpis.invariants import check_invariants
from takings.kpis.load_own import load_own_tables
from takings.kpis.publication import KpiRow, Publication, derive, derive_each, prepare_publication

__all__ = [
    "KpiRow",
    "KpiTable",
    "Publication",
    "check_invariants",
    "definition_hash",
    "derive",
    "derive_each",
    "load_kpi_tables",
    "load_own_tables",
    "prepare_publication",
]
