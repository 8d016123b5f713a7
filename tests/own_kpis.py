"""Build shops with KPI tables of their own: contracts with a column `country`, and SQL from literals or from sample/kpis."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from takings.composition.stores import Shop
from takings.entrypoints.kpi_output import as_csv
from takings.kpis import KpiTable
from takings.kpis.publication import visible
from tests.contract_options import write_contracts

EXAMPLES: Final = Path(__file__).parent.parent / "sample" / "kpis"
_COUNTRY: Final = """\
      - name: country
        description: Where the order goes.
        logicalType: string
        customProperties:
          - property: takingsMandatory
            value: false
"""


def contracts_with_kpis(folder: Path, tables: Mapping[str, str] | None = None) -> str:
    """Write the contracts and files of `kpis/` by name (None: the examples) into a folder, and return it."""
    write_contracts(folder)
    with (folder / "orders.odcs.yaml").open("a", encoding="utf-8") as contract:
        contract.write(_COUNTRY)
    if tables is None:
        shutil.copytree(EXAMPLES, folder / "kpis")
    else:
        (folder / "kpis").mkdir()
        for name, text in tables.items():
            (folder / "kpis" / name).write_text(text, encoding="utf-8")
    return str(folder)


def margin(*, sql: str | None = None, yaml: str | None = None) -> dict[str, str]:
    """Return the files of a margin by category, the SQL or the YAML replaced."""
    return {
        "margin.sql": sql or (EXAMPLES / "category_margins.sql").read_text(),
        "margin.yaml": yaml or (EXAMPLES / "category_margins.yaml").read_text(),
    }


def table_of(shop: Shop, name: str) -> KpiTable:
    """Return a table by its name."""
    return next(table for table in shop.ports.kpi_tables if table.name == name)


def csv_of_table(shop: Shop, name: str) -> str:
    """Return a table's published rows as `takings kpis --format csv` prints them."""
    table = table_of(shop, name)
    return as_csv(table, visible(shop.ports.kpis.rows(table)))
