"""Replay and rebuild: the archive is processed again, and nothing counts twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from takings import layout
from takings.adapters.local.object_store import FolderStore
from takings.errors import CorruptState, UnknownThing
from takings.intake.arrivals import ObjectInfo
from takings.layout import BatchId
from takings.queries.verification import explain, verify
from takings.runs import pipeline
from takings.runs.pipeline import BatchOutcome
from takings.runs.rebuild import Rebuilt, read_archive, rebuild
from takings.runs.replay import replay_batch, replay_failed, replay_file
from takings.validation.findings import Verdict
from tests.shop import (
    NOON,
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
    published,
    run,
)

DAY = NOON.date().replace(year=2025, month=3, day=30)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a store with a history: a correction, a copy, a refused file, an orphan, a file with bad and good rows."""
    root = drop_all(new_store(tmp_path / "shop"))
    run(root)
    drop(root, "order-items/a.csv", csv_of(item(1, 1, sale_price="99.00")))
    drop(root, "order-items/copy.csv", csv_of(item(20, 1)))
    drop(root, "order-items/again/copy.csv", csv_of(item(20, 1)))
    drop(root, "order-items/bad.csv", csv_of(item(30, 1, sale_price="0")))
    drop(root, "order-items/orphan.csv", csv_of(item(40, 404)))
    run(root)
    drop(root, "orders/late.csv", csv_of(order(404, "2025-04-01T08:00:00")))
    drop(root, "order-items/mixed.csv", csv_of(*(item(50 + n, 1) for n in range(5)), item(60, 1, sale_price="-1")))
    run(root, policy="row", max_rejected="50%")
    return root


def max_batch(root: Path) -> str:
    """Return the id of the newest batch."""
    return max(path.name for path in root.glob("batches/*"))


def judged(outcomes: Iterable[BatchOutcome]) -> dict[str, str]:
    """Return the verdict on each file."""
    return {report.file: report.verdict.value for outcome in outcomes for report in outcome.reports}


def stories(root: Path) -> list[tuple[object, ...]]:
    """Return every file's history without what differs between two stores."""
    told = (
        "file_key",
        "processing_date",
        "batch_id",
        "status",
        "verdict",
        "fingerprint",
        "version",
        "records",
        "reason",
    )
    return [tuple(getattr(record, name) for name in (*told, "archived_at")) for record in lineage(root)]


