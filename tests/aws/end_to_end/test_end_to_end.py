"""The pipeline as it runs on AWS, set up by its own bootstrap: events, functions, state machine, tasks, tables."""

from __future__ import annotations

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from takings.adapters.aws import names
from takings.intake.gate import GateState
from tests.aws.harness.deployed import STORE, Deployed, stopping_at, story
from tests.aws.harness.pipeline import until
from tests.shop import ORDERS, csv_of, drop, drop_all, item, new_store, opened, order, product, published, run

pytestmark = [pytest.mark.xdist_group("end_to_end"), pytest.mark.no_cover]
#: what the three standard files leave
FILED = ["processed/order_items/a.csv", "processed/orders/a.csv", "processed/products/a.csv"]


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """Return a folder where the three standard files were processed."""
    root = drop_all(new_store(tmp_path / "shop"))
    run(root)
    return root


def test_ten_files_go_at_once(deployed: Deployed, tmp_path: Path) -> None:
    """Without any call: the tenth file's event starts the batch, and its numbers are those of a folder."""
    files = {f"products/{n}.csv": csv_of(product(n, f"C{n}")) for n in range(3)}
    files |= {f"orders/{n}.csv": csv_of(order(n), order(n + 10, f"2025-04-0{n + 1}T08:00:00")) for n in range(3)}
    files |= {f"order-items/{n}.csv": csv_of(item(n, n, n), item(n + 10, n + 10, n, "7.77")) for n in range(3)}
    files["order-items/bad.csv"] = csv_of(item(99, 1, 1, "-1"))
    root = new_store(tmp_path / "shop")
    for key, content in files.items():
        drop(root, key, content)
    run(root)

    deployed.aws.hold_events()
    *before, last = files
    for key in before:
        deployed.drop(key, files[key])
    assert deployed.look() == {"detected": "resting", "decision": "WaitUntil"}
    assert deployed.schedules() == [names.DEADLINE, names.MAINTAIN, names.SWEEP]
    deployed.aws.hold_events(holding=False)
    deployed.drop(last, files[last])
    assert deployed.settled() == ["SUCCEEDED"]
    assert deployed.schedules() == [names.MAINTAIN, names.SWEEP]
    assert published(STORE) == published(root)
    assert story(STORE) == story(root)
    assert deployed.keys("raw-data", "processed", "failed", "staging") == [
        "failed/order_items/bad.csv",
        "failed/order_items/bad.csv.reason.json",
        *(f"processed/{folder}/{n}.csv" for folder in ("order_items", "orders", "products") for n in range(3)),
    ]
    (letter,) = deployed.letters()
    assert '"key": "raw-data/order-items/bad.csv"' in letter["Body"]


def test_fewer_files_go_at_the_deadline(deployed: Deployed, local: Path) -> None:
    """One schedule wakes the detector once and is then removed; looks in the meantime leave it as it is."""
    deployed.set(batch_wait="3s", policy="strict")
    deployed.aws.hold_events()
    deployed.drop_all()
    assert deployed.look() == deployed.look() == {"detected": "resting", "decision": "WaitUntil"}
    with opened(STORE) as shop:
        deadline = shop.ports.ledger.gate().deadline
    assert deadline is not None
    place = {"Name": names.DEADLINE, "GroupName": names.SCHEDULES}
    schedule = deployed.aws.client("scheduler").get_schedule(**place)["ScheduleExpression"]
    at = datetime.strptime(f"{schedule}+0000", "at(%Y-%m-%dT%H:%M:%S)%z")
    assert timedelta(0) <= at - deadline < timedelta(seconds=1)
    assert deployed.settled() == ["SUCCEEDED"]
    assert deployed.schedules() == [names.MAINTAIN, names.SWEEP]
    assert (published(STORE), story(STORE)) == (published(local), story(local))


def test_events_come_late_twice_and_in_another_order(deployed: Deployed, local: Path) -> None:
    """The first one to come finds all files; the others find nothing to do."""
    deployed.set(batch_files="3")
    deployed.aws.hold_events()
    deployed.drop_all()
    until(lambda: len(deployed.aws.held_events()) == 3)
    deployed.aws.release_events(2)
    assert deployed.settled() == ["SUCCEEDED"]
    deployed.aws.release_events(1, 0, 0, 1)
    assert deployed.look() == {"detected": "resting", "decision": "NothingPending"}
    assert deployed.settled() == ["SUCCEEDED"]
    assert (published(STORE), story(STORE)) == (published(local), story(local))
    assert deployed.keys("raw-data", "processed", "failed") == FILED


