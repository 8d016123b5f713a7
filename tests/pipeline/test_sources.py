"""A source's file yields rows of several datasets: how it is run, refused, replayed and reported."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final, NoReturn

import pytest

from takings.adapters.local.object_store import FolderStore
from takings.contracts.datasets import SourceName
from takings.contracts.model import Dataset
from takings.errors import SettingsError
from takings.intake.batching import Hold, WaitUntil
from takings.queries.batches import details
from takings.queries.verification import explain, verify
from takings.runs import pipeline
from takings.runs.rebuild import read_archive, rebuild
from takings.runs.replay import replay_batch, replay_failed
from tests.depth import DEPTH
from tests.pipeline import test_crashes as crashes
from tests.shop import (
    NOON,
    csv_of,
    drop,
    files,
    item,
    lineage,
    new_store,
    opened,
    order,
    product,
    published,
    run,
)
from tests.till import EXPORT, ITEMS_SQL, ORDERS_SQL, PRODUCTS_SQL, SOURCE, ZONE, contracts_with, till

ENGINES: Final = ("duckdb", "pandas")
MUG: Final = int("0x" + hashlib.md5(b"Mug - Blue", usedforsecurity=False).hexdigest()[:12], 16)
#: day, orders, revenue, items and cancelled value in the export
BY_DAY: Final = [
    ("2026-04-05", "1", "30.00", "2", "0.00"),
    ("2026-04-06", "1", "10.00", "1", "10.00"),
]
#: a price that is not an amount, in the second line of the first order
BAD: Final = EXPORT.replace(b"Tray,10.00", b"Tray,ten")


class Killed(BaseException):
    """The process died."""


class Dead:
    """A port where the process dies."""

    def __getattr__(self, _: str) -> NoReturn:
        raise Killed


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return an empty store."""
    return new_store(tmp_path / "shop")


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    """Return the settings of a store with one source."""
    return {"contracts": str(contracts_with(tmp_path / "contracts", till=till())), "time_zone": ZONE}


def by_day(root: Path, **options: Any) -> list[tuple[str, ...]]:
    """Return day, orders, revenue, items and cancelled value of each day."""
    rows = csv.DictReader(published(root, **options)[0].splitlines())
    names = ("order_date", "total_orders", "total_revenue", "total_items_sold", "cancelled_value")
    return [tuple(row[name] for name in names) for row in rows]


def categories(root: Path, **options: Any) -> dict[str, str]:
    """Return the revenue of each category on the first day."""
    rows = csv.DictReader(published(root, **options)[1].splitlines())
    return {row["category"]: row["daily_revenue"] for row in rows if row["order_date"] == "2026-04-05"}


