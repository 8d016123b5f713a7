"""A store in a bucket behaves like one in a folder: verdicts, lake, numbers, archive and histories are the same."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from takings.adapters.aws.object_store import FINGERPRINT, VERSION
from takings.composition.stores import Shop
from takings.contracts.model import Dataset
from takings.entrypoints.kpi_output import as_csv
from takings.errors import MachineryError
from takings.intake.arrivals import sight
from takings.intake.gate import Gate, GateState
from takings.kpis.publication import visible
from takings.layout import RAW, format_instant
from takings.queries.verification import explain, verify
from takings.runs import pipeline
from takings.runs.restate import restate
from takings.validation.findings import Verdict
from tests.aws.harness.shop import STORE, S3Shop
from tests.pipeline.test_crashes import Death, Killed, mortal
from tests.shop import (
    ITEMS,
    NOON,
    ORDERS,
    csv_of,
    drop,
    expected,
    files,
    item,
    lineage,
    new_store,
    opened,
    order,
    product,
    run,
)

#: by then, any lease has ended
LATER = timedelta(minutes=2)

#: drops, batch by batch: a move, a correction, an orphan and its order, a copy, a bad file, a changed category
STORY: tuple[Mapping[str, bytes], ...] = (
    {
        "products/a.csv": csv_of(product(1, "Books"), product(2, "Toys"), product(3, "Toys")),
        "orders/a.csv": ORDERS,
        "order-items/a.csv": ITEMS,
    },
    {
        "orders/b.csv": csv_of(order(3, "2025-04-01T08:00:00")),
        "order-items/orphan.csv": csv_of(item(4, 4, 2, "1.50")),
        "order-items/bad.csv": csv_of(item(5, 1, 1, "-1"), item(6, 1, 1, "2.00")),
        "orders/copy.csv": ORDERS,
    },
    {
        "orders/a.csv": csv_of(order(1, status="returned"), order(2), order(4)),
        "products/new.csv": csv_of(product(1, "Maps")),
    },
)


@dataclass(kw_only=True)
class DeathBefore(Death):
    """Die before a process takes a step for the n-th time."""

    at: int = -1
    step: str
    nth: int

    def before(self, step: str, *, is_counted: bool) -> None:
        """Die before the step; a dead process takes no more steps."""
        if is_counted and not self.is_dead:
            self.steps.append(step)
            self.is_dead = self.steps.count(self.step) == self.nth
        if self.is_dead:
            raise Killed


@contextmanager
def dying(step: str, nth: int = 1) -> Iterator[Shop]:
    """Open the store for a process that will die."""
    with pytest.raises(Killed), opened(STORE) as shop:
        yield replace(shop, ports=mortal(shop.ports, DeathBefore(step=step, nth=nth)))


@dataclass(frozen=True, kw_only=True)
class Told:
    """A store's results, in a form that is the same on any platform."""

    by_day: str
    by_category: str
    lineage: list[dict[str, Any]]


def told(shop: Shop) -> Told:
    """Return the published numbers, and every file's history without days and batches."""
    by_day, by_category = (as_csv(table, visible(shop.ports.kpis.rows(table))) for table in shop.ports.kpi_tables)
    stories = [
        {
            "key": record.file_key,
            "status": record.status.value,
            "verdict": record.verdict and record.verdict.value,
            "size": record.size,
            "fingerprint": record.fingerprint,
            "records": record.records,
            "reason": record.reason,
            "place": record.archived_at and [record.archived_at.split("/")[0], *record.archived_at.split("/")[5:]],
        }
        for record in shop.ports.ledger.lineage()
    ]
    return Told(by_day=by_day, by_category=by_category, lineage=sorted(stories, key=str))


def test_a_bucket_tells_the_same_story_as_a_folder(shop: S3Shop, tmp_path: Path) -> None:
    """KPIs byte for byte, with lineage, archive, reasons and the rows behind a number."""
    root = new_store(tmp_path / "shop")
    with opened(STORE) as there, opened(root) as here:
        for batch in STORY:
            for file, content in batch.items():
                drop(root, file, content)
                shop.drop(file, content)
            outcomes = [pipeline.run(each.ports, at_once=True).batches for each in (there, here)]
            assert [len(batches) for batches in outcomes] == [1, 1]
            assert told(there) == told(here)
        assert (told(there).by_day, told(there).by_category) == expected(root)
        assert verify(there.ports).differences == ()
        rows = [explain(each.ports, NOON.date()).rows for each in (there, here)]
        assert [replace(row, archived_at=None) for row in rows[0]] == [
            replace(row, archived_at=None) for row in rows[1]
        ]
        restated = [restate(each.ports, NOON.date(), None).published for each in (there, here)]
        assert restated[0] == restated[1]
        assert told(there) == told(here)
    folders = ("raw-data", "processed", "failed", "quarantine", "staging", "lake/commits")
    assert shop.files(*folders) == sorted(files(root, *folders))


def test_an_original_carries_version_and_fingerprint(shop: S3Shop) -> None:
    """As metadata of the object; the original under raw-data/ has a delete marker."""
    shop.drop_all()
    run(STORE)
    for record in lineage(STORE):
        assert record.archived_at is not None
        archived = shop.bucket.newest(record.archived_at)
        assert archived is not None
        assert archived.metadata == {VERSION: format_instant(record.version), FINGERPRINT: record.fingerprint}
        assert shop.bucket.newest(record.file_key) is None
        assert shop.bucket.find(record.file_key, record.etag) is not None


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Return a folder's results of the first two batches run as one."""
    root = new_store(tmp_path_factory.mktemp("undisturbed") / "shop")
    for file, content in (*STORY[0].items(), *STORY[1].items()):
        drop(root, file, content)
    with opened(root) as shop:
        pipeline.run(shop.ports, at_once=True)
        return told(shop)


