"""What status and batches say about batches in flight, resumed and given up."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from takings.errors import StoreError
from takings.intake.gate import LEASE
from takings.layout import BatchId, format_instant
from takings.runs import pipeline
from tests.cli.terminal import Takings, unwrapped
from tests.shop import drop_all, opened, run


class TestStatus:
    """takings status."""

    def test_of_a_batch_in_flight(self, takings: Takings, root: Path) -> None:
        """Who owns it, until when, and what is being read; also which files have killed a process."""
        drop_all(root)
        with opened(root) as shop:
            now = shop.ports.clock.now()
            gate = shop.ports.ledger.gate().claimed(BatchId("20261123T121600123456Z-4f2a"), "elsewhere:1:1:a", now)
            for change in (gate, gate.running()):
                gate = shop.ports.ledger.change_gate(change)
            gate = shop.ports.ledger.change_gate(gate.suspecting("raw-data/orders/b.csv", "etag"))
            shop.ports.ledger.change_gate(gate.now_reading("raw-data/orders/a.csv"))
        document = json.loads(takings("status", root, "--json").out)
        assert {name: document[name] for name in ("state", "owner", "reading", "suspects", "is_abandoned")} == {
            "state": "RUNNING",
            "owner": "elsewhere:1:1:a",
            "reading": "raw-data/orders/a.csv",
            "suspects": [{"key": "raw-data/orders/b.csv", "deaths": 1}],
            "is_abandoned": False,
        }
        assert document["lease_expires_at"] == format_instant(now + LEASE)
        assert "suspected raw-data/orders/b.csv: 1 process died while reading the file" in unwrapped(
            takings("status", root).out
        )


class TestBatches:
    """takings batches."""

    def test_every_attempt_is_told(self, takings: Takings, root: Path) -> None:
        """Who began it, and how the previous one ended."""
        drop_all(root)

        def stop(fact: str, _: Mapping[str, object]) -> None:
            if fact == "lake.merging":
                raise KeyboardInterrupt

        with opened(root) as shop, pytest.raises(KeyboardInterrupt):
            pipeline.run(replace(shop.ports, tell=stop), at_once=True)
        run(root)
        (batch,) = (path.name for path in (root / "batches").iterdir())
        attempts = json.loads(takings("batches", root, batch, "--json").out)["attempts"]
        assert [(each["attempt"], each["after"]) for each in attempts] == [
            (1, None),
            (2, "the previous attempt stopped in order, before it was done"),
        ]
        assert "attempt 2 by" in takings("batches", root, batch).out

    def test_a_batch_that_was_given_up_says_why(self, takings: Takings, root: Path) -> None:
        """Its files are pending again."""
        drop_all(root)

        class Full:
            def __init__(self, store: object) -> None:
                self._store = store

            def __getattr__(self, name: str) -> Any:
                if name == "fetch":
                    raise StoreError("the disk is full.")
                return getattr(self._store, name)

        with opened(root) as shop, pytest.raises(StoreError):
            pipeline.run(replace(shop.ports, store=Full(shop.ports.store)), at_once=True)
        (batch,) = (path.name for path in (root / "batches").iterdir())
        document = json.loads(takings("batches", root, batch, "--json").out)
        assert (document["state"], len(document["attempts"])) == ("GIVEN_UP", 3)
        assert {(each["status"], each["reason"]) for each in document["lineage"]} == {("FAILED", "returned to pending")}
        shown = takings("batches", root, batch).out
        assert "FAILED      raw-data/orders/a.csv: returned to pending" in shown
