"""Unblock a batch: `takings unblock`."""

from __future__ import annotations

from takings.api import Shop
from takings.entrypoints.console import Teller, out
from takings.entrypoints.options import Store


def unblock(store: Store) -> None:
    """Let the next run resume a blocked batch."""
    batch_id = Shop(store, tell=Teller()).unblock()
    out.print(f"batch {batch_id} continues with the next `takings run`", highlight=False)