class TestItsRun:
    @pytest.mark.parametrize("engine", ENGINES)
    @pytest.mark.parametrize("is_packed", [False, True], ids=["plain", "gz"])
    def test_one_file_yields_orders_items_and_products(
        self, root: Path, settings: dict[str, Any], engine: str, is_packed: bool
    ) -> None:
        """An order's day follows its own offset; each line is an item, and accounting is kept per dataset."""
        name = "till/may/export.csv.gz" if is_packed else "till/may/export.csv"
        drop(root, name, gzip.compress(EXPORT, mtime=0) if is_packed else EXPORT)
        (outcome,) = run(root, validation_engine=engine, **settings).batches
        (report,) = outcome.reports
        assert (report.dataset, report.file) == (SourceName("till"), name.removeprefix("till/"))
        assert (report.verdict, report.records.read, report.records.accepted) == ("accepted", 3, 3)
        assert {dataset: (rows.records.read, rows.records.accepted) for dataset, rows in report.made.items()} == {
            Dataset.PRODUCTS: (2, 2),
            Dataset.ORDERS: (2, 2),
            Dataset.ORDER_ITEMS: (3, 3),
        }
        assert outcome.changes is not None
        assert outcome.changes.in_all.counts == {"new": 7, "changed": 0, "unchanged": 0, "older": 0}
        assert by_day(root, **settings) == BY_DAY
        assert files(root, "processed", "failed", "raw-data") == [f"processed/{name}"]
        with opened(root, **settings) as shop:
            assert verify(shop.ports).differences == ()

    def test_what_is_behind_a_number_is_the_line_of_the_export(self, root: Path, settings: dict[str, Any]) -> None:
        """Explain names the dropped file and the physical line, whatever the SQL did with it."""
        drop(root, "till/a.csv", EXPORT)
        run(root, **settings)
        with opened(root, **settings) as shop:
            rows = explain(shop.ports, date(2026, 4, 5)).rows
        assert [(row.item_id, str(row.sale_price).rstrip("0"), row.key, row.line) for row in rows] == [
            (10010001, "20.", "raw-data/till/a.csv", 2),
            (10010002, "10.", "raw-data/till/a.csv", 3),
        ]

    def test_both_engines_write_the_same_reports(self, root: Path, tmp_path: Path, settings: dict[str, Any]) -> None:
        """The SQL runs in DuckDB, whichever engine validates its rows."""
        told = []
        for engine in ENGINES:
            store = new_store(tmp_path / engine)
            drop(store, "till/a.csv", BAD, written_at=NOON)
            drop(store, "till/b.csv", EXPORT, written_at=NOON)
            run(store, validation_engine=engine, **settings)
            reports = {
                path.relative_to(store).parts[2:]: path.read_text()
                for path in store.rglob("validation-reports/**/*.json")
            }
            told.append(reports)
        assert told[0] == told[1]
        assert sorted("/".join(parts) for parts in told[0] if parts[1] == "b.csv") == [
            "till/b.csv/order_items/chunk-00000.json",
            "till/b.csv/orders/chunk-00000.json",
            "till/b.csv/products/chunk-00000.json",
            "till/b.csv/summary.json",
        ]

    def test_a_source_counts_as_presence_of_every_dataset_it_yields(self, root: Path, tmp_path: Path) -> None:
        """A batch waits only for a dataset that no source and no file brings, and for nothing once all have landed."""
        without = SOURCE.replace("  products: products.sql\nstandIns: [products]\n", "")
        contracts = contracts_with(tmp_path / "c", till=till(source=without, products=None))
        options: dict[str, Any] = {"contracts": str(contracts), "time_zone": ZONE}
        drop(root, "till/a.csv", EXPORT)
        assert run(root, at_once=False, **options).decision == Hold(missing=(Dataset.PRODUCTS,))
        with opened(root, **options) as shop:
            assert shop.ports.ledger.gate().pending == {SourceName("till"): 1}
        drop(root, "products/a.csv", csv_of(product(MUG)))
        assert isinstance(run(root, at_once=False, **options).decision, WaitUntil)
        run(root, **options)
        drop(root, "till/b.csv", EXPORT.replace(b"#100", b"#200"))
        assert isinstance(run(root, at_once=False, **options).decision, WaitUntil)

    def test_two_sources_and_plain_files_share_a_batch(self, root: Path, tmp_path: Path) -> None:
        """Equal bytes in two sources are two files; within one source, the second is a copy."""
        other = {
            "source.yaml": SOURCE.replace("rawData: till", "rawData: Other till"),
            "orders.sql": ORDERS_SQL.replace('substr("Name", 2) as', "'9' || substr(\"Name\", 2) as"),
            "order_items.sql": ITEMS_SQL.replace('substr("Name", 2) ||', "'9' || substr(\"Name\", 2) ||").replace(
                'substr("Name", 2) as', "'9' || substr(\"Name\", 2) as"
            ),
            "products.sql": PRODUCTS_SQL,
        }
        options: dict[str, Any] = {
            "contracts": str(contracts_with(tmp_path / "c", till=till(), other=other)),
            "time_zone": ZONE,
        }
        drop(root, "till/a.csv", EXPORT)
        drop(root, "till/copy.csv", EXPORT)
        drop(root, "Other till/a.csv", EXPORT)
        drop(root, "orders/a.csv", csv_of(order(1, "2026-04-05T10:00:00")))
        drop(root, "products/a.csv", csv_of(product(1)))
        drop(root, "order-items/a.csv", csv_of(item(1, 1)))
        (outcome,) = run(root, **options).batches
        assert {report.key: report.verdict.value for report in outcome.reports} == {
            "raw-data/till/a.csv": "accepted",
            "raw-data/till/copy.csv": "duplicate",
            "raw-data/Other till/a.csv": "accepted",
            "raw-data/orders/a.csv": "accepted",
            "raw-data/products/a.csv": "accepted",
            "raw-data/order-items/a.csv": "accepted",
        }
        assert by_day(root, **options) == [
            ("2026-04-05", "3", "70.00", "5", "0.00"),
            ("2026-04-06", "2", "20.00", "2", "20.00"),
        ]
        drop(root, "Other till/again.csv", EXPORT)
        (later,) = run(root, **options).batches
        assert [report.duplicate_of for report in later.reports] == ["raw-data/Other till/a.csv"]

    @pytest.mark.parametrize("engine", ENGINES)
    def test_its_files_are_written_as_it_says(self, root: Path, tmp_path: Path, engine: str) -> None:
        """Delimiter, encoding, lines above the header, a loose header and null words; lines stay physical."""
        source = SOURCE + (
            'takingsFile: {delimiter: ";", encoding: windows-1252, skipLines: 2, header: loose, nullWords: ["NULL"]}\n'
        )
        contracts = contracts_with(tmp_path / "c", till=till(source=source))
        options: dict[str, Any] = {"contracts": str(contracts), "time_zone": ZONE, "validation_engine": engine}
        text = EXPORT.decode().replace("#1001,,,", "#1001,NULL,,").replace("Mug", "Caf\u00e9").replace(",", ";")
        text = text.replace("Name;Financial Status", "name ;FINANCIAL STATUS")
        drop(root, "till/a.csv", f"Report\nof May\n{text}".encode("windows-1252"))
        (report,) = run(root, **options).batches[0].reports
        assert (report.verdict, report.reason) == ("accepted", None)
        assert by_day(root, **options) == BY_DAY
        with opened(root, **options) as shop:
            behind = explain(shop.ports, date(2026, 4, 5)).rows
        assert [row.line for row in behind] == [4, 5]

    @pytest.mark.parametrize("engine", ENGINES)
    def test_its_numbers_are_read_as_its_files_write_them(self, root: Path, tmp_path: Path, engine: str) -> None:
        """Those that the SQL passes on as text, and those it computes; files of the contract itself stay as they are."""
        source = SOURCE + "takingsFile: {decimal: ',', thousands: '.'}\n"
        passed = ITEMS_SQL[: ITEMS_SQL.index("    coalesce(")] + '    "Lineitem price" as sale_price\nfrom numbered\n'
        computed = PRODUCTS_SQL.replace("'0.01' as cost", "cast(0.01 as decimal(18, 2)) as cost").replace(
            "'0.01' as retail_price", "'1.000,01' as retail_price"
        )
        contracts = contracts_with(tmp_path / "c", till=till(source=source, order_items=passed, products=computed))
        options: dict[str, Any] = {"contracts": str(contracts), "time_zone": ZONE, "validation_engine": engine}
        drop(root, "till/a.csv", EXPORT.replace(b"10.00", b'"1.010,00"'))
        drop(root, "till/bad.csv", EXPORT.replace(b"10.00", b"10.5"))
        drop(root, "order-items/a.csv", csv_of(item(1, 1001, MUG, "2.00")))
        reports = {report.key: report for report in run(root, **options).batches[0].reports}
        assert {key: report.verdict.value for key, report in reports.items()} == {
            "raw-data/till/a.csv": "accepted",
            "raw-data/till/bad.csv": "rejected",
            "raw-data/order-items/a.csv": "accepted",
        }
        assert reports["raw-data/till/bad.csv"].errors == {"order_items.sale_price|type": 3}
        (reasons,) = root.glob("failed/**/*.reason.json")
        told = {found["reason"] for found in json.loads(reasons.read_text())["violations"]}
        assert told == {"must be a number like 1.234,50, with at most 12 digits before the , and 16 after it"}
        assert [row[2] for row in by_day(root, **options)] == ["2022.00", "1010.00"]

    def test_many_small_files_of_a_source_are_read_one_by_one(self, root: Path, settings: dict[str, Any]) -> None:
        """Only files of one dataset are read together."""
        for number in range(20):
            drop(root, f"till/{number}.csv", EXPORT.replace(b"#100", f"#{number + 1}00".encode()))
        (outcome,) = run(root, **settings).batches
        assert {report.verdict.value for report in outcome.reports} == {"accepted"}
        assert by_day(root, **settings) == [
            ("2026-04-05", "20", "600.00", "40", "0.00"),
            ("2026-04-06", "20", "200.00", "20", "200.00"),
        ]


