"""KPI tables of a shop's own: published with each batch, restated exactly, and never in the way of the shipped ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from takings.composition.stores import Shop
from takings.errors import ContractError, MachineryError
from takings.queries.verification import verify
from takings.runs import pipeline, steps
from takings.runs.detect import Started, detect
from takings.runs.pipeline import Rest, WaitUntil
from takings.runs.rebuild import read_archive
from takings.runs.restate import restate
from takings.runs.steps import AfterFailure, Validated
from tests.own_kpis import EXAMPLES, contracts_with_kpis, csv_of_table, margin
from tests.pipeline.test_stepwise import Noted
from tests.shop import csv_of, drop, drop_all, item, new_store, opened, order, product, run

#: 34.50 in all: books for 10.00, toys for 20.25 and 4.25, each of which cost 1.00
BY_CATEGORY = """\
category,order_date,items_sold,revenue,cost,gross_margin,margin_rate
Books,2025-03-30,1,10.00,1.00,9.00,90.00
Toys,2025-03-30,1,20.25,1.00,19.25,95.06
Toys,2025-03-31,1,4.25,1.00,3.25,76.47
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a store with three orders on two days."""
    return drop_all(new_store(tmp_path / "shop"))


@pytest.fixture
def contracts(tmp_path: Path) -> str:
    """Return contracts with the examples."""
    return contracts_with_kpis(tmp_path / "contracts")


def published(root: Path, contracts: str, name: str) -> str:
    """Return a table's published rows as CSV."""
    with opened(root, contracts=contracts) as shop:
        return csv_of_table(shop, name)


def stale(shop: Shop) -> Mapping[str, str | None]:
    """Return why each table is stale."""
    return {name: state.stale for name, state in shop.ports.ledger.gate().own_tables.items()}


def days_measured(monkeypatch: pytest.MonkeyPatch, shop: Shop) -> dict[str, list[Any]]:
    """Return, as they are measured, the days per table."""
    found: dict[str, list[Any]] = {}
    engine = shop.ports.kpi_engine
    measures = engine.measures

    def noted(tables: Any, snapshot: Any, days: Any) -> Any:
        tables = tuple(tables)
        for table in tables:
            found.setdefault(table.name, []).append(None if days is None else sorted(days))
        return measures(tables, snapshot, days)

    monkeypatch.setattr(engine, "measures", noted)
    return found


def test_the_first_batch_publishes_every_table(root: Path, contracts: str) -> None:
    """Differences and rates are computed once, from unrounded sums; a share is of its day."""
    run(root, contracts=contracts)
    assert published(root, contracts, "CategoryMargins") == BY_CATEGORY
    assert published(root, contracts, "ProductSales") == (
        "product_id,order_date,orders,items_sold,revenue,revenue_per_order,revenue_share\n"
        "1,2025-03-30,1,1,10.00,10.00,33.06\n"
        "2,2025-03-30,1,1,20.25,20.25,66.94\n"
        "3,2025-03-31,1,1,4.25,4.25,100.00\n"
    )
    assert published(root, contracts, "DepartmentReturns") == (
        "department,order_date,items_sold,returned_items,kept_items,return_rate,returned_value\n"
        "Home,2025-03-30,2,1,1,50.00,20.25\n"
        "Home,2025-03-31,1,0,1,0.00,0.00\n"
    )
    assert published(root, contracts, "CountryCustomers") == (
        "country,order_date,orders,customers,orders_per_customer\n,2025-03-30,2,2,1.00\n,2025-03-31,1,1,1.00\n"
    )


