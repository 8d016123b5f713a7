"""A table of a shop's own that Spark cannot run, or computes otherwise than DuckDB, is found when it is loaded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from takings.composition.stores import check_own_tables
from takings.errors import ContractError
from takings.runs import pipeline
from tests.kpi_engine.test_own_tables import EVERY_COLUMN, EVERY_WORD
from tests.own_kpis import contracts_with_kpis, csv_of_table
from tests.shop import drop_all, new_store, opened

pytestmark = [
    pytest.mark.xdist_group("spark"),
    # PySpark lets go of the socket of each result without closing it.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.usefixtures("spark"),
]
YAML = """\
table: Own
key: [category, order_date]
columns:
  n: {count: n}
"""


def over(measure: str, key: str = "category") -> dict[str, str]:
    """Return the files of a table with this measure."""
    sql = f"select\n    {key} as category, order_date,\n    {measure} as n\nfrom items\ngroup by {key}, order_date\n"
    return {"own.sql": sql, "own.yaml": YAML}


@pytest.mark.parametrize(
    ("files", "said"),
    [
        pytest.param(
            over("sum(order_date - date '2024-01-01')"),
            "own.sql:1: on a small sample shop DuckDB computes (2024-01-01, 2024-02-27, 342), and Spark (2024-01-01,",
            id="days between dates",
        ),
        pytest.param(
            over("count(*)", "category || created_at"),
            "own.sql:1: on a small sample shop DuckDB computes (Beta2024-02-28 12:00:00+00, 2024-02-29, 1), and Spark"
            " (Beta2024-02-28 12:00:00, 2024-02-29, 1).",
            id="an instant as text",
        ),
    ],
)
def test_what_spark_computes_otherwise_is_refused(files: dict[str, str], said: str, tmp_path: Path) -> None:
    """With file and line, before anything is done; DuckDB alone finds nothing wrong."""
    contracts = contracts_with_kpis(tmp_path / "contracts", files)
    root = new_store(tmp_path / "shop")
    assert check_own_tables(root, {"contracts": contracts})[1] == ("duckdb",)
    for load in (
        lambda: check_own_tables(root, {"contracts": contracts, "engine": "spark"}),
        lambda: opened(root, contracts=contracts, engine="spark").__enter__(),
    ):
        with pytest.raises(ContractError) as refused:
            load()
        assert str(refused.value).removeprefix(f"{contracts}/kpis/").startswith(said)


def test_sound_tables_are_checked_and_published(tmp_path: Path) -> None:
    """The examples, and the table that uses every word that is allowed."""
    contracts = contracts_with_kpis(tmp_path / "contracts")
    for name, text in (("every.sql", EVERY_WORD), ("every.yaml", EVERY_COLUMN)):
        Path(contracts, "kpis", name).write_text(text)
    root = drop_all(new_store(tmp_path / "shop"))
    (root / "takings.toml").write_text(f"contracts = {json.dumps(contracts)}\nengine = 'spark'\n")
    tables, engines = check_own_tables(root, {})
    assert (len(tables), engines) == (5, ("duckdb", "spark"))
    with opened(root) as shop:
        pipeline.run(shop.ports, at_once=True)
        assert csv_of_table(shop, "CategoryMargins").splitlines()[1] == "Books,2025-03-30,1,10.00,1.00,9.00,90.00"