class TestItsRefusal:
    @pytest.mark.parametrize("engine", ENGINES)
    @pytest.mark.parametrize("policy", ["file", "row"])
    def test_one_bad_row_refuses_the_file_and_no_other(
        self, root: Path, settings: dict[str, Any], engine: str, policy: str
    ) -> None:
        """Whatever the policy: half an order is not an order. The reason names line, dataset and column."""
        drop(root, "till/bad.csv", BAD)
        drop(root, "till/good.csv", EXPORT)
        (outcome,) = run(root, validation_engine=engine, policy=policy, max_rejected="50%", **settings).batches
        bad, good = sorted(outcome.reports, key=lambda report: report.key)
        assert (bad.verdict, good.verdict) == ("rejected", "accepted")
        assert (bad.records.read, bad.records.rejected) == (3, 3)
        assert bad.reason == "1 of 3 rows of order_items break sale_price|type (1)"
        assert bad.errors == {"order_items.sale_price|type": 1}
        assert {name: (rows.records.rejected, dict(rows.errors)) for name, rows in bad.made.items()} == {
            Dataset.PRODUCTS: (2, {}),
            Dataset.ORDERS: (2, {}),
            Dataset.ORDER_ITEMS: (3, {"sale_price|type": 1}),
        }
        assert files(root, "failed", "quarantine") == ["failed/till/bad.csv", "failed/till/bad.csv.reason.json"]
        (reasons,) = root.glob("failed/**/*.reason.json")
        (violation,) = json.loads(reasons.read_text())["violations"]
        assert (violation["rule"], violation["line"], violation["column"], violation["shape"]) == (
            "order_items.sale_price|type",
            3,
            "order_items.sale_price",
            "aaa",
        )
        with opened(root, **settings) as shop:
            shown = details(shop.ports, outcome.batch_id).to_json()["violations"]
        assert [(each["dataset"], each["file"], each["rule"], each["line"]) for each in shown] == [
            ("till", "bad.csv", "order_items.sale_price|type", 3)
        ]
        assert by_day(root, **settings) == BY_DAY

    @pytest.mark.parametrize(
        ("content", "rule"),
        [
            (EXPORT.replace(b"Name,Fin", b"Nam\xc3\xa9,Fin"), "Name|missing"),
            (EXPORT.replace(b",", b";"), "Name|missing"),
            (EXPORT + b'#1003,"paid', "file|unterminated_quote"),
            (EXPORT + b"#1003,paid\n", "record|field_count"),
            (b"", "file|empty"),
        ],
        ids=["a column less", "other delimiter", "open quote", "short record", "empty"],
    )
    def test_a_faulty_structure_stands_in_the_files_own_report(
        self, root: Path, settings: dict[str, Any], content: bytes, rule: str
    ) -> None:
        """Such a file yields nothing."""
        drop(root, "till/a.csv", content)
        (outcome,) = run(root, **settings).batches
        (report,) = outcome.reports
        assert (report.verdict, list(report.errors), report.made) == ("rejected", [rule], {})
        assert files(root, "failed") == ["failed/till/a.csv", "failed/till/a.csv.reason.json"]

    def test_a_file_without_records_is_taken_with_a_warning(self, root: Path, settings: dict[str, Any]) -> None:
        """It yields no rows at all."""
        drop(root, "till/a.csv", EXPORT.splitlines(keepends=True)[0])
        (report,) = run(root, **settings).batches[0].reports
        assert (report.verdict, dict(report.warnings)) == ("accepted", {"file|no_records": 1})

    def test_sql_that_fails_on_a_record_refuses_the_file(self, root: Path, tmp_path: Path) -> None:
        """The reason says what failed, without the value."""
        sql = ORDERS_SQL.replace("'1' as user_id", 'cast("Lineitem price" as integer) as user_id')
        options: dict[str, Any] = {
            "contracts": str(contracts_with(tmp_path / "c", till=till(orders=sql))),
            "time_zone": ZONE,
        }
        drop(root, "till/a.csv", EXPORT.replace(b"Blue,10.00", b"Blue,secret"))
        drop(root, "till/b.csv", EXPORT)
        reports = {report.file: report for report in run(root, **options).batches[0].reports}
        assert {name: report.verdict.value for name, report in reports.items()} == {
            "a.csv": "rejected",
            "b.csv": "accepted",
        }
        assert list(reports["a.csv"].errors) == ["orders.sql|sql"]
        assert "orders.sql fails on the file's records: Conversion Error" in str(reports["a.csv"].reason)
        assert "secret" not in str(reports["a.csv"].reason)

    def test_a_row_that_stands_on_no_record_refuses_the_file(self, root: Path, tmp_path: Path) -> None:
        """An invented line would send people to the wrong place."""
        sql = ORDERS_SQL.replace("    _line,\n", "    _line + 1 as _line,\n", 1)
        options: dict[str, Any] = {
            "contracts": str(contracts_with(tmp_path / "c", till=till(orders=sql))),
            "time_zone": ZONE,
        }
        drop(root, "till/a.csv", EXPORT)
        (report,) = run(root, **options).batches[0].reports
        assert report.reason == "orders.sql makes 2 rows whose _record and _line belong to no record of the file"

    def test_a_strict_batch_fails_with_its_source(self, root: Path, settings: dict[str, Any]) -> None:
        """Each of its files is refused, and so is every row it yielded."""
        drop(root, "till/bad.csv", BAD)
        drop(root, "till/good.csv", EXPORT)
        (outcome,) = run(root, policy="strict", **settings).batches
        assert [report.verdict.value for report in outcome.reports] == ["rejected", "rejected"]
        for report in outcome.reports:
            assert [rows.records.accepted for rows in report.made.values()] == [0, 0, 0]

    def test_the_days_of_a_refused_file_are_known(self, root: Path, settings: dict[str, Any]) -> None:
        """Its sound rows show which days are incomplete."""
        drop(root, "till/bad.csv", BAD)
        run(root, **settings)
        (refused,) = root.glob("batches/*/refused.json")
        assert json.loads(refused.read_text())["files"] == [
            {"key": "raw-data/till/bad.csv", "days": ["2026-04-05", "2026-04-06"]}
        ]


