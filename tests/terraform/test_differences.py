"""The comparison of terraform with the bootstrap finds what differs, and excuses only what is listed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.emulators import ROOT
from tests.terraform.differences import differences

MADE = {
    "table OrderKPIs": {"BillingMode": "PAY_PER_REQUEST", "KeySchema": [{"AttributeName": "order_date"}]},
    "queue takings-dead-letters": {"MaximumMessageSize": "262144", "MessageRetentionPeriod": "1209600"},
}


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({}, []),
        (
            {"table OrderKPIs": {"BillingMode": "PROVISIONED", "KeySchema": [{"AttributeName": "order_date"}]}},
            [("table OrderKPIs / BillingMode: terraform 'PAY_PER_REQUEST', bootstrap 'PROVISIONED'", False)],
        ),
        (
            {"table OrderKPIs": {"BillingMode": "PAY_PER_REQUEST", "KeySchema": [{"AttributeName": "day"}]}},
            [("table OrderKPIs / KeySchema / 0 / AttributeName: terraform 'order_date', bootstrap 'day'", False)],
        ),
        (
            {"queue takings-dead-letters": {"MaximumMessageSize": "1048576", "MessageRetentionPeriod": "60"}},
            [
                ("queue takings-dead-letters / MaximumMessageSize: terraform '262144', bootstrap '1048576'", True),
                ("queue takings-dead-letters / MessageRetentionPeriod: terraform '1209600', bootstrap '60'", False),
            ],
        ),
        (
            {"role another": {"RoleName": "another"}},
            [("role another: terraform 'nothing', bootstrap {'RoleName': 'another'}", False)],
        ),
    ],
)
def test_finds_what_differs(changed: dict[str, object], found: list[tuple[str, bool]]) -> None:
    """At any depth, on either side."""
    assert [(str(each), each.reason is not None) for each in differences(MADE, MADE | changed)] == found


def test_says_how_to_get_terraform(tmp_path: Path) -> None:
    """If it is not installed, the error says where to get it, and nothing is begun."""
    (tmp_path / "bin").mkdir()
    assert shutil.which("terraform", path=str(tmp_path / "bin")) is None
    ended = subprocess.run(
        [sys.executable, "-m", "tests.terraform"],
        cwd=ROOT,
        env={"PATH": str(tmp_path / "bin"), "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "https://developer.hashicorp.com/terraform/install" in ended.stderr