class TestReplay:
    """Archived originals again, as a new batch."""

    def test_a_batch_again_changes_no_number(self, root: Path) -> None:
        """Each file gets the same verdict, its rows their first version; a second replay changes nothing either."""
        before = published(root)
        (first, *_) = sorted({record.batch_id for record in lineage(root)})
        for _ in range(2):
            with opened(root) as shop:
                outcomes = replay_batch(shop.ports, first)
            assert judged(outcomes) == {"a.csv": "accepted"}
            assert published(root) == before == expected(root)
        with opened(root) as shop:
            assert verify(shop.ports).differences == ()

    def test_originals_stay_where_they_were(self, root: Path) -> None:
        """The new batch gets its own copies."""
        (first, *_) = sorted({record.batch_id for record in lineage(root)})
        before = files(root, "processed", "failed")
        with opened(root) as shop:
            replay_batch(shop.ports, first)
        taken = ["processed/order_items/a.csv", "processed/orders/a.csv", "processed/products/a.csv"]
        assert sorted(files(root, "processed", "failed")) == sorted(before + taken)
        assert files(root, "raw-data", "staging", ".takings/fetched") == []

    def test_a_file_again_is_its_newest_original(self, root: Path) -> None:
        """The correction, not the corrected file; a copy stays a copy."""
        with opened(root) as shop:
            (outcome,) = replay_file(shop.ports, "raw-data/order-items/a.csv")
            (copied,) = replay_file(shop.ports, "raw-data/order-items/again/copy.csv")
        versions = [record.version for record in lineage(root) if record.file_key == "raw-data/order-items/a.csv"]
        assert (outcome.reports[0].verdict, outcome.reports[0].version) == (Verdict.ACCEPTED, max(versions))
        assert judged([copied]) == {"again/copy.csv": "duplicate"}
        assert published(root) == expected(root)

    def test_refused_files_are_judged_by_the_present_settings(self, root: Path) -> None:
        """What is valid now is accepted, with the version of its first sight; then nothing is left to replay."""
        with opened(root) as shop:
            assert judged(replay_failed(shop.ports)) == {"bad.csv": "rejected"}
        with opened(root, policy="row", max_rejected="100%") as shop:
            assert judged(replay_failed(shop.ports)) == {"bad.csv": "accepted"}
            assert replay_failed(shop.ports) == ()
        assert published(root) == expected(root)

    def test_what_was_corrected_meanwhile_is_not_replayed(self, root: Path) -> None:
        """A refused file is settled once good bytes came under its name."""
        drop(root, "order-items/bad.csv", csv_of(item(30, 1, sale_price="3.00")))
        run(root)
        with opened(root) as shop:
            assert replay_failed(shop.ports) == ()

    @pytest.mark.parametrize(
        ("ask", "text"),
        [
            (lambda ports: replay_batch(ports, BatchId("nonsense")), "no batch 'nonsense' has archived a file"),
            (lambda ports: replay_file(ports, "orders/a.csv"), "no file 'orders/a.csv' was ever archived"),
        ],
    )
    def test_what_is_not_there_is_named(self, root: Path, ask: Any, text: str) -> None:
        """The error says what to write instead."""
        with opened(root) as shop, pytest.raises(UnknownThing, match=text):
            ask(shop.ports)

    def test_an_original_that_is_gone_is_named(self, root: Path) -> None:
        """Nothing is replayed without it."""
        (gone,) = root.glob("failed/*/*/*/*/order_items/bad.csv")
        gone.unlink()
        with opened(root) as shop, pytest.raises(CorruptState, match=r"bad\.csv is gone from the archive"):
            replay_failed(shop.ports)


def rebuilt(root: Path, into: Path, **options: Any) -> Rebuilt:
    """Rebuild a store from its archive."""
    (into / "raw-data").mkdir(parents=True)
    source = FolderStore(root)
    with opened(into, **options) as shop:
        return rebuild(source, read_archive(source), shop.ports)


def behind(root: Path) -> list[tuple[object, ...]]:
    """Return the rows behind a day's numbers."""
    with opened(root) as shop:
        return [(row.order_id, row.item_id, row.sale_price, row.key, row.line) for row in explain(shop.ports, DAY).rows]