class TestStandIns:
    @pytest.mark.parametrize("is_real_first", [True, False])
    @pytest.mark.parametrize("in_one_batch", [True, False])
    def test_any_real_row_outranks_them(
        self, root: Path, settings: dict[str, Any], is_real_first: bool, in_one_batch: bool
    ) -> None:
        """Whichever comes first, and however old the real row is."""
        drops = [
            ("products/a.csv", csv_of(product(MUG, "Kitchen")), NOON - timedelta(days=9000)),
            ("till/a.csv", EXPORT, NOON),
        ]
        for file, content, written_at in drops if is_real_first else drops[::-1]:
            drop(root, file, content, written_at=written_at)
            if not in_one_batch:
                run(root, **settings)
        if in_one_batch:
            run(root, **settings)
        assert categories(root, **settings) == {"Kitchen": "20.00", "Unknown": "10.00"}

    def test_a_newer_one_replaces_an_older_one(self, root: Path, settings: dict[str, Any], tmp_path: Path) -> None:
        """Among stand-ins, they are rows like any other."""
        drop(root, "till/a.csv", EXPORT, written_at=NOON)
        run(root, **settings)
        named = PRODUCTS_SQL.replace("'Unknown' as category", '"Lineitem name" as category')
        contracts = contracts_with(tmp_path / "c", till=till(products=named))
        drop(root, "till/b.csv", EXPORT.replace(b"#100", b"#300"), written_at=NOON + timedelta(hours=1))
        run(root, **{**settings, "contracts": str(contracts)})
        assert categories(root, **settings) == {"Mug - Blue": "40.00", "Tray": "20.00"}

    def test_a_waiting_item_of_stand_ins_waits_since_its_arrival(self, root: Path, tmp_path: Path) -> None:
        """Its version is older than its file."""
        text = SOURCE.replace("  products: products.sql\n", "").replace("[products]", "[order_items]")
        contracts = contracts_with(tmp_path / "c", till=till(source=text, products=None))
        options: dict[str, Any] = {"contracts": str(contracts), "time_zone": ZONE}
        drop(root, "till/a.csv", EXPORT, written_at=NOON)
        run(root, **options)
        with opened(root, **options) as shop:
            snapshot = shop.ports.tables.snapshot()
            assert shop.ports.engine.orphans_since(snapshot) == NOON
            assert {row["since"] for row in shop.ports.engine.orphans(snapshot, 5)} == {NOON}


