"""The workflows on GitHub: pinned, allowed as little as possible, and built on what is here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.test_brief import SECRETS
from tests.test_pages import typed, wrong_words

ROOT: Final = Path(__file__).resolve().parent.parent
FOLDER: Final = ROOT / ".github" / "workflows"
WORKFLOWS: Final = sorted(FOLDER.glob("*.yml"))


def read(name: str) -> dict[str, Any]:
    """Return a workflow; the key `on` is no truth value here."""
    document: dict[str, Any] = yaml.load((FOLDER / name).read_text(), Loader=yaml.BaseLoader)
    return document


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit(path: Path) -> None:
    """A tag can be moved to other code; the version beside the commit is for people."""
    used = re.findall(r"uses: (.*)", path.read_text())
    pinned = re.compile(r"[a-z-]+/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+|\./\.github/workflows/[a-z]+\.yml( #.*)?")
    assert [action for action in used if not pinned.fullmatch(action)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_nothing_may_be_written(path: Path) -> None:
    """But a token, by which AWS knows who deploys."""
    document = read(path.name)
    allowed = [document["permissions"], *(job.get("permissions", {}) for job in document["jobs"].values())]
    assert {(name, level) for each in allowed for name, level in each.items()} <= {
        ("contents", "read"),
        ("id-token", "write"),
    }


def test_every_pull_request_is_checked() -> None:
    """By what anybody runs beforehand."""
    document = read("ci.yml")
    assert set(document["on"]) == {"pull_request", "workflow_call"}
    steps = [step for job in document["jobs"].values() for step in job["steps"]]
    assert [step["run"] for step in steps if "run" in step] == [".ci/run", "make security"]


def test_failing_tests_block_the_images() -> None:
    """Images are built by the job that needs the tests, after a push to main."""
    document = read("deploy.yml")
    assert document["on"] == {"push": {"branches": ["main"]}}
    assert document["jobs"]["tests"]["uses"] == "./.github/workflows/ci.yml"
    assert document["jobs"]["deploy"]["needs"] == "tests"
    building = {name for name, job in document["jobs"].items() if "docker build" in str(job)}
    assert building == {"deploy"}


def test_deploying_uses_the_nine_secrets() -> None:
    """By the names that were asked for, and none beside them."""
    assert set(re.findall(r"secrets\.(\w+)", (FOLDER / "deploy.yml").read_text())) == set(SECRETS)


def test_what_is_run_exists() -> None:
    """Commands with their options, targets of make, and the services' folders."""
    steps = [
        step["run"] for job in read("deploy.yml")["jobs"].values() for step in job.get("steps", ()) if "run" in step
    ]
    lines = [line for step in steps for line in step.splitlines()]
    called = [words for line in lines for words in typed(line, "takings")]
    assert [words[:2] for words in called] == [["aws", "bootstrap"]] * 2
    assert [wrong for words in called for wrong in wrong_words(words)] == []
    makefile = (ROOT / "Makefile").read_text()
    assert [target for line in lines for target in typed(line, "make") if f"\n{target[0]}:" not in makefile] == []
    (services,) = re.findall(r"for service in ([a-z -]+);", "\n".join(lines))
    assert [service for service in services.split() if not (ROOT / service / "Dockerfile").is_file()] == []
