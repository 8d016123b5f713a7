"""A thousand one-row files are a batch like any other: neither memory nor open files grow with their number."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from takings.batch import reading_ahead
from takings.contracts.model import Dataset
from takings.intake.gate import LEASE
from takings.lake import StagedBatch
from takings.runs import pipeline
from takings.validation.findings import Verdict
from tests.shop import Fields, csv_of, drop, expected, item, new_store, opened, order, product, published, run


def drop_many(root: Path, files: int) -> Path:
    """Drop one product, one item, and orders of one row each."""
    drop(root, "products/p.csv", csv_of(product(1)))
    drop(root, "order-items/i.csv", csv_of(item(1, 1)))
    for number in range(1, files + 1):
        drop(root, f"orders/{number}.csv", csv_of(an_order(number)))
    return root


def an_order(number: int) -> Fields:
    """Return an order on one of 28 days."""
    return order(number, f"2025-01-{number % 28 + 1:02d}T00:27:47")


def takings(*arguments: str | Path, open_files: int) -> subprocess.CompletedProcess[str]:
    """Run the command line with a low limit of open files."""
    return subprocess.run(
        [sys.executable, "-m", "takings", *arguments],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (open_files, open_files)),
    )


def test_files_of_a_batch_fit_into_the_default_memory_and_256_open_files(tmp_path: Path) -> None:
    """Six hundred ran out of memory in the merge when all were open at once."""
    root = drop_many(new_store(tmp_path / "shop"), 600)
    done = takings("run", root, "--now", "--json", open_files=256)
    assert (done.returncode, done.stderr) == (0, "")
    (batch,) = json.loads(done.stdout)["batches"]
    assert [file["verdict"] for file in batch["files"]] == ["accepted"] * 602
    assert (batch["attempt"], batch["published"]) == (1, {"OrderKPIs": 28, "CategoryKPIs": 1})
    assert published(root) == expected(root)


def test_a_batch_ends_with_far_fewer_open_files_than_it_is_made_for(tmp_path: Path) -> None:
    """If the first attempt runs out of them, the next ones keep fewer open at a time."""
    root = new_store(tmp_path / "shop")
    drop(root, "products/p.csv", csv_of(product(1)))
    for number in range(300):
        drop(root, f"orders/{number}.csv", csv_of(order(number, f"2025-01-0{number % 5 + 1}T10:00:00")))
    done = takings("run", root, "--now", open_files=60)
    assert (done.returncode, lineage_of(root)) == (0, {"accepted": 301}), done.stderr
    assert published(root) == expected(root)


def lineage_of(root: Path) -> dict[str, int]:
    """Count the store's files by their verdicts."""
    with opened(root) as shop:
        return dict(Counter(str(record.verdict) for record in shop.ports.ledger.lineage()))


def test_a_run_of_many_batches_shows_each_as_the_store_keeps_it(tmp_path: Path) -> None:
    """As JSON: no batch is kept in memory until the run ends."""
    root = drop_many(new_store(tmp_path / "shop"), 4)
    (root / "takings.toml").write_text("batch_max_files = 2\n")
    done = takings("run", root, "--now", "--json", open_files=256)
    kept = [json.loads(path.read_text()) for path in sorted((root / "batches").glob("*/outcome.json"))]
    document = json.loads(done.stdout)
    assert (len(kept), document["batches"]) == (3, kept)
    assert done.stdout == json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    assert json.loads(takings("run", root, "--json", open_files=256).stdout)["batches"] == []


def test_a_lake_of_many_days_is_read_and_rewritten_with_256_open_files(tmp_path: Path) -> None:
    """A correction of every order touches 264 days, each with its own files."""
    root = new_store(tmp_path / "shop")
    days = [f"{year}-{month:02d}-{day:02d}" for year in (2023, 2024) for month in range(1, 13) for day in range(1, 12)]
    drop(root, "products/p.csv", csv_of(product(1)))
    for price in ("10.00", "11.00"):
        orders = [order(number, f"{day}T10:00:00", user_id=int(float(price))) for number, day in enumerate(days)]
        drop(root, "orders/o.csv", csv_of(*orders))
        drop(root, "order-items/i.csv", csv_of(*(item(n, n, sale_price=price) for n in range(len(days)))))
        done = takings("run", root, "--now", open_files=256)
        assert (done.returncode, done.stderr) == (0, "")
    assert published(root) == expected(root)


def side_by_side() -> ExitStack:
    """Let each file of a round have a thread, however small it is."""
    patched = ExitStack()
    patched.enter_context(patch.object(reading_ahead, "SMALL", -1))
    patched.enter_context(patch.object(reading_ahead, "WORTH_THREADS", 0))
    return patched


@pytest.fixture(params=["together", "side by side"])
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """Read files ahead in both ways: small ones in one pass, others in threads."""
    with side_by_side() if request.param == "side by side" else nullcontext():
        yield request.param