class TestAgain:
    def test_replayed_twice_it_changes_nothing(self, root: Path, settings: dict[str, Any]) -> None:
        """The versions are those of the first sight."""
        drop(root, "till/a.csv", EXPORT)
        (batch,) = run(root, **settings).batches
        before = published(root, **settings)
        for _ in range(2):
            with opened(root, **settings) as shop:
                (again,) = replay_batch(shop.ports, batch.batch_id)
                assert [report.verdict.value for report in again.reports] == ["accepted"]
                assert again.changes is not None
                assert again.changes.in_all.unchanged == 7
                assert verify(shop.ports).differences == ()
            assert published(root, **settings) == before

    def test_a_refused_file_is_replayed_by_mended_sql(
        self, root: Path, settings: dict[str, Any], tmp_path: Path
    ) -> None:
        """Nobody has to drop it again."""
        broken = ORDERS_SQL.replace("when 'voided' then 'cancelled' ", "")
        contracts = contracts_with(tmp_path / "c", till=till(orders=broken))
        drop(root, "till/a.csv", EXPORT)
        run(root, **{**settings, "contracts": str(contracts)})
        assert by_day(root, **settings) == []
        with opened(root, **settings) as shop:
            replay_failed(shop.ports)
        assert by_day(root, **settings) == BY_DAY

    def test_rebuilt_from_the_archive_the_numbers_are_the_same(
        self, root: Path, settings: dict[str, Any], tmp_path: Path
    ) -> None:
        """Lake, KPIs and verdicts come from manifests and originals."""
        drop(root, "till/deep/a.csv", EXPORT, written_at=NOON)
        drop(root, "till/bad.csv", BAD, written_at=NOON)
        drop(root, "products/a.csv", csv_of(product(MUG, "Kitchen")), written_at=NOON - timedelta(days=1))
        run(root, **settings)
        drop(root, "till/deep/a.csv", EXPORT.replace(b"Tray,10.00", b"Tray,7.00"), written_at=NOON + timedelta(days=1))
        run(root, **settings)
        new = new_store(tmp_path / "new")
        source = FolderStore(root)
        with opened(new, **settings) as shop:
            rebuilt = rebuild(source, read_archive(source), shop.ports)
        assert (rebuilt.batches, rebuilt.files, rebuilt.changes) == (2, 4, ())
        assert published(new, **settings) == published(root, **settings)

    def test_a_batch_begun_under_other_sql_is_given_back(
        self, root: Path, settings: dict[str, Any], tmp_path: Path
    ) -> None:
        """The manifest holds the hash of the sources; the next batch validates the file with the present SQL."""
        drop(root, "till/a.csv", EXPORT)
        with opened(root, **settings) as shop, pytest.raises(Killed):
            pipeline.run(replace(shop.ports, sources=Dead()), at_once=True)
        (manifest,) = root.glob("batches/*/manifest.json")
        with opened(root, **settings) as shop:
            assert json.loads(manifest.read_text())["sources"] == shop.ports.contracts.sources.hash
        named = PRODUCTS_SQL.replace("'Unknown' as category", '"Lineitem name" as category')
        other = {**settings, "contracts": str(contracts_with(tmp_path / "c", till=till(products=named)))}
        (batch,) = run(root, **other).batches
        assert len(list(root.glob("batches/*/manifest.json"))) == 2
        assert (batch.attempt, categories(root, **other)) == (1, {"Mug - Blue": "20.00", "Tray": "10.00"})

    def test_behind_the_verdicts_the_old_sql_has_to_finish(
        self, root: Path, settings: dict[str, Any], tmp_path: Path
    ) -> None:
        """The old contracts have to as well."""
        drop(root, "till/a.csv", EXPORT)
        with opened(root, **settings) as shop, pytest.raises(Killed):
            pipeline.run(replace(shop.ports, engine=Dead()), at_once=True)
        other = {**settings, "contracts": str(contracts_with(tmp_path / "c"))}
        with pytest.raises(SettingsError, match="began under other contracts"):
            run(root, **other)
        run(root, **settings)
        assert by_day(root, **settings) == BY_DAY

    def test_staged_rows_that_are_gone_are_made_again(self, root: Path, settings: dict[str, Any]) -> None:
        """If one dataset's are missing, all are made again."""
        drop(root, "till/a.csv", EXPORT)
        with opened(root, **settings) as shop, pytest.raises(Killed):
            pipeline.run(replace(shop.ports, engine=Dead()), at_once=True)
        staged = list(root.glob("staging/*/orders/*.parquet")) or list(root.glob(".takings/**/orders/*.parquet"))
        assert len(staged) == 1
        staged[0].unlink()
        run(root, **settings)
        assert by_day(root, **settings) == BY_DAY


