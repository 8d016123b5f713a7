"""Send many small files through the whole pipeline on an emulated AWS while tasks are killed and events go wrong.

`python -m tests.aws.harness.torture --rounds 200 --files 1000 --seed 1`

A round drops its share of the files with S3's events held back, delivers some of these late and in another order, some twice,
the others never, and kills tasks at random moments, some with SIGTERM, most with SIGKILL. In some rounds the archiver has no
room for a call for up to eight minutes (waits of executions are shortened), in some a storm of 500 events comes at once. A
look finds the remaining files, like a sweep. At the end of each round every file must have ended once and be in one place, the
KPIs must be those that the oracle computes from the bucket's originals, and no part's call may have been refused by its role.
Exit codes: 0 all went well, 1 it did not.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from random import Random
from typing import Final

import pytest

from takings.adapters.aws import names
from takings.archive.lineage import RETURNED_TO_PENDING
from tests.aws.harness.deployed import BUCKET, STORE, Deployed, built_functions, deploy
from tests.aws.harness.pipeline import pipeline
from tests.emulators import started
from tests.shop import csv_of, expected, item, lineage, opened, order, product, published

#: a round that takes longer hangs
_PATIENCE_SECONDS: Final = 900.0
#: small, so that events start most batches
_SETTINGS: Final = {"batch_files": "3"}
#: how often a round has a storm, and a function without room
_STORMS, _REFUSALS = 0.2, 0.3
_STORM: Final = 500
#: an execution tries for ten minutes
_MOST_REFUSED_SECONDS: Final = 480


@dataclass(kw_only=True)
class Torture:
    """One round after another on one store."""

    deployed: Deployed
    random: Random
    #: where the oracle finds a copy of the bucket
    copy: Path
    #: ETags of what was copied
    copied: dict[str, str] = field(default_factory=dict)
    #: what was done, and the results
    done: Counter[str] = field(default_factory=Counter)
    dropped: list[str] = field(default_factory=list)

    def round(self, number: int, files: int) -> list[str]:
        """Drop files, disturb their processing, and return what is wrong once everything is quiet."""
        self.deployed.aws.hold_events()
        for place in range(files):
            self._drop(number, place)
        self._disturb_until_quiet()
        return self._wrong()

    def _drop(self, number: int, place: int) -> None:
        """Drop a product, an order or an item, sometimes a correction of an older one, or a bad one."""
        pick = self.random.randrange(1, 60)
        is_bad = self.random.random() < 0.05
        folder, row = self.random.choice(
            [
                ("products", product(pick, self.random.choice(["Books", "Toys", "Maps"]))),
                ("orders", order(pick, f"2025-03-{self.random.randrange(1, 29):02}T10:00:00")),
                ("order-items", item(pick, pick, self.random.randrange(1, 60), f"{self.random.randrange(1, 90)}.25")),
            ]
        )
        key = {"products": "id", "orders": "order_id", "order-items": "id"}[folder]
        name = f"{folder}/{number:04}-{place:04}.csv"
        self.deployed.drop(name, csv_of({**row, key: "bad"} if is_bad else row))
        self.dropped.append(f"raw-data/{name}")
        self.done["files"] += 1
        self.done["bad files"] += is_bad

    def _disturb_until_quiet(self) -> None:
        """Deliver an event now and then, and kill tasks, until nothing is pending and nothing runs; other events are lost."""
        end = time.monotonic() + _PATIENCE_SECONDS
        if self.random.random() < _REFUSALS:
            self.done["times that the archiver had no room"] += 1
            self.deployed.aws.refuse_calls(names.ARCHIVER, self.random.uniform(30, _MOST_REFUSED_SECONDS))
        if self.random.random() < _STORMS:
            self.done["storms of events"] += 1
            self.deployed.announce(_STORM)
        kills = self.random.randrange(4)
        while not self._is_quiet():
            assert time.monotonic() < end, "a round does not come to its end"
            time.sleep(self.random.uniform(0.2, 2))
            self._give_an_event_out()
            alive = [task for task in self.deployed.tasks() if task["exit_code"] is None]
            if alive and kills and self.random.random() < 0.6:
                kills -= 1
                self._kill(self.random.choice(alive)["pid"])
            if not self._is_running() and self.random.random() < 0.5:
                self.done["looks"] += 1
                self.deployed.look(at_once=True)
        self.done["events lost"] += len(self._held())
        self.deployed.aws.lose_events()

    def _give_an_event_out(self) -> None:
        """Deliver any event, once or twice; many at once would each start their own process."""
        if held := self._held():
            chosen, times = self.random.choice(held), self.random.choice([0, 1, 2])
            self.done["deliveries of events"] += times
            self.done["events delivered twice"] += times == 2
            self.deployed.aws.release_events(*[chosen] * times)

    def _held(self) -> list[int]:
        """Return the numbers of the held events that the bucket would forward; the others are the pipeline's own."""
        held = self.deployed.aws.held_events()
        return [number for number, event in enumerate(held) if event["key"].startswith("raw-data/")]

    def _is_running(self) -> bool:
        return any(each["status"] == "RUNNING" for each in self.deployed.executions())

    def _kill(self, pid: int) -> None:
        sent = signal.SIGTERM if self.random.random() < 0.3 else signal.SIGKILL
        with suppress(ProcessLookupError):
            os.kill(pid, sent)
            self.done[f"tasks that got {sent.name}"] += 1

    def _is_quiet(self) -> bool:
        if self.deployed.keys("raw-data") or self._is_running():
            return False
        with opened(STORE) as shop:
            return not shop.ports.ledger.gate().has_batch

    def _wrong(self) -> list[str]:
        """Compare with what was dropped, and with the oracle on a copy of the bucket."""
        ends = Counter(each.file_key for each in lineage(STORE) if each.reason != RETURNED_TO_PENDING)
        wrong = [f"{key} ended {ends[key]} times" for key in self.dropped if ends[key] != 1]
        filed = [key for key in self.deployed.keys("processed", "failed") if not key.endswith(".reason.json")]
        if len(filed) != len(self.dropped):
            wrong.append(f"{len(self.dropped)} files were dropped, {len(filed)} are filed away")
        refused = {(call["role"], call["action"]) for call in self.deployed.aws.calls() if not call["allowed"]}
        wrong += [f"{role} may not do {action}" for role, action in sorted(refused)]
        if left := self.deployed.keys("staging"):
            wrong.append(f"{left} are left over")
        self._copy()
        if published(STORE) != expected(self.copy):
            wrong.append("the KPIs are not the oracle's")
        return wrong

    def _copy(self) -> None:
        """Update the copy: fetch what is new or has changed, and remove what the bucket no longer has."""
        s3 = self.deployed.aws.client("s3")
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        found = {each["Key"]: each["ETag"] for page in pages for each in page.get("Contents", ())}
        for key in self.copied.keys() - found.keys():
            (self.copy / key).unlink()
        for key in (key for key, etag in found.items() if self.copied.get(key) != etag):
            (self.copy / key).parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(BUCKET, key, str(self.copy / key))
        self.copied = found


def main() -> int:
    """Run the rounds, and print what was done."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--rounds", type=int, default=200)
    arguments.add_argument("--files", type=int, default=1000)
    arguments.add_argument("--seed", type=int, default=1)
    asked = arguments.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="takings-torture."))
    began = time.monotonic()
    wrong: list[str] = []
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        started("ministack", folder) as emulator,
        pipeline(emulator, monkeypatch) as aws,
    ):
        deployed = deploy(aws, built_functions(folder / "functions"), **_SETTINGS)
        torture = Torture(deployed=deployed, random=Random(asked.seed), copy=folder / "copy")
        for number in range(asked.rounds):
            wrong = torture.round(number, ceil(asked.files / asked.rounds))
            print(f"round {number}: {'; '.join(wrong) or 'all is well'}", flush=True)
            if wrong:
                break
        ended = Counter(f"executions {each['status']}" for each in deployed.executions())
    told = ", ".join(f"{count} {what}" for what, count in sorted((torture.done + ended).items()))
    print(f"{told}; {time.monotonic() - began:.0f} s")
    if wrong:
        print(f"what was written is in {folder}", file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