@pytest.mark.usefixtures("way")
class TestReadingAhead:
    """Files are read ahead, which changes nothing but the time it takes."""

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        """Return a store with sound, odd and bad small files, and with copies."""
        return self.drop_odd_files(new_store(tmp_path / "shop"))

    @staticmethod
    def drop_odd_files(root: Path) -> Path:
        """Drop files so that only later ones are copies."""
        drop_many(root, 20)
        drop(root, "orders/bad.csv", csv_of(order(50), order(51, status="lost")))
        drop(root, "orders/broken.csv", csv_of(order(52)) + b"1,2\n")
        drop(root, "orders/bom.csv", b"\xef\xbb\xbf" + csv_of(order(53)).replace(b"\n", b"\r\n"))
        drop(root, "orders/twice.csv", csv_of(order(54), order(54)))
        drop(root, "orders/none.csv", csv_of(order(55)).splitlines(keepends=True)[0])
        drop(root, "orders/empty.csv", b"")
        drop(root, "orders/header.csv", b"order_id,user_id\n1,2\n")
        drop(root, "orders/warned.csv", csv_of(order(56, returned_at="", status="returned", note="x")))
        drop(root, "orders/large.csv", csv_of(*(order(1000 + number) for number in range(2000))))
        drop(root, "orders/copy-of-3.csv", csv_of(an_order(3)))
        drop(root, "orders/copy-of-bad.csv", csv_of(order(50), order(51, status="lost")))
        return root

    def test_gives_the_same_verdicts_reasons_and_numbers(self, root: Path, tmp_path: Path) -> None:
        """Compared with reading each file alone."""
        alone = self.drop_odd_files(new_store(tmp_path / "alone"))
        for file in sorted((root / "raw-data").rglob("*.csv")):
            status = file.stat()
            os.utime(alone / file.relative_to(root), ns=(status.st_atime_ns, status.st_mtime_ns))
        for policy in ("file", "row"):
            with patch.object(reading_ahead, "FEWEST", 10**9), patch.object(reading_ahead, "SMALL", 10**9):
                run(alone, policy=policy)
            run(root, policy=policy, threads=2)
        assert documents(root) == documents(alone)
        assert published(root) == published(alone) == expected(root)

    def test_says_that_several_files_are_read(self, root: Path) -> None:
        """If it is only one, its name."""
        reading: list[str | None] = []
        with opened(root, threads=2) as shop:
            ports = replace(shop.ports, tell=lambda *_: reading.append(shop.ports.ledger.gate().reading))
            pipeline.run(ports, at_once=True)
        assert {"several files at once", "raw-data/orders/header.csv"} <= set(reading)

    def test_suspects_no_file_but_the_one_that_kills_alone(self, root: Path) -> None:
        """The first death is blamed on nobody; the next attempt reads one file at a time, and finds the cause."""
        die_of(root, "bad.csv", leases=0)
        die_of(root, "bad.csv", leases=2)
        with opened(root) as shop:
            assert shop.ports.ledger.gate().reading == "raw-data/orders/bad.csv"
        outcome = run(root, later=4 * LEASE)
        assert [report.key for report in outcome.batches[-1].reports] == ["raw-data/orders/bad.csv"]
        assert published(root) == expected(root)


class Killed(BaseException):
    """The process died."""


def die_of(root: Path, name: str, *, leases: int) -> None:
    """Run until a process dies reading a file, this many leases from now; then it does nothing more."""
    is_dead = False

    class Mortal:
        def __init__(self, port: object) -> None:
            self._port = port

        def __getattr__(self, method: str) -> Any:
            if is_dead:
                raise Killed
            return getattr(self._port, method)

        def read_structure(self, path: Path, *arguments: Any) -> Any:
            nonlocal is_dead
            if path.name == name:
                is_dead = True
                raise Killed
            return self._port.read_structure(path, *arguments)  # type: ignore[attr-defined]

    with opened(root, later=leases * LEASE + timedelta(seconds=1)) as shop, suppress(Killed):
        mortal: dict[str, Any] = {
            port: Mortal(getattr(shop.ports, port)) for port in ("store", "ledger", "tables", "kpis", "validation")
        }
        pipeline.run(replace(shop.ports, **mortal), at_once=True)
    assert is_dead


def documents(root: Path) -> dict[str, object]:
    """Return what batches wrote about their files, without what differs between runs."""
    found: dict[str, object] = {}
    for folder in ("validation-reports", "failed", "quarantine"):
        for path in (root / folder).rglob("*"):
            if path.is_file():
                parts = path.relative_to(root).parts
                found["/".join(part for part in parts if not part.startswith("20"))] = path.read_text()
    for number, path in enumerate(sorted((root / "batches").glob("*/verdicts.json"))):
        document = json.loads(path.read_text())
        found[f"verdicts {number}"] = document["files"]
    return found


def test_each_attempt_that_fails_is_followed_by_one_with_smaller_rounds(tmp_path: Path) -> None:
    """With less memory or fewer open files, a batch uses less of them: it ends even if its verdicts are already written."""
    root = drop_many(new_store(tmp_path / "shop"), 20)
    rounds: list[int] = []
    with opened(root) as shop:

        class Refusing:
            def __getattr__(self, method: str) -> Any:
                return getattr(shop.ports.engine, method)

            def merging(self, staged: StagedBatch) -> Any:
                rounds.append(staged.files_at_once)
                if len(rounds) < 5:
                    raise MemoryError
                return shop.ports.engine.merging(staged)

        ports = replace(shop.ports, engine=Refusing())
        with pytest.raises(MemoryError):
            pipeline.run(ports, at_once=True)
        (batch,) = pipeline.run(ports, at_once=True).batches
    assert rounds == [64, 16, 4, 4, 4]
    assert {report.verdict for report in batch.reports if report.dataset is Dataset.ORDERS} == {Verdict.ACCEPTED}
    assert published(root) == expected(root)
