"""docs/brief.md says how to try the pipeline on AWS by hand; this test types it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.aws.harness.deployed import BUCKET, deploy
from tests.aws.harness.pipeline import Aws
from tests.emulators import ROOT, environment

pytestmark = [pytest.mark.xdist_group("end_to_end"), pytest.mark.no_cover]


def steps() -> list[str]:
    """Return the three things that the page says to type, in order."""
    page = (ROOT / "docs" / "brief.md").read_text()
    (block,) = re.findall(r"^```sh\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    return str(block).split("\n\n")


def test_what_the_page_says_to_type_works(pipe: Aws, functions: Path, aws_command_line: Path, tmp_path: Path) -> None:
    """Upload the samples, watch the execution, read the numbers, with AWS's own command line."""
    deployed = deploy(pipe, functions, batch_files="3")
    (machine,) = pipe.client("stepfunctions").list_state_machines()["stateMachines"]
    given = environment(pipe.url) | {
        "PATH": f"{aws_command_line.parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "S3_BUCKET_NAME": BUCKET,
        "STEP_FUNCTIONS_ARN": machine["stateMachineArn"],
    }

    def typed(lines: str) -> str:
        done = subprocess.run(["bash", "-euc", lines], cwd=ROOT, env=given, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    upload, look, read = steps()
    typed(upload)
    assert deployed.settled() == ["SUCCEEDED"]
    assert [each["status"] for each in json.loads(typed(look))["executions"]] == ["SUCCEEDED"]
    rows: list[dict[str, Any]] = json.loads(typed(read))["Items"]
    assert {"category", "order_date", "daily_revenue", "avg_order_value", "avg_return_rate"} <= rows[0].keys()
    assert deployed.keys("raw-data", "failed") == []
