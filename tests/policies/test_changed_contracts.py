"""A contract may change between batches, and even in the middle of one."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import NoReturn

import duckdb
import pytest
from deltalake import DeltaTable

import takings.contracts
from takings.archive.lineage import RETURNED_TO_PENDING
from takings.contracts.model import Dataset
from takings.errors import ContractError, SettingsError
from takings.intake.gate import GateState
from takings.queries.verification import explain, verify
from takings.runs import pipeline
from takings.runs.maintenance import maintain
from takings.runs.restate import restate
from tests.shop import (
    csv_of,
    drop,
    drop_all,
    expected,
    files,
    item,
    lineage,
    opened,
    product,
    published,
    run,
)

COLOUR = """\
      - name: colour
        description: As the shop window shows it.
        logicalType: string
"""


class Killed(BaseException):
    """The process died."""


class Dead:
    """A port where the process dies."""

    def __getattr__(self, _: str) -> NoReturn:
        raise Killed


@pytest.fixture
def contracts(tmp_path: Path) -> Path:
    """Return a folder with the shipped contracts, for a test to change."""
    folder = tmp_path / "contracts"
    folder.mkdir()
    for file in Path(takings.contracts.__file__).parent.glob("*.odcs.yaml"):
        shutil.copy(file, folder)
    return folder


def with_colour(contracts: Path) -> str:
    """Give products an optional column."""
    file = contracts / "products.odcs.yaml"
    file.write_text(file.read_text(encoding="utf-8") + COLOUR, encoding="utf-8")
    return str(contracts)


def with_dearer_items(contracts: Path) -> str:
    """Refuse items that cost less than 5."""
    file = contracts / "order_items.odcs.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("exclusiveMinimum: 0", "exclusiveMinimum: 5"), encoding="utf-8")
    return str(contracts)


def run_to_death(root: Path, port: str) -> None:
    """Run until the process dies at the first use of a port."""
    with opened(root) as shop, pytest.raises(Killed):
        pipeline.run(replace(shop.ports, **{port: Dead()}), at_once=True)  # type: ignore[arg-type]


def products_in_the_lake(root: Path) -> list[tuple[object, object]]:
    """Return every product's id and colour, by id."""
    table = DeltaTable(str(root / "lake" / "products"))
    with opened(root) as shop:
        snapshot = shop.ports.tables.snapshot()
    folder = root / "lake" / "products"
    paths = [str(folder / file.path) for file in snapshot[Dataset.PRODUCTS].files]
    assert "colour" in [field.name for field in table.schema().fields]
    with duckdb.connect() as connection:
        return connection.execute(
            "select id, colour from read_parquet(?, union_by_name = true) order by id", [paths]
        ).fetchall()