def test_the_lake_is_maintained_once_a_day(deployed: Deployed) -> None:
    """A task of its own compacts a day's small files, in the name of a role that can change no gate and read no drop."""
    deployed.aws.hold_events()
    for number in range(5):
        deployed.drop(f"products/{number}.csv", csv_of(product(number, f"C{number}")))
        deployed.drop(f"orders/{number}.csv", csv_of(order(number)))
        deployed.drop(f"order-items/{number}.csv", csv_of(item(number, number, number)))
        run(STORE)
    before = published(STORE)
    deployed.pass_a_day()
    (task,) = until(lambda: [each for each in deployed.tasks("maintain") if each["exit_code"] is not None], seconds=120)
    (line,) = [line for line in Path(task["log"]).read_text().splitlines() if '"store.maintained"' in line]
    assert (task["exit_code"], json.loads(line)["compacted"]["order_items"]) == (0, [5, 1])
    assert published(STORE) == before
    assert deployed.look() == {"detected": "resting", "decision": "NothingPending"}


def test_files_without_events_are_found_by_the_sweep(deployed: Deployed, local: Path) -> None:
    """S3 promises at least one event, and nearly always delivers it."""
    deployed.set(batch_files="3")
    deployed.aws.hold_events()
    deployed.drop_all()
    until(lambda: len(deployed.aws.held_events()) == 3)
    deployed.aws.lose_events()
    assert deployed.executions() == []
    deployed.sweep()
    assert deployed.settled() == ["SUCCEEDED"]
    assert (published(STORE), story(STORE)) == (published(local), story(local))


def test_of_two_detectors_one_starts_the_batch(deployed: Deployed, local: Path) -> None:
    """The gate lets only one through, even if the other comes late: the batch is still running."""
    deployed.run_services(stopping_at("file.validating", names.VALIDATION))
    deployed.aws.hold_events()
    deployed.drop_all()
    with ThreadPoolExecutor(2) as both:
        answers = [each.result() for each in [both.submit(deployed.look, at_once=True) for _ in range(2)]]
    assert sorted(answer["detected"] for answer in answers) == ["in progress", "started"]
    os.kill(deployed.stopped_at("file.validating", names.VALIDATION)["pid"], signal.SIGCONT)
    assert deployed.settled() == ["SUCCEEDED"]
    assert (published(STORE), story(STORE)) == (published(local), story(local))


def test_a_correction_in_mid_batch_makes_the_next_one(deployed: Deployed, local: Path) -> None:
    """The batch keeps the bytes it was formed from; at its end, the look finds the correction, and what came with it.

    The batch has policy "strict", which looks for its items' parents in the lake.
    """
    correction = ORDERS.replace(b"2025-03-30", b"2025-04-02")
    meanwhile = {"orders/a.csv": correction, "order-items/b.csv": csv_of(item(4, 1, 2, "7.77"))}
    for key, content in meanwhile.items():
        drop(local, key, content)
    run(local)

    deployed.run_services(stopping_at("file.validating", names.VALIDATION))
    deployed.aws.hold_events()
    deployed.drop_all()
    assert deployed.look(at_once=True)["detected"] == "started"
    task = deployed.stopped_at("file.validating", names.VALIDATION)
    deployed.set(batch_files="1", policy="strict")
    for key, content in meanwhile.items():
        deployed.drop(key, content)
    assert deployed.look()["detected"] == "in progress"
    os.kill(task["pid"], signal.SIGCONT)
    assert deployed.settled(executions=2) == ["SUCCEEDED", "SUCCEEDED"]
    assert (published(STORE), story(STORE)) == (published(local), story(local))
    second = ["processed/order_items/b.csv", "processed/orders/a.csv"]
    assert deployed.keys("raw-data", "processed", "failed") == sorted([*FILED, *second])
    with opened(STORE) as shop:
        assert shop.ports.ledger.gate().state is GateState.IDLE