def test_a_changed_cost_restates_the_days_of_the_product(
    root: Path, contracts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tables that do not read the cost, the shipped ones among them, publish nothing for it."""
    run(root, contracts=contracts)
    drop(root, "products/b.csv", csv_of(product(3, "Toys", cost="2.50")))
    with opened(root, contracts=contracts) as shop:
        days = days_measured(monkeypatch, shop)
        pipeline.run(shop.ports, at_once=True)
        # The margin's declared check measures the shipped table for its day.
        assert days == {
            "OrderKPIs": [[], [date(2025, 3, 31)]],
            "CategoryKPIs": [[]],
            "CategoryMargins": [[date(2025, 3, 31)]],
        }
        assert csv_of_table(shop, "CategoryMargins") == BY_CATEGORY.replace("1.00,3.25,76.47", "2.50,1.75,41.18")
        assert verify(shop.ports).differences == ()


def test_a_key_without_rows_is_hidden_and_a_real_zero_is_not(root: Path, contracts: str) -> None:
    """Books lose their only item to toys; a free item is still an item."""
    run(root, contracts=contracts)
    drop(root, "products/b.csv", csv_of(product(1, "Toys")))
    run(root, contracts=contracts)
    assert "Books" not in published(root, contracts, "CategoryMargins")
    assert "Toys,2025-03-30,2,30.25,2.00,28.25,93.39\n" in published(root, contracts, "CategoryMargins")
    assert "Home,2025-03-31,1,0,1,0.00,0.00\n" in published(root, contracts, "DepartmentReturns")


def test_a_new_table_is_published_without_a_file(root: Path, tmp_path: Path) -> None:
    """A run without files publishes every day of the new table, and nothing of the others."""
    run(root, contracts=contracts_with_kpis(tmp_path / "without", {}))
    with opened(root, contracts=contracts_with_kpis(tmp_path / "with")) as shop:
        before = {table.name: list(shop.ports.kpis.rows(table)) for table in shop.ports.kpi_tables if not table.own}
        assert pipeline.run(shop.ports, at_once=True).batches == ()
        assert csv_of_table(shop, "CategoryMargins") == BY_CATEGORY
        after = {table.name: list(shop.ports.kpis.rows(table)) for table in shop.ports.kpi_tables if not table.own}
    assert after == before


class TestOnAStateMachine:
    """A look that finds no file due starts a batch without files for tables that are new or changed."""

    def test_a_new_table_is_published_by_a_batch_without_files(self, root: Path, tmp_path: Path) -> None:
        """By the usual steps, once; a rebuild leaves it out."""
        run(root, contracts=contracts_with_kpis(tmp_path / "without", {}), policy="strict")
        executions = Noted()
        with opened(root, contracts=contracts_with_kpis(tmp_path / "with"), policy="strict") as shop:
            started = detect(shop.ports, executions)
            assert isinstance(started, Started)
            assert steps.validate(shop.ports, started.batch_id, 1) is Validated.NO_FILE
            steps.transform(shop.ports, started.batch_id, 1)
            outcome = steps.archive(shop.ports, started.batch_id, 1)
            assert outcome is not None
            assert (outcome.commit, outcome.published["CategoryMargins"], outcome.reports) == (None, 3, ())
            assert csv_of_table(shop, "CategoryMargins") == BY_CATEGORY
            assert verify(shop.ports).differences == ()
            assert isinstance(detect(shop.ports, executions), Rest)
            assert shop.ports.ledger.gate().last_commit == 1
            assert [len(batch.manifest.arrivals) for batch in read_archive(shop.ports.store)] == [3]
        assert executions.started == [(started.batch_id, 1)]

    def test_what_waits_for_its_deadline_is_not_overtaken(self, root: Path, tmp_path: Path) -> None:
        """The batch of the files publishes the table as well."""
        run(root, contracts=contracts_with_kpis(tmp_path / "without", {}))
        drop(root, "products/b.csv", csv_of(product(3, "Toys", cost="2.50")))
        with opened(root, contracts=contracts_with_kpis(tmp_path / "with")) as shop:
            waits = detect(shop.ports, Noted())
            assert isinstance(waits, Rest)
            assert isinstance(waits.decision, WaitUntil)

    def test_a_batch_without_files_that_fails_marks_its_tables_and_blocks_nothing(
        self, root: Path, tmp_path: Path
    ) -> None:
        """No look tries the same definition again; a batch with files does."""
        run(root, contracts=contracts_with_kpis(tmp_path / "without", {}))
        with opened(root, contracts=contracts_with_kpis(tmp_path / "with")) as shop:
            started = detect(shop.ports, Noted())
            assert isinstance(started, Started)
            steps.validate(shop.ports, started.batch_id, 1)
            failed = steps.mark_failed(
                shop.ports, started.batch_id, 1, "no luck", blocked_for="no disk is large enough"
            )
            assert failed is AfterFailure.GIVEN_BACK
            assert set(stale(shop).values()) == {"no disk is large enough"}
            assert not shop.ports.ledger.gate().has_batch
            assert isinstance(detect(shop.ports, Noted()), Rest)
            drop(root, "products/b.csv", csv_of(product(3, "Toys", cost="2.50")))
            pipeline.run(shop.ports, at_once=True)
            assert set(stale(shop).values()) == {None}
            assert csv_of_table(shop, "CategoryMargins") == BY_CATEGORY.replace("1.00,3.25,76.47", "2.50,1.75,41.18")

    def test_another_process_completes_it(self, root: Path, tmp_path: Path) -> None:
        """Such as a local run on the same bucket."""
        run(root, contracts=contracts_with_kpis(tmp_path / "without", {}))
        with opened(root, contracts=contracts_with_kpis(tmp_path / "with")) as shop:
            started = detect(shop.ports, Noted())
            assert isinstance(started, Started)
            (batch,) = pipeline.run(shop.ports, at_once=True).batches
            assert (batch.batch_id, batch.published["CategoryMargins"]) == (started.batch_id, 3)
            assert csv_of_table(shop, "CategoryMargins") == BY_CATEGORY


def test_a_watch_publishes_a_new_table_at_its_next_look(root: Path, tmp_path: Path) -> None:
    """Once: a table that cannot be published is tried again by a run, not by every look."""
    run(root, contracts=contracts_with_kpis(tmp_path / "without", {}))
    failing = margin(yaml=(EXAMPLES / "category_margins.yaml").read_text().replace("cost >= 0", "cost < 0"))
    with opened(root, contracts=contracts_with_kpis(tmp_path / "with", failing)) as shop:
        for _ in range(2):
            pipeline.step(shop.ports, at_once=False)
        assert shop.ports.ledger.gate().own_tables["CategoryMargins"].stale is not None
        generation = shop.ports.ledger.gate().generation
        pipeline.step(shop.ports, at_once=False)
        assert shop.ports.ledger.gate().generation == generation


def test_a_changed_definition_restates_its_table_alone(
    root: Path, contracts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second run finds nothing to do."""
    run(root, contracts=contracts)
    sql = Path(contracts, "kpis", "category_margins.sql")
    sql.write_text(sql.read_text().replace("cost * pieces", "cost * pieces * 2"))
    with opened(root, contracts=contracts) as shop:
        days = days_measured(monkeypatch, shop)
        pipeline.run(shop.ports, at_once=True)
        pipeline.run(shop.ports, at_once=True)
        assert days == {"CategoryMargins": [None], "OrderKPIs": [None]}
        assert "Books,2025-03-30,1,10.00,2.00,8.00,80.00\n" in csv_of_table(shop, "CategoryMargins")
        assert verify(shop.ports).differences == ()


def test_a_changed_grain_needs_a_new_name(root: Path, contracts: str) -> None:
    """Rows of two grains would lie side by side."""
    run(root, contracts=contracts)
    yaml = Path(contracts, "kpis", "category_margins.yaml")
    sql = yaml.with_suffix(".sql")
    yaml.write_text(
        yaml.read_text().replace("[category, order_date]", "[brand, order_date]").replace("over category", "over brand")
    )
    sql.write_text(sql.read_text().replace("category", "brand"))
    with (
        pytest.raises(ContractError, match=r"category_margins.yaml:3: .* by category, order_date, and is now by brand"),
        opened(root, contracts=contracts),
    ):
        pass


def test_a_table_removed_and_put_back_is_published_anew(root: Path, contracts: str, tmp_path: Path) -> None:
    """What changed while it was away is not lost."""
    run(root, contracts=contracts)
    drop(root, "products/b.csv", csv_of(product(3, "Toys", cost="2.50")))
    run(root, contracts=contracts_with_kpis(tmp_path / "without", {}))
    run(root, contracts=contracts)
    assert "Toys,2025-03-31,1,4.25,2.50,1.75,41.18\n" in published(root, contracts, "CategoryMargins")


def test_a_failing_table_is_stale_and_the_others_are_published(root: Path, tmp_path: Path) -> None:
    """Its published rows stay; when it can be computed again, the days that waited are published as well."""
    checked = margin(yaml=(EXAMPLES / "category_margins.yaml").read_text().replace("cost >= 0", "revenue >= 0"))
    contracts = contracts_with_kpis(tmp_path / "checked", checked)
    items = Path(contracts, "order_items.odcs.yaml")
    items.write_text(items.read_text().replace("exclusiveMinimum: 0", "minimum: -100"))
    run(root, contracts=contracts)
    drop(root, "orders/b.csv", csv_of(order(9, "2025-04-02T09:00:00")))
    drop(root, "order-items/b.csv", csv_of(item(9, 9, 1, "-4.00")))
    with opened(root, contracts=contracts) as shop:
        (batch,) = pipeline.run(shop.ports, at_once=True).batches
        assert batch.published == {"OrderKPIs": 1, "CategoryKPIs": 1}
        assert csv_of_table(shop, "CategoryMargins") == BY_CATEGORY
        reason = stale(shop)["CategoryMargins"]
        assert reason is not None
        assert reason.startswith("revenue >= 0: it is -4 for category Books, order_date 2025-04-02;")
        assert shop.ports.ledger.gate().own_tables["CategoryMargins"].days == {date(2025, 4, 2)}
    drop(root, "order-items/c.csv", csv_of(item(9, 9, 1, "4.00")))
    run(root, contracts=contracts)
    with opened(root, contracts=contracts) as shop:
        assert "Books,2025-04-02,1,4.00,1.00,3.00,75.00\n" in csv_of_table(shop, "CategoryMargins")
        assert stale(shop) == {"CategoryMargins": None}


def warning_of(shop: Shop, name: str = "CategoryMargins") -> str | None:
    """Return which check warns about a table."""
    return shop.ports.ledger.gate().own_tables[name].warning


def test_a_check_that_warns_lets_its_table_be_published(root: Path, tmp_path: Path) -> None:
    """It is told of each day until the day is published without it."""
    warns = margin(yaml=(EXAMPLES / "category_margins.yaml").read_text().replace("- cost >= 0", "- warn: revenue > 5"))
    contracts = contracts_with_kpis(tmp_path / "contracts", warns)
    run(root, contracts=contracts)
    drop(root, "orders/b.csv", csv_of(order(9, "2025-04-02T09:00:00")))
    drop(root, "order-items/b.csv", csv_of(item(9, 9, 1, "4.00")))
    with opened(root, contracts=contracts) as shop:
        assert warning_of(shop) == "revenue > 5: it is 4.25 for category Toys, order_date 2025-03-31."
        (batch,) = pipeline.run(shop.ports, at_once=True).batches
        newest = "revenue > 5: it is 4 for category Books, order_date 2025-04-02."
        assert batch.kpi_warnings == {"CategoryMargins": newest}
        assert warning_of(shop) == f"{newest} So on 1 other day."
        assert "Books,2025-04-02,1,4.00,1.00,3.00,75.00\n" in csv_of_table(shop, "CategoryMargins")
        assert stale(shop) == {"CategoryMargins": None}
    drop(root, "order-items/c.csv", csv_of(item(9, 9, 1, "40.00")))
    run(root, contracts=contracts)
    with opened(root, contracts=contracts) as shop:
        assert warning_of(shop) == "revenue > 5: it is 4.25 for category Toys, order_date 2025-03-31."


def test_a_changed_check_is_applied_to_every_day(root: Path, contracts: str) -> None:
    """By a run without files, as any changed definition."""
    run(root, contracts=contracts)
    yaml = Path(contracts, "kpis", "category_margins.yaml")
    yaml.write_text(yaml.read_text() + "  - warn: revenue > 5\n")
    with opened(root, contracts=contracts) as shop:
        pipeline.run(shop.ports, at_once=True)
        assert warning_of(shop) == "revenue > 5: it is 4.25 for category Toys, order_date 2025-03-31."
    yaml.write_text(yaml.read_text().replace("- warn: revenue", "- revenue"))
    with opened(root, contracts=contracts) as shop:
        pipeline.run(shop.ports, at_once=True)
        assert (stale(shop)["CategoryMargins"] or "").startswith("revenue > 5: it is 4.25 for category Toys")


def test_machinery_that_breaks_over_an_own_table_does_not_hold_up_the_batch(
    root: Path, contracts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run publishes it."""
    with opened(root, contracts=contracts) as shop:
        measures = shop.ports.kpi_engine.measures

        def broken(tables: Any, snapshot: Any, days: Any) -> Any:
            tables = tuple(tables)
            if any(table.own for table in tables):
                raise MachineryError("out of luck")
            return measures(tables, snapshot, days)

        monkeypatch.setattr(shop.ports.kpi_engine, "measures", broken)
        assert len(pipeline.run(shop.ports, at_once=True).batches) == 1
        assert set(stale(shop).values()) == {"out of luck"}
    run(root, contracts=contracts)
    assert published(root, contracts, "CategoryMargins") == BY_CATEGORY


def test_a_batch_resumed_under_other_definitions_publishes_every_day(
    root: Path, contracts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its affected keys were found for other tables."""
    run(root, contracts=contracts)
    drop(root, "products/b.csv", csv_of(product(2, "Toys", cost="3.00")))
    with opened(root, contracts=contracts) as shop:

        class Killed(BaseException):
            pass

        def killed(*_: Any) -> None:
            raise Killed

        monkeypatch.setattr(shop.ports.tables, "apply", killed)
        with pytest.raises(Killed):
            pipeline.run(shop.ports, at_once=True)
    sql = Path(contracts, "kpis", "product_sales.sql")
    sql.write_text(sql.read_text().replace("sum(amount)", "sum(amount - cost)"))
    with opened(root, contracts=contracts) as shop:
        pipeline.run(shop.ports, at_once=True)
        assert csv_of_table(shop, "ProductSales").splitlines()[1:] == [
            "1,2025-03-30,1,1,9.00,9.00,34.29",
            "2,2025-03-30,1,1,17.25,17.25,65.71",
            "3,2025-03-31,1,1,3.25,3.25,100.00",
        ]
        assert verify(shop.ports).differences == ()


def test_restating_includes_own_tables(root: Path, contracts: str) -> None:
    """All days, or a range."""
    run(root, contracts=contracts)
    with opened(root, contracts=contracts) as shop:
        everything = restate(shop.ports)
        one_day = restate(shop.ports, date(2025, 3, 31), date(2025, 3, 31))
    assert everything.published["CategoryMargins"] == 3
    assert one_day.published == {
        "OrderKPIs": 1, "CategoryKPIs": 1, "CategoryMargins": 1, "CountryCustomers": 1, "DepartmentReturns": 1,
        "ProductSales": 1,
    }  # fmt: skip


def test_verifying_finds_a_number_that_was_changed(root: Path, contracts: str) -> None:
    """An own table is compared like a shipped one."""
    run(root, contracts=contracts)
    with opened(root, contracts=contracts) as shop:
        table = next(table for table in shop.ports.kpi_tables if table.name == "ProductSales")
        row = next(iter(shop.ports.kpis.rows(table)))
        shop.ports.kpis.publish(table, [replace(row, values={**row.values, "orders": 5})])
        (found,) = verify(shop.ports).differences
    assert (found.table, found.key, found.column, found.published) == (
        "ProductSales",
        (1, date(2025, 3, 30)),
        "orders",
        5,
    )
