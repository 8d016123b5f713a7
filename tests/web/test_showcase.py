"""The shop in the pictures looks as if it had always been there."""

from __future__ import annotations

from pathlib import Path

from takings.entrypoints.web import batch_story
from takings.entrypoints.web.records import History
from takings.layout import BatchId
from takings.queries import batches as batch_documents
from tests.shop import opened
from tests.web import showcase


def test_every_step_of_a_batch_is_of_one_clock(tmp_path: Path) -> None:
    """No step took days, and none is missing or ends before it began; so README's picture of a batch is true."""
    root = showcase.build(tmp_path / "shop", orders=400, days=30, parts=3)
    with opened(root) as shop:
        stories = {
            batch_id: batch_story.story(
                History(), shop, batch_documents.details(shop.ports, BatchId(batch_id)).to_json()
            )["steps"]
            for batch_id in batch_documents.batch_ids(shop.ports)
        }
    assert [[step["name"].split(",")[0] for step in steps] for steps in stories.values()] == [
        ["Formed", "Begun", "Validated", "Merged", "Published and archived"]
    ] * 3
    took = [step["seconds"] for steps in stories.values() for step in steps[1:]]
    assert [seconds for seconds in took if seconds is None or not 0 <= seconds < 120] == []
