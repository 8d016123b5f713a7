"""Say which files hold decisions, and which tests must notice a change of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Part:
    """Files with the tests that hold them, quickest first; paths from the root of the project."""

    files: tuple[str, ...]
    tests: tuple[str, ...]


def _lake(*names: str) -> tuple[str, ...]:
    return tuple(f"src/takings/lake/{name}.sql" for name in names)


def _kpis(*names: str) -> tuple[str, ...]:
    return tuple(f"src/takings/kpis/{name}.sql" for name in names)


_LAKE_SQL: Final = "tests/stages/test_lake_sql.py"
_DEFINITIONS: Final = "tests/stages/test_kpi_definitions.py"
_RULES: Final = ("tests/golden/test_golden.py", "tests/validation_engine/test_amounts.py")

PARTS: Final[dict[str, Part]] = {
    "batching": Part(files=("src/takings/intake/batching.py",), tests=("tests/stages/test_batching.py",)),
    "gate": Part(
        files=("src/takings/intake/gate.py", "src/takings/intake/next_action.py"),
        tests=("tests/stages/test_gate.py", "tests/stages/test_next_action.py"),
    ),
    "verdicts": Part(
        files=("src/takings/validation/verdicts.py",),
        tests=("tests/stages/test_verdicts.py",),
    ),
    "rules-duckdb": Part(files=("src/takings/adapters/duckdb/rules.py",), tests=_RULES),
    "rules-pandas": Part(files=("src/takings/adapters/pandas/rules.py",), tests=_RULES),
    "affected-keys": Part(
        files=("src/takings/lake/keys.py", "src/takings/kpis/publication.py"),
        tests=(_DEFINITIONS,),
    ),
    "changes": Part(
        files=("src/takings/lake/changes.py", "src/takings/lake/gaps.py", "src/takings/lake/stand_ins.py"),
        tests=("tests/stages/test_lake_changes.py",),
    ),
    "guard": Part(files=("src/takings/kpis/invariants.py",), tests=("tests/stages/test_invariants.py",)),
    "publication-guard": Part(
        files=("src/takings/adapters/local/kpi_store.py",), tests=("tests/ports/test_kpi_store.py",)
    ),
    "definitions": Part(
        files=("src/takings/kpis/definitions.py", "src/takings/kpis/columns.py"), tests=(_DEFINITIONS,)
    ),
    "archive": Part(
        files=("src/takings/archive/moves.py", "src/takings/archive/lineage.py"),
        tests=("tests/stages/test_archive.py",),
    ),
    "kpi-sql": Part(
        files=_kpis("category_kpis", "order_kpis", "category_kpis_by_worth", "order_kpis_by_worth", "items"),
        tests=("tests/stages/test_kpi_sql.py",),
    ),
    "merge-sql": Part(
        files=_lake("changed", "changed_deliveries", "newest", "newest_deliveries", "prior", "incoming_order_items"),
        tests=(_LAKE_SQL,),
    ),
    "affected-sql": Part(
        files=_lake("affected_categories", "affected_days", "arriving", "touched", "moving_items"),
        tests=(_LAKE_SQL,),
    ),
    "changes-sql": Part(
        files=_lake(
            *("row_changes", "another_order", "item_of_another_order", "item_in_two_orders", "order_in_two_files"),
            *("more_items_than_stated", "stated_items", "same_time", "same_time_deliveries", "line_changes"),
        ),
        tests=("tests/stages/test_change_sql.py",),
    ),
    "gaps-sql": Part(
        files=_lake("gaps", "orphans", "waiting_items"),
        tests=(_LAKE_SQL,),
    ),
}
