"""What happens to a bad file under each policy, in whole runs on a small store."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from takings.archive.lineage import LineageStatus
from takings.entrypoints import cli
from takings.layout import parse_instant
from takings.runs.pipeline import RunOutcome
from takings.validation.findings import RecordCounts
from takings.validation.mended import STEP
from tests.shop import (
    ITEMS,
    ORDERS,
    PRODUCTS,
    csv_of,
    drop,
    drop_all,
    expected,
    files,
    item,
    lineage,
    new_store,
    order,
    product,
    published,
    run,
)

ITEMS_HEADER = b"id,order_id,product_id,user_id,status,sale_price\n"


@pytest.fixture
def exit_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., int]:
    """Return a function that runs a command like a shell, with settings from the environment, and returns the exit code."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")

    def command(*arguments: object, **named: str) -> int:
        for name, value in named.items():
            monkeypatch.setenv(f"TAKINGS_{name.upper()}", value)
        monkeypatch.setattr(sys, "argv", ["takings", *map(str, arguments)])
        code: Any = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code
        for name in named:
            monkeypatch.delenv(f"TAKINGS_{name.upper()}")
        return int(code or 0)

    return command


def verdicts(outcome: RunOutcome) -> dict[str, tuple[str, str | None]]:
    """Return verdict and reason of each file of a run."""
    reports = [report for batch in outcome.batches for report in batch.reports]
    return {report.key.removeprefix("raw-data/"): (report.verdict.value, report.reason) for report in reports}


def reasons(root: Path, file: str) -> dict[str, Any]:
    """Return the reason.json next to a failed file."""
    (path,) = (root / "failed").glob(f"*/*/*/*/{file}.reason.json")
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def quarantine(root: Path, file: str) -> Path:
    """Return the newest quarantine file with this name."""
    return max((root / "quarantine").glob(f"*/{file}"))


def rows_of(content: bytes) -> list[dict[str, str]]:
    """Return the rows of a CSV file."""
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


class TestFile:
    """The default: a bad file is refused as a whole, the others are taken."""

    def test_every_bad_line_is_named_however_many_there_are(self, root: Path) -> None:
        """Reports show the first hundred violations, reason.json has all, in the file's order."""
        drop_all(root)
        rows = [item(number, 1, sale_price="0" if number % 2 else "1.00") for number in range(10, 310)]
        drop(root, "order-items/sub/bad.csv", csv_of(*rows) + b"1,2\n")
        outcome = run(root)
        assert verdicts(outcome) == {
            "products/a.csv": ("accepted", None),
            "orders/a.csv": ("accepted", None),
            "order-items/a.csv": ("accepted", None),
            "order-items/sub/bad.csv": (
                "rejected",
                "151 of 301 records break sale_price|greater_than (150), record|field_count (1)",
            ),
        }
        reason = reasons(root, "order_items/sub/bad.csv")
        assert [(violation["line"], violation["rule"]) for violation in reason["violations"]] == [
            *((line, "sale_price|greater_than") for line in range(3, 303, 2)),
            (302, "record|field_count"),
        ]
        assert published(root) == expected(root)
        assert files(root, "raw-data", "failed", "quarantine", "staging") == [
            "failed/order_items/sub/bad.csv",
            "failed/order_items/sub/bad.csv.reason.json",
        ]

    def test_a_bad_file_never_holds_values_back_or_shows_them(self, root: Path) -> None:
        """Line, rule and shape say what is wrong; the value is only in the original."""
        drop(root, "order-items/bad.csv", ITEMS_HEADER + b"1,1,1,4711,shipped,secret 12.5\n")
        run(root)
        assert reasons(root, "order_items/bad.csv")["violations"] == [
            {
                "rule": "sale_price|type",
                "record": 0,
                "line": 2,
                "column": "sale_price",
                "reason": "must be a number like 12.50, with at most 12 digits before the point and 16 after it",
                "shape": "aaaaaa 99.9",
            }
        ]


