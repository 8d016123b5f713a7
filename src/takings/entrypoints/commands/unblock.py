"""Unblock a batch: `takings unblock`."""

from __future__ import annotations

from takings.composition.stores import open_store
from takings.entrypoints.console import Teller, out
from takings.entrypoints.options import Store
from takings.errors import UnknownThing
from takings.intake.gate import GateState


def unblock(store: Store) -> None:
    """Let the next run resume a blocked batch."""
    with open_store(store, Teller()) as shop:
        gate = shop.ports.ledger.gate()
        if gate.state is not GateState.BLOCKED:
            raise UnknownThing(f"{store}: no batch is blocked.")
        shop.ports.ledger.change_gate(gate.unblocked(shop.ports.clock.now()))
    out.print(f"batch {gate.batch_id} continues with the next `takings run`", highlight=False)
