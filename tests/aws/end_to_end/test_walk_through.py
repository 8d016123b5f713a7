"""The walk-through of docs/aws.md, typed into a shell as it is, with AWS's own command line."""

from __future__ import annotations

import json
import os
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.aws.harness.deployed import BUCKET, STORE, Deployed
from tests.emulators import ROOT, environment
from tests.shop import drop, new_store, opened, published, run

pytestmark = [pytest.mark.xdist_group("end_to_end"), pytest.mark.no_cover]


def blocks() -> list[str]:
    """Return the shell blocks of the walk-through."""
    section = (ROOT / "docs" / "aws.md").read_text().split("\n## Walk-through\n", 1)[1].split("\n## ", 1)[0]
    return [part.split("```", 1)[0] for part in section.split("```sh\n")[1:]]


def documents(text: str) -> list[Any]:
    """Read the JSON documents in a text, one after the other."""
    found, decoder = [], json.JSONDecoder()
    while text := text.strip():
        document, end = decoder.raw_decode(text)
        found.append(document)
        text = text[end:]
    return found


def test_the_walk_through(deployed: Deployed, aws_command_line: Path, tmp_path: Path) -> None:
    """Files go up, an execution is listed, and the table shows the numbers; only the wait is shortened."""
    path = os.pathsep.join([str(aws_command_line.parent), os.environ["PATH"]])
    clean = {"PATH": path, "HOME": str(tmp_path), "AWS_PAGER": ""} | environment(deployed.aws.url)

    def typed(block: str) -> str:
        ended = subprocess.run(
            ["bash", "-ec", block], cwd=ROOT, env=clean, capture_output=True, text=True, check=False, timeout=120
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    upload, look = blocks()
    assert "export S3_BUCKET_NAME=my-shop\n" in upload
    deployed.set(batch_wait="2s")
    uploaded = typed(upload.replace("my-shop", BUCKET))
    assert uploaded.count("upload: sample/") == 3
    assert deployed.settled() == ["SUCCEEDED"]
    executions, table = documents(typed(look))
    assert [each["status"] for each in executions["executions"]] == ["SUCCEEDED"]

    root = new_store(tmp_path / "shop")
    for folder, name in (("products", "products"), ("orders", "orders"), ("order-items", "order_items")):
        sample = ROOT / "sample" / f"{name}_part1.csv"
        drop(root, f"{folder}/{sample.name}", sample.read_bytes())
    run(root)
    assert published(STORE) == published(root)
    with opened(root) as shop:
        (_, by_category) = shop.ports.kpi_tables
        rows = list(shop.ports.kpis.rows(by_category))
    assert table["Count"] == len(rows) > 0
    revenue = sum(Decimal(item["daily_revenue"]["N"]) for item in table["Items"])
    assert revenue == sum(Decimal(str(row.values["daily_revenue"])) for row in rows)