class TestStrict:
    """The brief's fail-fast: one bad file, or an orphan, fails the batch and all its files."""

    def test_one_rejected_file_fails_the_whole_batch(self, root: Path, exit_code: Callable[..., int]) -> None:
        """All files are in failed/ with the reason, nothing is in the lake, and the good ones may be dropped again."""
        drop_all(root)
        drop(root, "order-items/bad.csv", csv_of(item(4, 1, sale_price="0")))
        assert exit_code("run", root, "--now", policy="strict") == 1
        told = 'policy "strict" refuses the whole batch: raw-data/order-items/bad.csv was rejected'
        assert {record.file_key: (record.status, record.reason) for record in lineage(root)} == {
            "raw-data/products/a.csv": (LineageStatus.FAILED, told),
            "raw-data/orders/a.csv": (LineageStatus.FAILED, told),
            "raw-data/order-items/a.csv": (LineageStatus.FAILED, told),
            "raw-data/order-items/bad.csv": (
                LineageStatus.FAILED,
                "1 of 1 records break sale_price|greater_than (1)",
            ),
        }
        assert files(root, "raw-data", "processed", "staging", "lake/commits") == []
        assert files(root, "failed") == [
            f"failed/{file}{end}"
            for file in ("order_items/a.csv", "order_items/bad.csv", "orders/a.csv", "products/a.csv")
            for end in ("", ".reason.json")
        ]
        good = reasons(root, "orders/a.csv")
        assert (good["reason"], good["violations"], good["records"]["rejected"]) == (told, [], 3)
        assert [text.count("\n") for text in published(root)] == [1, 1]

        drop_all(root)
        assert exit_code("run", root, "--now", policy="strict") == 0
        assert published(root) == expected(root)
        assert published(root)[0].count("\n") == 3

    def test_an_orphan_fails_the_whole_batch(self, root: Path, exit_code: Callable[..., int]) -> None:
        """Its order is neither in the batch nor in the lake; once it is, everything is taken."""
        orphan = csv_of(item(4, 1), item(5, 9))
        drop_all(root)
        drop(root, "order-items/orphan.csv", orphan)
        assert exit_code("run", root, "--now", policy="strict") == 1
        told = (
            'policy "strict" refuses the whole batch: raw-data/order-items/orphan.csv line 3: its order_id is neither in the'
            " batch nor in the lake"
        )
        assert {record.reason for record in lineage(root)} == {told}
        assert files(root, "raw-data", "processed", "lake/commits") == []

        drop_all(root)
        drop(root, "order-items/orphan.csv", orphan)
        drop(root, "orders/late.csv", csv_of(order(9)))
        assert exit_code("run", root, "--now", policy="strict") == 0
        assert published(root) == expected(root)

    def test_an_orphans_product_may_be_in_the_lake(self, root: Path) -> None:
        """Only a missing order or product fails a batch."""
        run(drop_all(root), policy="strict")
        drop(root, "order-items/b.csv", csv_of(item(4, 1, 3)))
        assert verdicts(run(root, policy="strict")) == {"order-items/b.csv": ("accepted", None)}
        before = published(root)
        drop(root, "order-items/c.csv", csv_of(item(5, 1, 404)))
        (verdict,) = verdicts(run(root, policy="strict")).values()
        assert verdict == (
            "rejected",
            (
                'policy "strict" refuses the whole batch: raw-data/order-items/c.csv line 2: its product_id is neither in'
                " the batch nor in the lake"
            ),
        )
        assert published(root) == before == expected(root)

    def test_a_refused_correction_leaves_the_lake_as_it_was(self, root: Path) -> None:
        """The good and bad files of a failed batch do not count."""
        run(drop_all(root), policy="strict")
        before = published(root)
        drop(root, "orders/a.csv", csv_of(order(1, "2025-04-01T10:00:00")))
        drop(root, "products/b.csv", b"")
        run(root, policy="strict")
        assert published(root) == before == expected(root)
        drop(root, "orders/a.csv", csv_of(order(1, "2025-04-01T10:00:00")))
        run(root, policy="strict")
        assert published(root) == expected(root) != before