class TestBetweenBatches:
    def test_a_column_more_widens_the_lake(self, root: Path, contracts: Path) -> None:
        """Earlier rows hold nothing in it, and a correction fills it in; before, the column was reported as extra."""
        drop_all(root)
        drop(root, "products/b.csv", csv_of(product(4, colour="red")))
        (batch,) = run(root).batches
        assert [dict(report.warnings) for report in batch.reports if report.file == "b.csv"] == [
            {"colour|extra_column": 1}
        ]
        wider = with_colour(contracts)
        drop(root, "products/c.csv", csv_of(product(1, "Books", colour="blue"), product(5, colour="")))
        (batch,) = run(root, contracts=wider).batches
        assert [dict(report.warnings) for report in batch.reports] == [{}]
        assert products_in_the_lake(root) == [(1, "blue"), (2, None), (3, None), (4, None), (5, None)]
        assert published(root, contracts=wider) == expected(root)

        drop(root, "order-items/b.csv", b"id,order_id,product_id,user_id,status,sale_price\n4,1,5,7,shipped,1.00\n")
        run(root, contracts=wider)
        assert published(root, contracts=wider) == expected(root)

    def test_what_is_published_is_verified_explained_and_restated_before_a_batch_brings_the_column(
        self, root: Path, contracts: Path
    ) -> None:
        """Until then, the lake's files lack it."""
        run(drop_all(root))
        before = published(root)
        with opened(root, contracts=with_colour(contracts)) as shop:
            assert verify(shop.ports).differences == ()
            assert len(explain(shop.ports, date(2025, 3, 30)).rows) == 2
            assert restate(shop.ports).published == {"OrderKPIs": 2, "CategoryKPIs": 3}
            assert maintain(shop.ports, keep_reports=timedelta(days=90), is_dry_run=False).compacted == {}
        assert published(root) == before

    @pytest.mark.parametrize("policy", ["file", "row", "strict"])
    def test_every_policy_takes_a_column_more(self, root: Path, contracts: Path, policy: str) -> None:
        """Under "strict", items look for their parents in a lake that does not have the column yet."""
        run(drop_all(root), policy=policy)
        wider = with_colour(contracts)
        drop(root, "products/b.csv", csv_of(product(4, colour="red")))
        drop(root, "order-items/b.csv", csv_of(item(4, 1, 1), item(5, 1, 4)))
        (batch,) = run(root, contracts=wider, policy=policy).batches
        assert [report.verdict.value for report in batch.reports] == ["accepted", "accepted"]
        assert products_in_the_lake(root)[-1] == (4, "red")

    def test_a_column_less_is_refused_before_anything_is_decided(self, root: Path, contracts: Path) -> None:
        """The error says to add it again; then the files are taken."""
        narrow = shutil.copytree(contracts, contracts.parent / "narrow")
        wider = with_colour(contracts)
        run(drop_all(root), contracts=wider)
        drop(root, "products/b.csv", csv_of(product(4, colour="red")))
        for _ in range(2):
            with pytest.raises(ContractError, match="the lake has the column 'colour', but the contract lacks it"):
                run(root, contracts=str(narrow))
        assert len(list((root / "batches").glob("*/verdicts.json"))) == 1
        (batch,) = run(root, contracts=wider).batches
        assert [report.verdict.value for report in batch.reports] == ["accepted"]
        assert products_in_the_lake(root) == [(1, None), (2, None), (3, None), (4, "red")]
        assert published(root, contracts=wider) == expected(root)

    def test_maintenance_under_a_column_less_is_refused(self, root: Path, contracts: Path) -> None:
        """Compacting under such a contract would lose the column's values."""
        narrow = shutil.copytree(contracts, contracts.parent / "narrow")
        wider = with_colour(contracts)
        for number in range(4):
            drop(root, f"products/{number}.csv", csv_of(product(number, colour="red")))
            run(root, contracts=wider)
        with opened(root, contracts=str(narrow)) as shop, pytest.raises(ContractError, match="colour"):
            maintain(shop.ports, keep_reports=timedelta(days=90), is_dry_run=False)
        with opened(root, contracts=wider) as shop:
            assert maintain(shop.ports, keep_reports=timedelta(days=90), is_dry_run=False).compacted == {
                "products": (4, 1)
            }
        assert products_in_the_lake(root) == [(0, "red"), (1, "red"), (2, "red"), (3, "red")]

    def test_a_stricter_contract_judges_only_what_comes(self, root: Path, contracts: Path) -> None:
        """What is in the lake stays there."""
        run(drop_all(root))
        before = published(root)
        dearer = with_dearer_items(contracts)
        drop(root, "order-items/b.csv", b"id,order_id,product_id,user_id,status,sale_price\n4,1,1,7,shipped,4.99\n")
        (batch,) = run(root, contracts=dearer).batches
        assert [report.reason for report in batch.reports] == ["1 of 1 records break sale_price|greater_than (1)"]
        assert published(root, contracts=dearer) == before == expected(root)

    def test_a_file_refused_by_one_contract_may_come_again_under_another(self, root: Path, contracts: Path) -> None:
        """A refused file does not make a later one a duplicate."""
        dearer = with_dearer_items(contracts)
        run(drop_all(root), contracts=dearer)
        assert "failed/order_items/a.csv" in files(root, "failed")
        drop_all(root)
        assert {report.key: report.verdict.value for batch in run(root).batches for report in batch.reports} == {
            "raw-data/products/a.csv": "duplicate",
            "raw-data/orders/a.csv": "duplicate",
            "raw-data/order-items/a.csv": "accepted",
        }
        assert published(root) == expected(root)

    def test_numbers_are_verified_explained_and_restated_before_the_lake_is_wider(
        self, root: Path, contracts: Path
    ) -> None:
        """Until the next batch, the lake lacks the contract's new column, which is then empty."""
        run(drop_all(root))
        with opened(root, contracts=with_colour(contracts)) as shop:
            assert verify(shop.ports).differences == ()
            assert [row.item_id for row in explain(shop.ports, date(2025, 3, 30)).rows] == [1, 2]
            assert restate(shop.ports).published == {"OrderKPIs": 2, "CategoryKPIs": 3}

    @pytest.mark.parametrize(
        ("old", "new", "fault"),
        [
            (COLOUR, "", "the lake has the column 'colour', but the contract lacks it"),
            (
                "As the shop window shows it.\n        logicalType: string",
                "As in the shop window.\n        logicalType: integer",
                "the lake keeps 'colour' as string, but the contract makes it long",
            ),
        ],
        ids=["a column less", "a column of another type"],
    )
    def test_a_contract_that_the_lake_does_not_fit_stops_a_batch_before_its_verdicts(
        self, root: Path, contracts: Path, old: str, new: str, fault: str
    ) -> None:
        """Otherwise no contract could complete it: with the old one back, the next batch takes its files."""
        wider = with_colour(contracts)
        run(drop_all(root), contracts=wider)
        drop(root, "order-items/b.csv", b"id,order_id,product_id,user_id,status,sale_price\n4,1,2,7,shipped,1.00\n")
        file = contracts / "products.odcs.yaml"
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")
        for _ in range(2):
            with pytest.raises(ContractError, match=fault):
                run(root, contracts=wider)
        file.write_text(text, encoding="utf-8")
        (batch,) = run(root, contracts=wider).batches
        assert (batch.commit, len(batch.reports)) == (2, 1)
        assert published(root, contracts=wider) == expected(root)