class TestRebuild:
    """Lake, KPIs and ledger from the archive alone."""

    def test_it_equals_what_was_there(self, root: Path, tmp_path: Path) -> None:
        """KPIs, the rows behind them, every file's history, and the archive; .takings and lake/ were not needed."""
        with opened(root) as shop:
            replay_failed(shop.ports)
        right, story, archive = published(root), stories(root), files(root, "processed", "failed", "quarantine")
        rows = behind(root)
        for private in (root / ".takings", root / "lake", root / "validation-reports", root / "quarantine"):
            private.rename(tmp_path / private.name)
        done = rebuilt(root, tmp_path / "new")
        assert (done.changes, done.unarchived) == ((), ())
        assert published(tmp_path / "new") == right == expected(tmp_path / "new")
        assert stories(tmp_path / "new") == story
        assert sorted(files(tmp_path / "new", "processed", "failed", "quarantine")) == sorted(archive)
        assert behind(tmp_path / "new") == rows

    def test_batches_are_run_again_in_the_order_of_their_commits(self, root: Path, tmp_path: Path) -> None:
        """The second one was named by a clock that is ahead; older bytes that came back last are still a correction."""
        first, second = (csv_of(item(1, 1, sale_price=price)) for price in ("5.00", "6.00"))
        for content, ahead in ((first, 0), (second, 60), (first, 1)):
            drop(root, "order-items/z.csv", content)
            run(root, later=timedelta(seconds=ahead))
        assert rebuilt(root, tmp_path / "new").changes == ()
        assert published(tmp_path / "new") == published(root) == expected(root)

    def test_a_batch_in_flight_is_rebuilt_as_far_as_it_is_archived(self, root: Path, tmp_path: Path) -> None:
        """What is still a drop is named, so it can be dropped again."""
        drop(root, "order-items/x.csv", csv_of(item(70, 1)))
        drop(root, "order-items/y.csv", csv_of(item(71, 1)))

        def stop(fact: str, known: Any) -> None:
            if fact == "file.archived":
                raise KeyboardInterrupt

        with opened(root) as shop, pytest.raises(KeyboardInterrupt):
            pipeline.run(replace(shop.ports, tell=stop), at_once=True)
        done = rebuilt(root, tmp_path / "new")
        assert len(done.unarchived) == 1
        for key in done.unarchived:
            name = key.rpartition("/")[2]
            drop(tmp_path / "new", f"order-items/{name}", csv_of(item(70 if name == "x.csv" else 71, 1)))
        run(tmp_path / "new")
        run(root)
        assert published(tmp_path / "new") == published(root) == expected(root)

    def test_another_time_zone_cuts_the_days_anew(self, root: Path, tmp_path: Path) -> None:
        """Times without a zone are read again from the originals."""
        drop(root, "orders/night.csv", csv_of(order(90, "2025-03-31T23:30:00Z")))
        drop(root, "order-items/night.csv", csv_of(item(90, 90)))
        run(root)
        done = rebuilt(root, tmp_path / "new", time_zone="Europe/Berlin")
        assert done.changes == ()
        by_day, _ = published(tmp_path / "new", time_zone="Europe/Berlin")
        assert by_day != published(root)[0]
        assert "2025-04-01,2," in by_day

    def test_a_changed_verdict_is_told(self, root: Path, tmp_path: Path) -> None:
        """The manifest keeps policy and settings, so only other contracts can change it."""
        contracts = tmp_path / "contracts"
        contracts.mkdir()
        for shipped in (resources.files("takings.contracts")).iterdir():
            if shipped.name.endswith(".odcs.yaml"):
                text = shipped.read_text(encoding="utf-8")
                (contracts / shipped.name).write_text(text.replace("exclusiveMinimum: 0", "exclusiveMinimum: 50"))
        done = rebuilt(root, tmp_path / "new", contracts=str(contracts))
        taken = {change.before.file: change.after and change.after.verdict for change in done.changes}
        assert taken["a.csv"] is Verdict.REJECTED
        with opened(tmp_path / "new", contracts=str(contracts)) as shop:
            assert verify(shop.ports).differences == ()

    def test_an_incomplete_archive_is_refused(self, root: Path, tmp_path: Path) -> None:
        """Before anything is written."""
        (gone,) = root.glob("failed/*/*/*/*/order_items/bad.csv")
        gone.unlink()
        with pytest.raises(
            CorruptState, match=r"the original of raw-data/order-items/bad\.csv is gone from the archive"
        ):
            rebuilt(root, tmp_path / "new")
        assert files(tmp_path / "new", "batches", "lake") == []

    def test_a_batch_that_ends_meanwhile_lacks_nothing(self, root: Path) -> None:
        """It archives its last file and writes its outcome after the archive was listed."""
        (outcome,) = [path for path in root.glob("batches/*/outcome.json") if path.parent.name == max_batch(root)]
        (original,) = root.glob("processed/*/*/*/*/order_items/mixed.csv")
        bytes_of = {path: path.read_bytes() for path in (outcome, original)}

        class EndsMeanwhile(FolderStore):
            def list(self, prefix: str) -> Iterator[ObjectInfo]:
                yield from [*super().list(prefix)]
                if prefix == layout.ARCHIVES[-1]:
                    for path, content in bytes_of.items():
                        path.write_bytes(content)

        for path in bytes_of:
            path.unlink()
        *_, last = read_archive(EndsMeanwhile(root))
        assert (last.unarchived, last.commit) == (("raw-data/order-items/mixed.csv",), None)

    def test_damaged_documents_are_named(self, root: Path, tmp_path: Path) -> None:
        """The error names the place and the remedy."""
        first = min(root.glob("batches/*/verdicts.json"))
        first.write_text("{")
        with pytest.raises(
            CorruptState, match=r"verdicts\.json is damaged: no verdicts of a batch .* Restore it from a back-up"
        ):
            read_archive(FolderStore(root))