class TestRow:
    """Bad rows are set aside, up to a share of the file; the rest is taken."""

    BAD = (
        ITEMS_HEADER
        + b"4,1,1,7,shipped,1.00\n"
        + b'5,1,1,7,"lo\nst, ""so",x\n'
        + b"6,1,1\n"
        + b"7,1,1,7,shipped,0\n"
        + b"8,1,1,7,shi\xffpped,1.00\n"
        + b"9,1,1,7,shipped,2.00\n"
        + b"9,1,1,7,shipped,2.00\n"
    )

    def test_bad_rows_go_to_quarantine_and_the_rest_is_taken(self, root: Path, exit_code: Callable[..., int]) -> None:
        """As CSV with source, line, reasons and version; what is not a CSV row, in base64. The rest counts."""
        drop_all(root)
        drop(root, "order-items/bad.csv", self.BAD)
        assert exit_code("run", root, "--now", policy="row", max_rejected="60%") == 1
        (record,) = (record for record in lineage(root) if record.file_key.endswith("bad.csv"))
        assert (record.status, record.records, record.reason) == (
            LineageStatus.SUCCESS,
            RecordCounts(read=7, accepted=2, rejected=4, identical_duplicates=1),
            (
                "4 of 7 records break record|encoding (1), record|field_count (1), sale_price|greater_than (1) and 2 more"
                " rules; they are in quarantine"
            ),
        )
        version = record.version.isoformat(timespec="microseconds").replace("+00:00", "Z")
        assert quarantine(root, "order_items/bad.csv").read_text(encoding="utf-8") == (
            "id,order_id,product_id,user_id,status,sale_price,"
            "_takings_source,_takings_line,_takings_reasons,_takings_version\n"
            '5,1,1,7,"lo\nst, ""so",x,raw-data/order-items/bad.csv,3,'
            '"status|one_of: must be one of processing, shipped, delivered, complete, completed, returned, cancelled,'
            " canceled; sale_price|type: must be a number like 12.50, with at most 12 digits before the point and 16 after"
            f' it",{version}\n'
            "7,1,1,7,shipped,0,raw-data/order-items/bad.csv,6,"
            f"sale_price|greater_than: must be greater than 0,{version}\n"
        )
        broken = [
            json.loads(line)
            for line in quarantine(root, "order_items/bad.csv.broken.jsonl").read_text(encoding="utf-8").splitlines()
        ]
        assert [(found["record"], found["line"], found["rule"]) for found in broken] == [
            (2, 5, "record|field_count"),
            (4, 7, "record|encoding"),
        ]
        assert [base64.b64decode(found["base64"]) for found in broken] == [b"6,1,1", b"8,1,1,7,shi\xffpped,1.00"]
        assert published(root) == expected(root)
        assert "2025-03-30,2,33.25,4," in published(root)[0]
        assert files(root, "raw-data", "failed", "staging") == []
        assert "processed/order_items/bad.csv" in files(root, "processed")

    def test_more_bad_rows_than_allowed_refuse_the_file(self, root: Path) -> None:
        """57.2 % are bad; nothing is taken and nothing is quarantined."""
        drop_all(root)
        drop(root, "order-items/bad.csv", self.BAD)
        outcome = run(root, policy="row", max_rejected="57.1%")
        assert verdicts(outcome)["order-items/bad.csv"] == (
            "rejected",
            (
                "4 of 7 records break record|encoding (1), record|field_count (1), sale_price|greater_than (1) and 2 more"
                " rules; at most 57.1 % may"
            ),
        )
        assert files(root, "failed", "quarantine") == [
            "failed/order_items/bad.csv",
            "failed/order_items/bad.csv.reason.json",
        ]
        assert [violation["line"] for violation in reasons(root, "order_items/bad.csv")["violations"]] == [
            3,
            3,
            5,
            6,
            7,
        ]
        assert published(root) == expected(root)

    @pytest.mark.parametrize(
        ("content", "rule"),
        [
            (ITEMS_HEADER + b'4,1,1,7,shipped,1.00\n5,1,1,7,"shipped,1.00\n', "file|unterminated_quote"),
            (b"id,order_id,product_id,user_id,status\n4,1,1,7,shipped\n", "sale_price|missing"),
            (b"", "file|empty"),
            (b"id,id,order_id,product_id,user_id,status,sale_price\n", "file|duplicate_header"),
            (ITEMS_HEADER.decode().encode("utf-16"), "file|encoding"),
        ],
        ids=["an open quote", "a column missing", "no byte", "a column twice", "UTF-16"],
    )
    def test_what_is_wrong_with_the_whole_file_refuses_it(self, root: Path, content: bytes, rule: str) -> None:
        """However many bad rows are allowed."""
        drop(root, "order-items/bad.csv", content)
        (batch,) = run(root, policy="row", max_rejected="100%").batches
        assert [(report.verdict.value, dict(report.errors)) for report in batch.reports] == [("rejected", {rule: 1})]
        assert files(root, "quarantine", "processed") == []

    def test_every_row_may_be_bad(self, root: Path) -> None:
        """The file is taken, and none of it counts yet."""
        drop(root, "orders/a.csv", csv_of(order(1, num_of_item=0), order(2, status="lost")))
        (batch,) = run(root, policy="row", max_rejected="100%").batches
        assert [report.records for report in batch.reports] == [RecordCounts(read=2, rejected=2)]
        assert [text.count("\n") for text in published(root)] == [1, 1]
        assert [row["order_id"] for row in rows_of(quarantine(root, "orders/a.csv").read_bytes())] == ["1", "2"]

    def test_a_compressed_files_rows_are_set_aside_compressed(self, root: Path) -> None:
        """The quarantine file has the original's name, so its content must match the ending."""
        drop(root, "orders/a.csv.gz", gzip.compress(csv_of(order(1, num_of_item=0), order(2)) + b"3\n"))
        run(root, policy="row", max_rejected="100%")
        content = gzip.decompress(quarantine(root, "orders/a.csv.gz").read_bytes())
        assert [(row["order_id"], row["_takings_line"]) for row in rows_of(content)] == [("1", "2")]
        assert files(root, "quarantine")[-1].endswith("/orders/a.csv.gz.broken.jsonl")
        assert published(root) == expected(root)

    def test_both_rows_of_one_key_are_set_aside(self, root: Path) -> None:
        """Nobody knows which is right."""
        run(drop_all(root))
        before = published(root)
        drop(root, "orders/b.csv", csv_of(order(1, user_id=9), order(1, user_id=10), order(4, "2025-04-02T10:00:00")))
        run(root, policy="row", max_rejected="70%")
        assert [
            (row["user_id"], row["_takings_line"]) for row in rows_of(quarantine(root, "orders/b.csv").read_bytes())
        ] == [
            ("9", "2"),
            ("10", "3"),
        ]
        assert published(root)[0] == before[0] + "2025-04-02,1,0.00,0,0.00,1,0.00,0.00,0.00,0.00\n"
        assert published(root) == expected(root)

    def test_a_store_may_change_its_policy(self, root: Path) -> None:
        """What one refused, the other takes."""
        drop_all(root)
        drop(root, "order-items/bad.csv", self.BAD)
        run(root)
        drop(root, "order-items/bad.csv", self.BAD)
        run(root, policy="row", max_rejected="60%")
        assert published(root) == expected(root)
        assert "2025-03-30,2,33.25,4," in published(root)[0]