class TestInTheMiddleOfABatch:
    def test_before_the_verdicts_the_files_are_given_back(self, root: Path, contracts: Path) -> None:
        """The next batch validates them by the new contract, with the versions of their first sight."""
        run_to_death(drop_all(root), "validation")
        first = {record.file_key: record.version for record in lineage(root)}
        dearer = with_dearer_items(contracts)
        (batch,) = run(root, contracts=dearer).batches
        assert {report.key: (report.verdict.value, report.reason) for report in batch.reports} == {
            "raw-data/products/a.csv": ("accepted", None),
            "raw-data/orders/a.csv": ("accepted", None),
            "raw-data/order-items/a.csv": ("rejected", "1 of 3 records break sale_price|greater_than (1)"),
        }
        records = lineage(root)
        given_back = [record for record in records if record.batch_id != batch.batch_id]
        assert [(record.status.value, record.reason) for record in given_back] == [("FAILED", RETURNED_TO_PENDING)] * 3
        again = {record.file_key: record.version for record in records if record.batch_id == batch.batch_id}
        assert again == first
        assert published(root, contracts=dearer) == expected(root)

    def test_behind_the_verdicts_the_old_contract_has_to_finish(self, root: Path, contracts: Path) -> None:
        """The error says to restore it; then the batch is completed."""
        run_to_death(drop_all(root), "engine")
        dearer = with_dearer_items(contracts)
        for _ in range(2):
            with pytest.raises(
                SettingsError, match=r"began under other contracts .* Restore those contracts, run again"
            ):
                run(root, contracts=dearer)
        with opened(root) as shop:
            assert shop.ports.ledger.gate().state is GateState.RUNNING
        (batch,) = run(root).batches
        assert (batch.commit, batch.attempt) == (1, 4)
        assert published(root) == expected(root)
        assert files(root, "raw-data", "failed") == []
