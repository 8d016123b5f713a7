"""The command line: what it prints, where, and how it ends."""

from __future__ import annotations

import json
import shlex
from contextlib import closing
from datetime import date
from decimal import Decimal
from importlib import resources
from pathlib import Path

import duckdb
import pytest

from takings import __version__
from takings.intake.gate import Gate, GateState
from takings.layout import BatchId, parse_instant
from tests.cli.terminal import Ended, Takings, unwrapped
from tests.shop import (
    ITEMS,
    ORDERS,
    csv_of,
    drop,
    drop_all,
    expected,
    files,
    item,
    lineage,
    new_store,
    opened,
    order,
    run,
)

BY_DAY = (
    "order_date,total_orders,total_revenue,total_items_sold,return_rate,unique_customers,avg_order_value,"
    "returned_value,cancelled_value,net_revenue\n"
)
SUNDAY = "2025-03-30,2,30.25,2,50.00,2,15.13,20.25,0.00,10.00\n"
MONDAY = "2025-03-31,1,4.25,1,0.00,1,4.25,0.00,4.25,0.00\n"


def everything(folder: Path) -> dict[Path, bytes | None]:
    """Return a folder's files with their bytes, and its folders."""
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


class TestExitCodes:
    def test_0_when_everything_was_taken(self, takings: Takings, root: Path) -> None:
        """The outcome is on stdout; stderr is empty."""
        ended = takings("run", drop_all(root), "--now")
        assert (ended.code, ended.err) == (0, "")
        assert "3 accepted" in ended.out
        assert "commit 1: 2 days and 3 category days published" in ended.out
        assert "nothing more is pending" in ended.out

    def test_0_when_there_is_nothing_to_do(self, takings: Takings, root: Path) -> None:
        """An empty store is not an error."""
        ended = takings("run", root)
        assert (ended.code, ended.out, ended.err) == (0, "nothing to do: no file is pending\n", "")

    def test_0_when_it_holds_or_waits(self, takings: Takings, root: Path) -> None:
        """The output says which, and what to do about it."""
        drop(root, "orders/a.csv", csv_of(order(1)))
        held = takings("run", root)
        assert (held.code, unwrapped(held.out)) == (
            0,
            "waiting: 1 file pending, but no file of products or order_items has ever come; `takings run --now` does not wait",
        )
        drop_all(root)
        waiting = takings("run", root)
        assert waiting.code == 0
        assert unwrapped(waiting.out).startswith("waiting: 3 files pending; a batch starts at ")

    def test_0_with_waiting_orphans(self, takings: Takings, root: Path) -> None:
        """They are reported, but are not a failure."""
        drop(root, "order-items/a.csv", ITEMS)
        ended = takings("run", root, "--now")
        assert ended.code == 0
        assert "3 items in the lake wait for an order or a product (orphans)" in ended.out

    def test_1_when_a_file_was_rejected(self, takings: Takings, root: Path) -> None:
        """The others were accepted; the reason is on stdout."""
        drop_all(root)
        drop(root, "order-items/bad.csv", csv_of(item(4, 1, sale_price="0")))
        ended = takings("run", root, "--now")
        assert (ended.code, ended.err) == (1, "")
        assert "rejected raw-data/order-items/bad.csv: 1 of 1 records break sale_price|greater_than (1)" in ended.out
        (hint,) = [line for line in ended.out.splitlines() if line.startswith("  every bad line: `takings ")]
        shown = takings(*shlex.split(hint.removeprefix("  every bad line: `takings ").rstrip("`")))
        assert (shown.code, "greater_than" in shown.out) == (0, True)
        assert "commit 1" in ended.out

    @pytest.mark.parametrize("command", ["run", "status", "kpis", "unblock"])
    def test_2_for_an_unknown_store(self, takings: Takings, tmp_path: Path, command: str) -> None:
        """A missing folder, and a folder that is not a store; neither becomes one."""
        nowhere, empty = tmp_path / "nowhere", tmp_path / "empty"
        empty.mkdir()
        ended = takings(command, nowhere)
        assert (ended.code, ended.out) == (2, "")
        assert unwrapped(ended.err).startswith(f"takings: {nowhere} is not a folder. Create it and drop files under ")
        ended = takings(command, empty)
        assert (ended.code, ended.out) == (2, "")
        assert unwrapped(ended.err).startswith(f"takings: {empty} is not a store: it has no raw-data folder. ")
        assert list(empty.iterdir()) == []

    def test_2_for_a_folder_that_the_lake_would_miss(self, takings: Takings, tmp_path: Path) -> None:
        """delta-rs decodes paths, and would write the tables next to the store, or nowhere; nothing is begun."""
        root = new_store(tmp_path / "a%20shop")
        ended = takings("run", drop_all(root), "--now")
        assert (ended.code, ended.out) == (2, "")
        assert "a percent sign followed by two digits of 0-9, a-f" in unwrapped(ended.err)
        assert [path.name for path in root.iterdir()] == ["raw-data"]

    def test_2_for_an_unknown_setting(self, takings: Takings, root: Path) -> None:
        """With file, setting and suggestion."""
        (root / "takings.toml").write_text("batch_fils = 3\n")
        ended = takings("run", root)
        assert (ended.code, ended.out) == (2, "")
        assert unwrapped(ended.err) == (
            f"takings: {root / 'takings.toml'}: there is no setting 'batch_fils'. Did you mean 'batch_files'?"
        )

    def test_2_for_another_time_zone(self, takings: Takings, done: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The store is already partitioned by days."""
        monkeypatch.setenv("TAKINGS_TIME_ZONE", "Europe/Berlin")
        ended = takings("run", done)
        told = "takings: time_zone = 'Europe/Berlin': the store's days are those of 'UTC'. Set time_zone = 'UTC' again;"
        assert (ended.code, unwrapped(ended.err).startswith(told)) == (2, True)

    @pytest.mark.parametrize(
        ("arguments", "complaint"),
        [
            (["demo", "file"], "file is a file. Name a folder: takings demo DIR."),
            (["kpis", "shop", "--format", "csv", "--output", "no/a"], "--output no/a: there is no folder no."),
            (["kpis", "shop", "--format", "parquet", "--output", "no/a"], "--output no/a: there is no folder no."),
            (
                ["run", "shop", "--contracts", "no"],
                "no: there is no such folder. Name one with an .odcs.yaml file for each dataset.",
            ),
            (
                ["run", "--contracts", "file", "shop"],
                "file: there is no such folder. Name one with an .odcs.yaml file for each dataset.",
            ),
        ],
    )
    def test_2_for_a_place_that_is_none(
        self, takings: Takings, tmp_path: Path, arguments: list[str], complaint: str
    ) -> None:
        """The error names it and says what belongs there; nothing is created."""
        work = tmp_path / "work"
        new_store(work / "shop")
        (work / "file").touch()
        ended = takings(*arguments)
        assert (ended.code, ended.out, unwrapped(ended.err)) == (2, "", f"takings: {complaint}")
        assert sorted(path.name for path in work.iterdir()) == ["file", "shop"]

    def test_2_for_a_size_below_nothing(self, takings: Takings, root: Path) -> None:
        """A batch of at most -1 bytes would never start."""
        (root / "takings.toml").write_text("batch_max_bytes = -1\n")
        ended = takings("run", root)
        assert (ended.code, ended.out, unwrapped(ended.err)) == (
            2,
            "",
            f"takings: {root / 'takings.toml'}: batch_max_bytes = -1: Value error, write a size such as '500MB' or '2GiB'.",
        )

    @pytest.mark.parametrize(
        "arguments", [["rum"], ["run"], ["run", "shop", "--quick"], ["kpis", "shop", "--from", "1.3."]]
    )
    def test_2_for_wrong_usage(self, takings: Takings, arguments: list[str]) -> None:
        """The error is on stderr."""
        ended = takings(*arguments)
        assert (ended.code, ended.out) == (2, "")
        assert "Usage: takings" in ended.err

    def test_3_for_a_damaged_database(self, takings: Takings, done: Path) -> None:
        """The error names it and says what to do; nothing is changed."""
        database = done / ".takings" / "takings.db"
        database.write_bytes(b"no database" * 1000)
        ended = takings("run", done)
        assert (ended.code, ended.out) == (3, "")
        assert unwrapped(ended.err).startswith(f"takings: {database} is not a sound SQLite database ")
        assert database.read_bytes() == b"no database" * 1000

    def test_3_for_a_damaged_format(self, takings: Takings, done: Path) -> None:
        """The lake's format is not guessed."""
        (done / "lake" / "format.json").write_text("{")
        ended = takings("status", done)
        assert (ended.code, ended.out) == (3, "")
        assert "takings: lake/format.json is damaged: no format of a store (not JSON" in unwrapped(ended.err)

    def test_2_for_a_store_of_another_format(self, takings: Takings, done: Path) -> None:
        """A newer version of Takings wrote it."""
        (done / "lake" / "format.json").write_text('{"format": 99, "time_zone": "UTC"}')
        ended = takings("status", done)
        assert ended.code == 2
        assert "the store has format 99; this version of Takings reads format 1" in unwrapped(ended.err)

    def test_3_for_an_unexpected_fault(self, takings: Takings, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """One sentence, never a traceback."""

        def broken(*_: object, **__: object) -> None:
            raise RuntimeError("[boom]")

        monkeypatch.setattr("takings.runs.pipeline.run", broken)
        ended = takings("run", root)
        assert (ended.code, ended.out) == (3, "")
        assert unwrapped(ended.err).startswith(
            "takings: unexpected fault: RuntimeError: [boom]. It is safe to run again;"
        )

    def test_130_when_interrupted(self, takings: Takings, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The batch can be run again."""

        def interrupted(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("takings.runs.pipeline.run", interrupted)
        assert takings("run", root).code == 130


class TestRun:
    def test_json_is_all_there_is_on_stdout(self, takings: Takings, root: Path) -> None:
        """One document, whatever was logged on the way."""
        drop_all(root)
        drop(root, "orders/a.csv.part", b"")
        ended = takings("--verbose", "run", root, "--now", "--json")
        document = json.loads(ended.out)
        assert (document["schema_version"], document["decision"], document["pending"], document["missing"]) == (
            1,
            "NothingPending",
            0,
            [],
        )
        assert [(batch["commit"], len(batch["files"]), batch["orphans"]) for batch in document["batches"]] == [
            (1, 3, 0)
        ]
        assert document["ignored"] == [
            {"key": "raw-data/orders/a.csv.part", "reason": "its name ends in neither .csv nor .csv.gz"}
        ]

    def test_json_says_what_is_missing(self, takings: Takings, root: Path) -> None:
        """Or until when it waits."""
        drop(root, "orders/a.csv", csv_of(order(1)))
        document = json.loads(takings("run", root, "--json").out)
        assert (document["decision"], document["missing"], document["deadline"]) == (
            "Hold",
            ["products", "order_items"],
            None,
        )
        drop_all(root)
        document = json.loads(takings("run", root, "--json").out)
        assert (document["decision"], document["missing"], document["pending"]) == ("WaitUntil", [], 3)
        assert document["deadline"].endswith("Z")


class TestStatus:
    def test_of_a_store_that_waits(self, takings: Takings, root: Path) -> None:
        """What is pending, and what is missing."""
        drop(root, "orders/a.csv", csv_of(order(1)))
        document = json.loads(takings("status", root, "--json").out)
        assert document == {
            "schema_version": 1,
            "state": "IDLE",
            "pending": {"products": 0, "orders": 1, "order_items": 0},
            "decision": "Hold",
            "deadline": None,
            "missing": ["products", "order_items"],
            "batch_id": None,
            "attempt": 0,
            "owner": None,
            "lease_expires_at": None,
            "reading": None,
            "suspects": [],
            "unreadable": [],
            "is_abandoned": False,
            "reason": None,
            "commit": None,
            "orphans": 0,
            "oldest_orphan_at": None,
            "incomplete": {"days": [], "notes": []},
            "failures": [],
            "dead_letters": [],
        }
        shown = takings("status", root)
        assert (shown.code, shown.err) == (0, "")
        assert shown.out.splitlines()[0] == (
            f"{root}: waiting for the first file of products and order_items; `takings run {root} --now` does not wait"
        )
        assert files(root, "raw-data") == ["raw-data/orders/a.csv"]

    def test_of_a_store_with_failures_and_orphans(self, takings: Takings, done: Path) -> None:
        """Where the failed originals are, and why."""
        drop(done, "order-items/bad.csv", csv_of(item(4, 1, sale_price="0")))
        drop(done, "order-items/orphan.csv", csv_of(item(5, 404)))
        run(done)
        document = json.loads(takings("status", done, "--json").out)
        assert (document["state"], document["commit"], document["orphans"]) == ("IDLE", 2, 1)
        (failure,) = document["failures"]
        assert (failure["key"], failure["reason"]) == (
            "raw-data/order-items/bad.csv",
            "1 of 1 records break sale_price|greater_than (1)",
        )
        assert (done / failure["archived_at"]).is_file()
        assert document["dead_letters"] == [failure]
        waits_since = next(record.version for record in lineage(done) if record.file_key.endswith("orphan.csv"))
        assert parse_instant(document["oldest_orphan_at"]) == waits_since
        shown = unwrapped(takings("status", done).out)
        assert "failed raw-data/order-items/bad.csv" in shown
        assert (
            f"1 file in failed/ without a newer one: fix and drop again, or `takings replay {done} --failed`" in shown
        )
        drop(done, "order-items/bad.csv", csv_of(item(4, 1)))
        run(done)
        document = json.loads(takings("status", done, "--json").out)
        assert (len(document["failures"]), document["dead_letters"]) == (1, [])


class TestKpis:
    def test_csv_is_byte_for_byte_the_definition(self, takings: Takings, done: Path) -> None:
        """By day and by category, as the oracle computes them."""
        by_day = takings("kpis", done, "--format", "csv")
        by_category = takings("kpis", done, "--by", "category", "--format", "csv")
        assert (by_day.out, by_category.out) == expected(done)
        assert (by_day.code, by_day.err, by_day.out) == (0, "", BY_DAY + SUNDAY + MONDAY)

    @pytest.mark.parametrize(
        ("range_", "rows"),
        [
            (["--from", "2025-03-31"], MONDAY),
            (["--to", "2025-03-30"], SUNDAY),
            (["--from", "2025-03-30", "--to", "2025-03-31"], SUNDAY + MONDAY),
            (["--from", "2025-04-01"], ""),
        ],
    )
    def test_a_range_has_both_its_ends(self, takings: Takings, done: Path, range_: list[str], rows: str) -> None:
        """A range without rows has a header."""
        assert takings("kpis", done, "--format", "csv", *range_).out == BY_DAY + rows

    def test_one_category(self, takings: Takings, done: Path) -> None:
        """Only its rows."""
        ended = takings("kpis", done, "--by", "category", "--category", "Books", "--format", "csv")
        assert ended.out.splitlines()[1:] == ["Books,2025-03-30,10.00,10.00,0.00,1,1,0.00,0.00,10.00"]

    def test_json_has_decimals_as_strings_and_where_they_come_from(self, takings: Takings, done: Path) -> None:
        """An array of objects."""
        first, _ = json.loads(takings("kpis", done, "--format", "json").out)
        origin = {name: first.pop(name) for name in ("batch_id", "computed_at", "definition")}
        assert first == {
            "order_date": "2025-03-30",
            "total_orders": 2,
            "total_revenue": "30.25",
            "total_items_sold": 2,
            "return_rate": "50.00",
            "unique_customers": 2,
            "avg_order_value": "15.13",
            "returned_value": "20.25",
            "cancelled_value": "0.00",
            "net_revenue": "10.00",
            "commit": 1,
        }
        assert all(origin.values())

    def test_files_hold_what_stdout_shows(self, takings: Takings, done: Path, tmp_path: Path) -> None:
        """CSV and JSON, byte for byte; nothing is printed."""
        for form in ("csv", "json"):
            shown = takings("kpis", done, "--format", form).out
            ended = takings("kpis", done, "--format", form, "--output", tmp_path / form)
            assert (ended.code, ended.out, (tmp_path / form).read_text()) == (0, "", shown)

    def test_parquet_has_the_published_rows_with_their_types(
        self, takings: Takings, done: Path, tmp_path: Path
    ) -> None:
        """Days are dates, and money is decimal."""
        file = tmp_path / "kpis.parquet"
        ended = takings("kpis", done, "--format", "parquet", "--output", file)
        assert (ended.code, ended.out, ended.err) == (0, "", "")
        with closing(duckdb.connect()) as connection:
            found = connection.sql(
                "select order_date, total_orders, total_revenue from read_parquet(?)", params=[str(file)]
            )
            assert found.order("order_date").fetchall() == [
                (date(2025, 3, 30), 2, Decimal("30.25")),
                (date(2025, 3, 31), 1, Decimal("4.25")),
            ]

    def test_a_table_is_for_people(self, takings: Takings, done: Path) -> None:
        """With every number in full."""
        ended = takings("kpis", done)
        assert (ended.code, ended.err) == (0, "")
        assert "OrderKPIs" in ended.out
        (sunday,) = (line.split() for line in ended.out.splitlines() if "2025-03-30" in line)
        assert sunday == SUNDAY.strip().split(",")

    def test_a_store_without_kpis_has_none(self, takings: Takings, root: Path) -> None:
        """That is not an error, in any format."""
        assert takings("kpis", root).out == "OrderKPIs: no row\n"
        assert takings("kpis", root, "--format", "csv").out == BY_DAY
        assert takings("kpis", root, "--format", "json").out == "[]\n"

    @pytest.mark.parametrize(
        ("options", "complaint"),
        [
            (["--category", "Books"], "--category needs --by category: a day's KPIs cover the whole site."),
            (
                ["--by", "category", "--category", "books"],
                "no KPIs of category 'books' in that range. Write the name exactly.",
            ),
            (["--format", "parquet"], "--format parquet needs --output FILE."),
            (["--output", "a.csv"], "--output goes with --format csv, json or parquet."),
        ],
    )
    def test_2_for_what_makes_no_sense(self, takings: Takings, done: Path, options: list[str], complaint: str) -> None:
        """One sentence on stderr."""
        ended = takings("kpis", done, *options)
        assert (ended.code, ended.out, unwrapped(ended.err)) == (2, "", f"takings: {complaint}")


class TestUnblock:
    def test_2_when_nothing_is_blocked(self, takings: Takings, root: Path) -> None:
        """There is nothing to do."""
        ended = takings("unblock", root)
        assert (ended.code, unwrapped(ended.err)) == (2, f"takings: {root}: no batch is blocked.")

    def test_a_blocked_batch_goes_on_with_the_next_run(self, takings: Takings, root: Path) -> None:
        """Until then, runs refuse and print the reason."""
        blocked = Gate(
            generation=1, state=GateState.BLOCKED, batch_id=BatchId("b1"), attempt=1, reason="numbers contradict."
        )
        with opened(root) as shop:
            shop.ports.ledger.change_gate(blocked)
        refused = takings("run", root)
        assert (refused.code, unwrapped(refused.err)) == (
            3,
            "takings: batch b1 is blocked: numbers contradict. Then run `takings unblock STORE`.",
        )
        ended = takings("unblock", root)
        assert (ended.code, ended.out) == (0, "batch b1 continues with the next `takings run`\n")
        with opened(root) as shop:
            assert shop.ports.ledger.gate().state is GateState.RUNNING


class TestBatches:
    @pytest.fixture
    def two(self, done: Path) -> Path:
        """Return a store with an accepted batch and one of a single rejected file."""
        drop(done, "order-items/bad.csv", csv_of(item(4, 1, sale_price="0"), item(5, 1)))
        run(done)
        return done

    def test_a_new_store_has_none(self, takings: Takings, root: Path) -> None:
        """That is not an error, as text or as JSON."""
        assert takings("batches", root) == Ended(code=0, out="no batch yet\n", err="")
        assert json.loads(takings("batches", root, "--json").out) == {"schema_version": 1, "batches": []}

    def test_the_list_is_oldest_first(self, takings: Takings, two: Path) -> None:
        """With each batch's state, files, verdicts, records and commit."""
        first, second = sorted(path.name for path in (two / "batches").iterdir())
        ended = takings("batches", two)
        assert (ended.code, ended.err) == (0, "")
        rows = [line.split() for line in ended.out.splitlines() if " done " in line]
        assert rows == [
            [first, "done", "3", "3", "accepted", "9", "0", "9", "0", "1"],
            [second, "done", "1", "1", "rejected", "2", "2", "–", "–", "–"],
        ]
        document = json.loads(takings("batches", two, "--json").out)
        instants = {"now", "started_at", "finished_at"}
        assert all(batch[instant].endswith("Z") for batch in document["batches"] for instant in instants)
        found = [{name: batch[name] for name in batch if name not in instants} for batch in document["batches"]]
        assert found == [
            {
                "batch_id": first,
                "state": "DONE",
                "files": 3,
                "verdicts": {"accepted": 3},
                "records_read": 9,
                "records_rejected": 0,
                "rows": {"new": 9, "changed": 0, "unchanged": 0, "older": 0},
                "warnings": 0,
                "commit": 1,
                "attempt": 1,
            },
            {
                "batch_id": second,
                "state": "DONE",
                "files": 1,
                "verdicts": {"rejected": 1},
                "records_read": 2,
                "records_rejected": 2,
                "rows": None,
                "warnings": 0,
                "commit": None,
                "attempt": 1,
            },
        ]

    def test_one_batch_has_its_files_and_the_days_it_restated(self, takings: Takings, landed: Path) -> None:
        """Where each original is now."""
        (batch,) = (path.name for path in (landed / "batches").iterdir())
        ended = takings("batches", landed, batch)
        assert (ended.code, ended.err) == (0, "")
        assert f"batch {batch}: done, commit 1\n" in ended.out
        for dataset, folder in (("products", "products"), ("orders", "orders"), ("order_items", "order-items")):
            assert (
                f"accepted  raw-data/{folder}/a.csv (3 read, 3 accepted, 0 rejected, 0 identical duplicates)"
                in ended.out
            )
            assert f"{batch}/{dataset}/a.csv\n" in ended.out
        assert ended.out.endswith("  restated: every day\n")

    def test_one_batch_has_its_violations(self, takings: Takings, two: Path) -> None:
        """Line, rule and what to do, but never the value."""
        batch = max(path.name for path in (two / "batches").iterdir())
        ended = takings("batches", two, batch)
        assert (ended.code, ended.err) == (0, "")
        assert f"batch {batch}: done, no commit\n" in ended.out
        assert "records break" in ended.out
        (row,) = (line.split(maxsplit=4) for line in ended.out.splitlines() if "must be greater" in line)
        assert [cell.rstrip() for cell in row] == [
            "2",
            "sale_price",
            "greater_than",
            "9",
            "the value must be greater than 0",
        ]
        document = json.loads(takings("batches", two, batch, "--json").out)
        assert document["violations"] == [
            {
                "dataset": "order_items",
                "file": "bad.csv",
                "rule": "sale_price|greater_than",
                "record": 0,
                "line": 2,
                "column": "sale_price",
                "reason": "must be greater than 0",
                "shape": "9",
            }
        ]
        assert [(file["key"], file["verdict"], file["status"]) for file in document["file_reports"]] == [
            ("raw-data/order-items/bad.csv", "rejected", "FAILED")
        ]
        assert (two / document["file_reports"][0]["archived_at"]).is_file()
        assert (document["batch_id"], document["restated"], document["published"], document["returned"]) == (
            batch,
            {"everything": False, "days": []},
            {},
            [],
        )

    def test_2_for_an_unknown_batch(self, takings: Takings, landed: Path) -> None:
        """The error names the command that lists them."""
        ended = takings("batches", landed, "b404")
        assert (ended.code, ended.out, unwrapped(ended.err)) == (
            2,
            "",
            f"takings: {landed}: there is no batch 'b404'. `takings batches {landed}` lists them.",
        )


class TestValidate:
    BAD = csv_of(item(4, 1, sale_price="0"), item(5, 1))

    @pytest.fixture
    def export(self, tmp_path: Path) -> Path:
        """Return a folder of files that nobody has dropped yet."""
        (tmp_path / "export" / "orders").mkdir(parents=True)
        return tmp_path / "export"

    def test_0_for_files_that_would_be_taken(self, takings: Takings, export: Path) -> None:
        """The folder says what a file is, otherwise its header."""
        by_folder, by_header = export / "orders" / "x.csv", export / "y.csv"
        by_folder.write_bytes(ORDERS)
        by_header.write_bytes(ITEMS)
        assert takings("validate", by_folder, by_header) == Ended(
            code=0,
            out=f"{by_folder} (orders): accepted, 3 records\n{by_header} (order_items): accepted, 3 records\n",
            err="",
        )

    def test_1_for_a_file_that_would_be_rejected(self, takings: Takings, export: Path) -> None:
        """Every bad line, with what to do."""
        bad = export / "bad.csv"
        bad.write_bytes(self.BAD)
        ended = takings("validate", bad)
        assert (ended.code, ended.err) == (1, "")
        assert ended.out.startswith(
            f"{bad} (order_items): rejected, 2 records: 1 of 2 records break sale_price|greater_than (1)\n"
        )
        (row,) = (line.split(maxsplit=4) for line in ended.out.splitlines() if "must be greater" in line)
        assert [cell.rstrip() for cell in row] == [
            "2",
            "sale_price",
            "greater_than",
            "9",
            "the value must be greater than 0",
        ]

    def test_json_has_every_violation_with_its_remedy(self, takings: Takings, export: Path) -> None:
        """And the file's report, as a batch writes it."""
        bad = export / "bad.csv"
        bad.write_bytes(self.BAD)
        ended = takings("validate", bad, "--format", "json")
        assert (ended.code, ended.err) == (1, "")
        document = json.loads(ended.out)
        (file,) = document["files"]
        assert (document["schema_version"], file["key"], file["dataset"], file["verdict"], file["records"]) == (
            1,
            str(bad),
            "order_items",
            "rejected",
            {"read": 2, "accepted": 0, "rejected": 2, "identical_duplicates": 0},
        )
        assert file["violations"] == [
            {
                "rule": "sale_price|greater_than",
                "record": 0,
                "line": 2,
                "column": "sale_price",
                "reason": "must be greater than 0",
                "shape": "9",
                "remedy": "the value must be greater than 0",
            }
        ]

    def test_a_table_ends_after_twenty_lines(self, takings: Takings, export: Path) -> None:
        """The rest is only counted; JSON has all."""
        many = export / "many.csv"
        many.write_bytes(csv_of(*(item(number, 1, sale_price="0") for number in range(24))))
        ended = takings("validate", many)
        assert ended.out.count("must be greater than 0") == 20
        assert ended.out.endswith("… and 4 more violations; --format json has all\n")
        (file,) = json.loads(takings("validate", many, "--format", "json").out)["files"]
        assert len(file["violations"]) == 24

    @pytest.mark.parametrize(
        ("content", "code", "violation"),
        [
            (b"", 1, ("file|empty", None)),
            (csv_of(order(1)).replace(b"status", b"state"), 1, ("status|missing", "status")),
            (csv_of(order(1)).splitlines(keepends=True)[0], 0, ("file|no_records", None)),
            (csv_of({**order(1), "colour": "red"}), 0, ("colour|extra_column", "colour")),
        ],
        ids=["no byte", "a column lacks", "no record", "a column more"],
    )
    def test_what_concerns_the_whole_file_is_named_too(
        self, takings: Takings, export: Path, content: bytes, code: int, violation: tuple[str, str | None]
    ) -> None:
        """Only what rejects the file affects the exit code."""
        path = export / "orders" / "x.csv"
        path.write_bytes(content)
        ended = takings("validate", path, "--format", "json")
        (file,) = json.loads(ended.out)["files"]
        found = {(found["rule"], found["column"]) for found in file["violations"]}
        assert (ended.code, violation in found) == (code, True), found

    def test_an_option_says_what_a_file_is(self, takings: Takings, export: Path) -> None:
        """It overrides folder and header; without any of them, the dataset is unknown."""
        unknown, items = export / "x.csv", export / "orders" / "y.csv"
        unknown.write_bytes(b"a,b\n1,2\n")
        items.write_bytes(ITEMS)
        ended = takings("validate", unknown)
        assert (ended.code, ended.out) == (2, "")
        assert unwrapped(ended.err) == (
            f"takings: {unknown}: neither its folder nor its header shows which dataset it is."
            " Add --dataset products, orders or order_items."
        )
        assert takings("validate", unknown, "--dataset", "orders").code == 1
        assert takings("validate", items).code == 1
        assert takings("validate", items, "--dataset", "order_items") == Ended(
            code=0, out=f"{items} (order_items): accepted, 3 records\n", err=""
        )

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (ORDERS.replace(b"user_id", b"User_ID"), "the header says 'User_ID' where 'user_id' is expected"),
            (ORDERS.replace(b",", b";"), "fields are separated by ;, not by commas. Export the file with commas"),
            (b"sep=,\n" + ORDERS, "line 1 is not a header but a 'sep=' line"),
            (b"all orders\n" + ORDERS, "line 1 is not the header, which is on line 2"),
            (b"\xef\xbb\xbf\xef\xbb\xbf" + ORDERS, "the file begins with two byte order marks"),
            (ORDERS.replace(b"\n", b"\r"), "uses CR line ends"),
            (ORDERS.decode().encode("utf-16"), "the file is UTF-16 or UTF-32, not UTF-8"),
        ],
        ids=["capitals", "semicolons", "sep", "title", "marks", "CR", "UTF-16"],
    )
    def test_a_header_that_is_nearly_right_tells_the_dataset(
        self, takings: Takings, export: Path, content: bytes, reason: str
    ) -> None:
        """The findings are the same as with --dataset."""
        file = export / "x.csv"
        file.write_bytes(content)
        ended = takings("validate", file, "--format", "json")
        assert ended == takings("validate", file, "--format", "json", "--dataset", "orders")
        (found,) = json.loads(ended.out)["files"]
        assert (ended.code, found["dataset"], reason in found["reason"]) == (1, "orders", True), found["reason"]

    def test_what_is_no_csv_is_rejected_without_a_dataset(self, takings: Takings, export: Path) -> None:
        """It is refused whatever it was meant to be, and the other files are still validated."""
        page, items = export / "page.csv", export / "y.csv"
        page.write_bytes(b"<!DOCTYPE html><html><body>Log in</body></html>")
        items.write_bytes(ITEMS)
        reason = (
            "this is a web page (a login page?), not CSV."
            " Look at it in a browser, log in where it asks you to, and download the CSV file again."
        )
        assert takings("validate", page, items) == Ended(
            code=1, out=f"{page}: rejected: {reason}\n{items} (order_items): accepted, 3 records\n", err=""
        )
        found, _ = json.loads(takings("validate", page, items, "--format", "json").out)["files"]
        assert (found["dataset"], found["verdict"], found["errors"], found["reason"]) == (
            None,
            "rejected",
            {"file|web_page": 1},
            reason,
        )
        (violation,) = found["violations"]
        assert (
            violation["remedy"]
            == "look at it in a browser, log in where it asks you to, and download the CSV file again"
        )

    def test_a_file_is_read_as_the_contracts_say(self, takings: Takings, export: Path) -> None:
        """Even to find out what it is from its header; the remedy uses the contract's words."""
        contracts = export / "contracts"
        contracts.mkdir()
        custom = "customProperties: [{property: takingsFile, value: {delimiter: ';', encoding: utf-16}}]"
        for dataset in ("products", "orders", "order_items"):
            shipped = resources.files("takings.contracts").joinpath(f"{dataset}.odcs.yaml").read_text(encoding="utf-8")
            changed = shipped.replace("    properties:", f"    {custom}\n    properties:")
            (contracts / f"{dataset}.odcs.yaml").write_text(changed, encoding="utf-8")
        good, bad, unknown = export / "a.csv", export / "b.csv", export / "c.csv"
        good.write_bytes(ORDERS.replace(b",", b";").decode().encode("utf-16"))
        bad.write_bytes(ITEMS.replace(b",", b";"))
        unknown.write_bytes("a;b\n1;2\n".encode("utf-16"))
        assert takings("validate", good, "--contracts", contracts) == Ended(
            code=0, out=f"{good} (orders): accepted, 3 records\n", err=""
        )
        ended = takings("validate", bad, "--contracts", contracts, "--format", "json")
        (file,) = json.loads(ended.out)["files"]
        assert (ended.code, file["dataset"], file["errors"]) == (1, "order_items", {"file|encoding": 1})
        assert [found["remedy"] for found in file["violations"]] == ["export the file as UTF-16"]
        assert takings("validate", unknown, "--contracts", contracts).code == 2

    def test_a_batch_says_what_a_dry_run_does(self, takings: Takings, root: Path, export: Path) -> None:
        """On the terminal, next to the refused file, and in the batch's record."""
        drop_all(root)
        drop(root, "orders/semicolons.csv", ORDERS.replace(b",", b";"))
        reason = (
            "line 1: fields are separated by ;, not by commas."
            " Export the file with commas and drop the file again; it will be a new arrival."
        )
        assert takings("validate", root / "raw-data" / "orders" / "semicolons.csv").out.count(reason) == 1
        ended = takings("run", root, "--now")
        assert (ended.code, f"rejected raw-data/orders/semicolons.csv: {reason}\n" in ended.out) == (1, True)
        (beside,) = (root / "failed").rglob("*.reason.json")
        assert json.loads(beside.read_bytes())["reason"] == reason
        (batch,) = json.loads(takings("batches", root, "--json").out)["batches"]
        assert reason in takings("batches", root, batch["batch_id"]).out

    def test_2_for_a_file_that_is_none(self, takings: Takings, export: Path) -> None:
        """Before anything is checked."""
        (export / "y.csv").write_bytes(ITEMS)
        assert takings("validate", export / "y.csv", export / "x.csv") == Ended(
            code=2, out="", err=f"takings: {export / 'x.csv'} is not a file.\n"
        )

    def test_a_store_knows_copies_of_its_files(self, takings: Takings, done: Path, export: Path) -> None:
        """A duplicate is not a rejection."""
        (export / "y.csv").write_bytes(ITEMS)
        assert takings("validate", export / "y.csv", "--store", done) == Ended(
            code=0,
            out=f"{export / 'y.csv'} (order_items): duplicate, 0 records: same bytes as raw-data/order-items/a.csv,"
            " which was accepted before\n",
            err="",
        )

    def test_nothing_is_written(self, takings: Takings, export: Path, tmp_path: Path) -> None:
        """Neither next to the files nor in the working folder."""
        (export / "bad.csv").write_bytes(self.BAD)
        before = everything(tmp_path)
        assert takings("validate", export / "bad.csv").code == 1
        assert everything(tmp_path) == before

    def test_nothing_of_a_store_is_changed(self, takings: Takings, done: Path, export: Path) -> None:
        """All of its files stay as they are."""
        (export / "bad.csv").write_bytes(self.BAD)
        before = everything(done)
        assert takings("validate", export / "bad.csv", "--store", done).code == 1
        after = everything(done)
        assert {path: after.get(path) for path in before} == before

    def test_nothing_is_added_to_a_store(self, takings: Takings, done: Path, export: Path) -> None:
        """Not even a file that SQLite creates for reading its database."""
        (export / "bad.csv").write_bytes(self.BAD)
        before = set(everything(done))
        assert takings("validate", export / "bad.csv", "--store", done).code == 1
        assert set(everything(done)) == before


def test_the_version_is_printed(takings: Takings) -> None:
    """Alone, on one line."""
    assert takings("--version") == Ended(code=0, out=f"takings {__version__}\n", err="")


class TestSamples:
    def test_a_generated_shop_runs(self, takings: Takings, root: Path) -> None:
        """In raw-data/ of a store; the same seed gives the same bytes."""
        ended = takings("generate", root / "raw-data", "--orders", 20, "--seed", 3, "--days", 2)
        assert (ended.code, ended.err) == (0, "")
        first = {path: path.read_bytes() for path in (root / "raw-data").rglob("*.csv")}
        assert len(first) == 3
        takings("generate", root / "again", "--orders", 20, "--seed", 3, "--days", 2)
        assert sorted(first.values()) == sorted(path.read_bytes() for path in (root / "again").rglob("*.csv"))
        assert takings("run", root, "--now").code == 0
        assert takings("kpis", root, "--format", "csv").out == expected(root)[0]

    def test_2_for_a_share_of_damage_that_is_no_number(self, takings: Takings, tmp_path: Path) -> None:
        """Nothing is written."""
        ended = takings("generate", tmp_path / "drops", "--orders", 2, "--dirty", "some")
        assert (ended.code, unwrapped(ended.err)) == (
            2,
            "takings: dirty 'some' is not a percentage. Write a number such as 5 or 0.5.",
        )
        assert not (tmp_path / "drops").exists()

    def test_the_demo_shows_everything_and_may_be_repeated(self, takings: Takings, tmp_path: Path) -> None:
        """Commands, KPIs and where everything is."""
        shop = tmp_path / "demo"
        ended = takings("demo", shop)
        assert (ended.code, ended.err) == (0, "")
        for shown in ("takings run", "OrderKPIs", "CategoryKPIs", "Where everything is:"):
            assert shown in ended.out
        assert takings("kpis", shop, "--format", "csv").out == expected(shop)[0]
        again = takings("demo", shop)
        assert (again.code, "nothing to do: no file is pending" in again.out) == (0, True)

    def test_the_demo_leaves_other_folders_alone(self, takings: Takings, tmp_path: Path) -> None:
        """A folder that is not a demo store stays as it is."""
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "thesis.txt").write_text("42")
        ended = takings("demo", tmp_path / "mine")
        assert (ended.code, unwrapped(ended.err)) == (
            2,
            f"takings: {tmp_path / 'mine'} exists and is not a demo store. Name another folder: takings demo DIR.",
        )
        assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