@pytest.mark.no_cover
@pytest.mark.parametrize("part", range(min(8, 2 * DEPTH)))
def test_whatever_dies_when_the_file_counts_once(
    root: Path, settings: dict[str, Any], tmp_path: Path, part: int
) -> None:
    """Another run completes its batch, even from the file's staged rows."""
    drop(root, "till/a.csv", EXPORT)
    drop(root, "till/bad.csv", BAD)
    at, is_over = part, False
    while not is_over:
        died = shutil.copytree(root, tmp_path / f"after {at}")
        death = crashes.Death(at=at)
        try:
            with opened(died, **settings) as shop:
                pipeline.run(crashes.mortal(shop.ports, death), at_once=True)
            is_over = True
        except crashes.Killed:
            run(died, later=timedelta(minutes=2), **settings)
        assert by_day(died, **settings) == BY_DAY, death.steps
        assert sorted(files(died, "processed", "failed")) == [
            "failed/till/bad.csv",
            "failed/till/bad.csv.reason.json",
            "processed/till/a.csv",
        ]
        at += 8


def test_a_folder_of_no_source_is_left_alone(root: Path, settings: dict[str, Any]) -> None:
    """The reason names the folders that count."""
    drop(root, "tills/a.csv", EXPORT)
    outcome = run(root, **settings)
    ((key, ignored),) = outcome.sighting.ignored
    assert (key, ignored.reason) == (
        "raw-data/tills/a.csv",
        "it is in none of raw-data/till, raw-data/products, raw-data/orders and raw-data/order-items",
    )


def test_without_sources_a_manifest_says_nothing_of_them(root: Path) -> None:
    """It is the same as in every store without sources, byte for byte."""
    drop(root, "orders/a.csv", csv_of(order(1)))
    run(root)
    (manifest,) = root.glob("batches/*/manifest.json")
    assert "sources" not in json.loads(manifest.read_text())
    assert {record.dataset for record in lineage(root)} == {Dataset.ORDERS}