@pytest.mark.parametrize(
    ("aws", "step", "nth"),
    [
        ("ministack", "ledger.change_gate", 2),  # lineage is written
        ("moto", "tables.prepare", 1),  # verdicts are written
        ("ministack", "tables.apply", 2),  # products are merged, orders are not
        ("ministack", "kpis.publish", 1),  # all is merged and committed
        ("ministack", "kpis.publish", 2),  # days are published, categories are not
        ("ministack", "ledger.record", 1),  # originals are archived, their records are not written
        ("moto", "store.forget", 1),  # the outcome is written
    ],
    indirect=["aws"],
)
def test_another_host_completes_what_a_death_left(shop: S3Shop, undisturbed: Told, step: str, nth: int) -> None:
    """Wherever the first one died, and without anything from its disk: after the lease, the same batch continues."""
    for file, content in (*STORY[0].items(), *STORY[1].items()):
        shop.drop(file, content)
    with dying(step, nth) as first:
        pipeline.run(first.ports, at_once=True)
    with opened(STORE, later=LATER) as second:
        (batch,) = pipeline.run(second.ports, at_once=True).batches
        assert batch.attempt == 2
        assert told(second) == undisturbed
    assert shop.files("raw-data", "staging") == []


def test_a_file_that_is_overwritten_meanwhile_is_the_next_batchs(shop: S3Shop) -> None:
    """Its older bytes are validated and archived, even by another host that never had them."""
    shop.drop_all()
    newer = csv_of(order(1), order(2), order(3, "2025-04-01T08:00:00"))

    def overwrite(what: str, known: Mapping[str, object]) -> None:
        if what == "file.judged" and known["key"] == "raw-data/orders/a.csv":
            shop.drop("orders/a.csv", newer)

    with dying("tables.apply") as first:
        pipeline.run(replace(first.ports, tell=overwrite), at_once=True)
    batches = run(STORE, later=LATER).batches
    assert [[report.verdict for report in batch.reports] for batch in batches] == [
        [Verdict.ACCEPTED] * 3,
        [Verdict.ACCEPTED],
    ]
    older, corrected = [each for each in lineage(STORE) if each.file_key == "raw-data/orders/a.csv"]
    assert (shop.content(str(older.archived_at)), shop.content(str(corrected.archived_at))) == (ORDERS, newer)
    assert corrected.version > older.version


@pytest.mark.parametrize("aws", ["moto"], indirect=True)
def test_of_two_who_dispatch_one_wins(shop: S3Shop) -> None:
    """The other one leaves at most a manifest."""
    shop.drop_all()
    with opened(STORE) as one, opened(STORE) as other:
        drops = sight(one.ports.store.list(RAW)).drops
        gate = one.ports.ledger.gate()
        won = pipeline.dispatch(one.ports, gate, drops)
        assert won is not None
        assert pipeline.dispatch(other.ports, gate, drops) is None
        assert other.ports.ledger.gate() == Gate(
            generation=other.ports.ledger.gate().generation,
            state=GateState.IDLE,
            last_commit=1,
            landed=frozenset(Dataset(report.dataset) for report in won.reports),
        )
    assert len(lineage(STORE)) == 3


@pytest.mark.parametrize("aws", ["ministack"], indirect=True)
def test_a_living_owner_elsewhere_is_waited_for(shop: S3Shop) -> None:
    """No process is known to be dead by its name: only its lease ends."""
    shop.drop_all()
    with dying("store.fetch") as first:
        pipeline.run(first.ports, at_once=True)
    with opened(STORE) as second:
        assert isinstance(pipeline.step(second.ports, at_once=True), pipeline.Busy)
    with opened(STORE, later=LATER) as second:
        assert isinstance(pipeline.step(second.ports, at_once=True), pipeline.Worked)


@pytest.mark.parametrize("aws", ["moto"], indirect=True)
def test_a_lost_archive_stops_the_batch(shop: S3Shop) -> None:
    """Other bytes at an original's destination are never overwritten; the drop stays."""
    shop.drop_all()

    def plant(what: str, known: Mapping[str, object]) -> None:
        if what == "batch.dispatched":
            batch = str(known["batch_id"])
            day = f"{batch[:4]}/{batch[4:6]}/{batch[6:8]}"
            shop.bucket.create(f"processed/{day}/{batch}/orders/a.csv", b"something else")

    with opened(STORE) as first, pytest.raises(MachineryError, match="already holds other bytes"):
        pipeline.run(replace(first.ports, tell=plant), at_once=True)
    assert shop.content("raw-data/orders/a.csv") == ORDERS


@pytest.mark.parametrize("aws", ["ministack"], indirect=True)
def test_credentials_may_lie_in_a_profile(shop: S3Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `aws configure` writes it; the lake uses the same ones."""
    (tmp_path / "credentials").write_text("[north]\naws_access_key_id = test\naws_secret_access_key = test\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "north")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    shop.drop_all()
    (batch,) = run(STORE).batches
    assert batch.commit == 1


@pytest.mark.parametrize("aws", ["ministack"], indirect=True)
def test_settings_may_lie_in_the_bucket(shop: S3Shop) -> None:
    """As in a folder."""
    shop.bucket.create("takings.toml", b'policy = "strict"\nbatch_files = 3\n')
    shop.drop_all()
    (batch,) = run(STORE, at_once=False).batches
    assert json.loads(shop.content(f"batches/{batch.batch_id}/manifest.json"))["settings"]["policy"] == "strict"