class TestMended:
    """Rows come back from quarantine, and count as if they had never been bad."""

    GOOD = csv_of(item(4, 1, 2, "4.00"), item(5, 2, 1, "5.50"), item(6, 3, 3, "6.00"))
    BAD = GOOD.replace(b"5.50", b"5,50").replace(b"6.00", b"-6.00").replace(b"5,50", b'"5,50"')
    ROW: Final[Mapping[str, Any]] = {"policy": "row", "max_rejected": "100%"}

    def mended(self, content: bytes) -> bytes:
        """Return the quarantined rows, corrected."""
        return content.replace(b'"5,50"', b"5.50").replace(b",-6.00", b",6.00")

    def test_mended_rows_count_once_as_if_never_damaged(self, root: Path, tmp_path: Path) -> None:
        """Under another name; the numbers are those of a store that never saw the damage, byte for byte."""
        drop_all(root)
        drop(root, "order-items/b.csv", self.BAD)
        run(root, **self.ROW)
        mended = self.mended(quarantine(root, "order_items/b.csv").read_bytes())
        drop(root, "order-items/b mended.csv", mended)
        (batch,) = run(root, **self.ROW).batches
        assert [(report.records, dict(report.warnings)) for report in batch.reports] == [
            (RecordCounts(read=2, accepted=2), {})
        ]
        whole = drop_all(new_store(tmp_path / "whole"))
        drop(whole, "order-items/b.csv", self.GOOD)
        run(whole)
        assert published(root) == published(whole) == expected(whole)

        drop(root, "order-items/once more.csv", mended + b"\n")
        run(root, **self.ROW)
        assert published(root) == published(whole)

    def test_a_mended_row_does_not_beat_a_newer_correction(self, root: Path) -> None:
        """Its version is just after the damaged row's; a newer row stays."""
        drop_all(root)
        drop(root, "order-items/b.csv", self.BAD)
        run(root, **self.ROW)
        drop(root, "order-items/c.csv", csv_of(item(5, 2, 1, "55.00")))
        run(root, **self.ROW)
        before = published(root)
        drop(root, "order-items/b mended.csv", self.mended(quarantine(root, "order_items/b.csv").read_bytes()))
        run(root, **self.ROW)
        by_day = published(root)[0]
        assert before[0].splitlines()[1].startswith("2025-03-30,2,89.25,4,")
        assert by_day.splitlines()[1] == before[0].splitlines()[1]
        assert by_day.splitlines()[2].startswith("2025-03-31,1,10.25,2,")

    def test_a_mended_row_beats_the_correction_that_its_original_would_have_beaten(self, root: Path) -> None:
        """It replaces a row of the lake that is older than the damaged file."""
        run(drop_all(root))
        drop(root, "order-items/b.csv", csv_of(item(1, 1, 1, "-11.00")))
        run(root, **self.ROW)
        drop(
            root,
            "order-items/m.csv",
            quarantine(root, "order_items/b.csv").read_bytes().replace(b",-11.00,", b",11.00,"),
        )
        run(root, **self.ROW)
        assert published(root)[0].splitlines()[1].startswith("2025-03-30,2,31.25,2,")

    def test_rows_mended_badly_are_quarantined_again_one_step_further(self, root: Path) -> None:
        """With their present place; once they are correct, they count."""
        drop_all(root)
        drop(root, "order-items/b.csv", self.BAD)
        run(root, **self.ROW)
        first = rows_of(quarantine(root, "order_items/b.csv").read_bytes())
        still_bad = quarantine(root, "order_items/b.csv").read_bytes().replace(b",-6.00", b",6.00")
        drop(root, "order-items/m.csv", still_bad)
        run(root, **self.ROW)
        (second,) = rows_of(quarantine(root, "order_items/m.csv").read_bytes())
        assert (second["id"], second["_takings_source"], second["_takings_line"]) == (
            "5",
            "raw-data/order-items/m.csv",
            "2",
        )
        assert list(second) == list(first[0])
        assert parse_instant(second["_takings_version"]) == parse_instant(first[0]["_takings_version"]) + STEP
        drop(root, "order-items/mm.csv", self.mended(quarantine(root, "order_items/m.csv").read_bytes()))
        run(root, **self.ROW)
        assert published(root)[0].splitlines()[1].startswith("2025-03-30,2,39.75,4,")
        assert published(root)[0].splitlines()[2].startswith("2025-03-31,1,10.25,2,")

    def test_a_mended_products_category_moves_with_it(self, root: Path) -> None:
        """Products and orders come back in the same way."""
        drop(root, "products/a.csv", PRODUCTS.replace(b"2,S-2,1.00", b"2,S-2,0.00"))
        drop(root, "orders/a.csv", ORDERS.replace(b"returned", b"retunred"))
        drop(root, "order-items/a.csv", ITEMS)
        (batch,) = run(root, **self.ROW).batches
        assert batch.orphans == 1
        mended = quarantine(root, "products/a.csv").read_bytes().replace(b",0.00,", b",1.00,")
        drop(root, "products/m.csv", mended)
        drop(root, "orders/m.csv", quarantine(root, "orders/a.csv").read_bytes().replace(b"retunred", b"returned"))
        (batch,) = run(root).batches
        assert (batch.orphans, batch.has_rejections) == (0, False)
        other = run_of_good_files(root.parent / "good")
        assert published(root) == published(other) == expected(other)


def run_of_good_files(root: Path) -> Path:
    """Return a store that took the standard files in one run."""
    run(drop_all(new_store(root)))
    return root


class TestManyFiles:
    def test_each_policy_on_the_same_drops(self, tmp_path: Path) -> None:
        """Strict takes least, then file, then row; every record is accounted for under each."""
        taken = {}
        for policy in ("strict", "file", "row"):
            root = drop_all(new_store(tmp_path / policy))
            drop(root, "products/b.csv", csv_of(product(4), product(5, cost="21")))
            run(root, policy=policy, max_rejected="50%")
            counts = [record.records for record in lineage(root)]
            assert sum(found.read for found in counts if found) == 11
            taken[policy] = sum(found.accepted for found in counts if found)
            assert published(root) == expected(root)
        assert taken == {"strict": 0, "file": 9, "row": 10}
