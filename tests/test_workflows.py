"""The workflows on GitHub: pinned, with the fewest possible permissions, and built on what the repository has."""

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
    """Return a workflow; the key `on` is not a boolean here."""
    document: dict[str, Any] = yaml.load((FOLDER / name).read_text(), Loader=yaml.BaseLoader)
    return document


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit(path: Path) -> None:
    """A tag can be moved to other code; the version next to the commit is for people."""
    used = re.findall(r"uses: (.*)", path.read_text())
    pinned = re.compile(r"[a-z-]+/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+|\./\.github/workflows/[a-z]+\.yml( #.*)?")
    assert [action for action in used if not pinned.fullmatch(action)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_nothing_may_be_written(path: Path) -> None:
    """Except a token, by which AWS recognises who deploys."""
    document = read(path.name)
    allowed = [document["permissions"], *(job.get("permissions", {}) for job in document["jobs"].values())]
    assert {(name, level) for each in allowed for name, level in each.items()} <= {
        ("contents", "read"),
        ("id-token", "write"),
    }


def test_every_pull_request_is_checked() -> None:
    """With the same commands that anybody can run locally."""
    document = read("ci.yml")
    assert set(document["on"]) == {"pull_request", "workflow_call"}
    steps = [step for job in document["jobs"].values() for step in job["steps"]]
    assert [step["run"] for step in steps if "run" in step] == [".ci/run", "make security"]


def test_failing_tests_block_the_images() -> None:
    """The job that builds images needs the tests, and runs after a push to main."""
    document = read("deploy.yml")
    assert document["on"] == {"push": {"branches": ["main"]}}
    assert document["jobs"]["tests"]["uses"] == "./.github/workflows/ci.yml"
    assert document["jobs"]["deploy"]["needs"] == "tests"
    building = {name for name, job in document["jobs"].items() if "images" in str(job)}
    assert building == {"deploy"}


def test_what_is_built_knows_no_credentials() -> None:
    """Packages and base images bring in other people's code: functions and images are built before any credentials exist."""
    steps = read("deploy.yml")["jobs"]["deploy"]["steps"]
    building = [place for place, step in enumerate(steps) if step.get("run", "").startswith("make ")]
    credentials = [place for place, step in enumerate(steps) if "configure-aws" in step.get("uses", "")]
    assert max(building) < min(credentials)
    assert "AWS_SECRET_ACCESS_KEY" not in str(steps[: min(credentials)]) + str(
        read("deploy.yml")["jobs"]["deploy"]["env"]
    )


def test_deploying_uses_the_nine_secrets() -> None:
    """Under the names that were asked for, and no others."""
    assert set(re.findall(r"secrets\.(\w+)", (FOLDER / "deploy.yml").read_text())) == set(SECRETS)


def run_lines() -> list[str]:
    """Return every line of shell of deploy.yml."""
    jobs = read("deploy.yml")["jobs"].values()
    return [line for job in jobs for step in job.get("steps", ()) for line in step.get("run", "").splitlines()]


def commands_of_deployment(variables: dict[str, str]) -> list[list[str]]:
    """Return the takings calls of deploy.yml, with the environment's variables filled in as a shell would."""
    filled = [re.sub(r"\$(\w+)", lambda name: variables[name[1]], line) for line in run_lines()]
    return [words for line in filled for words in typed(line, "takings")]


def test_what_is_run_exists() -> None:
    """Commands, their options and make targets, in a safe order; test_deploying.py runs them."""
    secrets = {"S3_BUCKET_NAME": "shop", "GITHUB_SHA": "abc"}
    called = commands_of_deployment(secrets)
    assert [words[:4] for words in called] == [
        ["aws", "deploy", command, "s3://shop"]
        for command in ("images", "tasks", "functions", "state-machine", "check")
    ]
    assert [wrong for words in called for wrong in wrong_words(words)] == []
    makefile = (ROOT / "Makefile").read_text()
    made = [words for line in run_lines() for words in typed(line, "make")]
    assert [words[0] for words in made] == ["lambdas", "images"]
    assert [words for words in made if f"\n{words[0]}:" not in makefile] == []
    assert len(made) + len(called) == len(run_lines())
