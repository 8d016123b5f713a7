"""A person who sets the pipeline up in AWS's console alone makes what `takings aws bootstrap` makes."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from takings.adapters.aws import names
from takings.adapters.aws.names import Pipeline
from takings.adapters.aws.policies import roles
from takings.adapters.aws.resources import events, queue
from takings.adapters.aws.resources.functions import TIMEOUTS
from takings.adapters.aws.resources.tasks import SERVICES, TASKS
from takings.adapters.aws.tables import TABLES
from takings.settings import Settings
from tools import console_documents

ROOT = Path(__file__).resolve().parent.parent
AWS = (ROOT / "docs" / "aws.md").read_text()
(SECTION,) = re.findall(r"^## In the console alone\n(.*?)^## ", AWS, re.DOTALL | re.MULTILINE)
PIPELINE = Pipeline(bucket="my-shop", table_prefix="", account="123456789012", region="eu-west-1")
DOCUMENTS = console_documents.documents(
    PIPELINE, tag="v1", subnets=["subnet-1", "subnet-2"], security_group="sg-1", has_public_ip=True
)


def test_nothing_is_left_open() -> None:
    """Every document can be pasted as it is; IAM itself fills in its own variables."""
    assert [name for name, text in DOCUMENTS.items() if re.search(r"\$\{(?!aws:)", text)] == []
    for name, text in DOCUMENTS.items():
        if name.endswith(".json"):
            json.loads(text)


def test_the_documents_are_those_of_the_bootstrap() -> None:
    """Roles, subnets, images and variables."""
    for role in roles(PIPELINE):
        assert json.loads(DOCUMENTS[f"roles/{role.name}/trust.json"]) == role.trust(PIPELINE.account)
        assert json.loads(DOCUMENTS[f"roles/{role.name}/permissions.json"]) == role.policy()
    machine = DOCUMENTS["ecommerce-pipeline.asl.json"]
    assert '"TaskDefinition": "validation-service:1"' in machine
    assert all(name in machine for name in ("subnet-1", "subnet-2", "sg-1"))
    assert f'"image": "{PIPELINE.image(names.VALIDATION, "v1")}"' in DOCUMENTS["tasks/maintenance.json"]
    assert f"PIPELINE_STATE_MACHINE_ARN={PIPELINE.state_machine}\n" in DOCUMENTS["functions/file-detector.txt"]


def test_the_page_names_every_part() -> None:
    """Of those that the bootstrap makes; the roles and alarms are one folder each."""
    parts = [
        *(names.DETECTOR, names.ARCHIVER, names.EVENTS, names.DEAD_LETTERS, names.STATE_MACHINE, names.CLUSTER),
        *(
            names.SWEEP,
            names.MAINTAIN,
            names.SCHEDULER_ROLE,
            names.STATE_MACHINE_ROLE,
            names.ALARMS,
            events.NOTIFICATION,
        ),
        *(PIPELINE.log_group(part) for part in (names.DETECTOR, names.ARCHIVER, *TASKS)),
        *SERVICES,
    ]
    assert [part for part in parts if f"`{part}`" not in SECTION] == []
    folders = {name.partition("/")[0] for name in DOCUMENTS if "/" in name}
    files = {name for name in DOCUMENTS if "/" not in name}
    assert [name for name in sorted(files) if f"`{name}`" not in SECTION] == []
    assert [name for name in sorted(folders) if f"`{name}/`" not in SECTION] == []
    assert f"the {['no', 'one', 'two', 'three', 'four', 'five', 'six'][len(TABLES)]} tables below" in SECTION


@pytest.mark.parametrize(
    ("what", "number"),
    [
        ("visibility timeout {} s", 6 * TIMEOUTS[names.DETECTOR] + Settings().event_window.seconds),
        ("after {} receives", queue._TRIES),
        ("timeout {} s", TIMEOUTS[names.DETECTOR]),
        ("and {} s; the variables", TIMEOUTS[names.ARCHIVER]),
        ("batch size {}", events.EVENTS_A_LOOK),
        ("batch window {} s", Settings().event_window.seconds),
        ("maximum concurrency {}", events.LOOKS_AT_A_TIME),
        ("every {} minutes", Settings().sweep.seconds // 60),
    ],
)
def test_the_page_says_the_same_numbers(what: str, number: int) -> None:
    """What is typed into a form, by hand."""
    assert what.format(number) in SECTION


def test_the_command_of_the_page_writes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands there."""
    (typed,) = re.findall(r"-m tools\.console_documents (.*?)\n```", SECTION, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["console_documents", *typed.replace("\\\n", " ").split()])
    console_documents.main()
    written = {file.relative_to(tmp_path / "console").as_posix(): file.read_text() for file in tmp_path.rglob("*.*")}
    assert written == DOCUMENTS
