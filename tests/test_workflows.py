"""The workflows on GitHub: pinned, with the fewest possible permissions, and built on what the repository has."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.test_brief import SECRETS
from tests.test_pages import typed, wrong_words

ROOT: Final = Path(__file__).resolve().parent.parent
FOLDER: Final = ROOT / ".github" / "workflows"
PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text())
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


def permissions(name: str) -> dict[str, dict[str, str]]:
    """Return what each job of a workflow may do beyond reading the sources."""
    document = read(name)
    assert document["permissions"] in ({}, {"contents": "read"})
    granted = {job: each.get("permissions", document["permissions"]) for job, each in document["jobs"].items()}
    return {job: {kind: level for kind, level in each.items() if level != "read"} for job, each in granted.items()}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_only_what_is_listed_may_be_written(path: Path) -> None:
    """A token, by which AWS or PyPI recognises who comes, signatures, and the page of a release."""
    signing = {"id-token": "write", "attestations": "write"}
    expected = {
        "deploy.yml": {"deploy": signing},
        "release.yml": {"pypi": signing, "page": {"contents": "write"}},
    }
    found = {job: granted for job, granted in permissions(path.name).items() if granted}
    assert found == expected.get(path.name, {})


def test_every_push_and_pull_request_is_checked_and_built() -> None:
    """With the same commands that anybody can run locally; a push to main as well, by deploy.yml."""
    document = read("ci.yml")
    assert set(document["on"]) == {"push", "pull_request", "workflow_call"}
    assert document["on"]["push"] == {"branches-ignore": ["main"]}
    assert read("deploy.yml")["on"] == {"push": {"branches": ["main"]}}
    assert read("deploy.yml")["jobs"]["tests"]["uses"] == "./.github/workflows/ci.yml"
    steps = [step for job in document["jobs"].values() for step in job["steps"]]
    assert [step["run"] for step in steps if "run" in step] == [
        ".ci/run",
        "make coverage",
        "make security",
        "make package",
        "make lambdas",
        'make images TAG="$GITHUB_SHA" SAVE=build/images',
    ]


def test_failing_tests_block_the_images() -> None:
    """The job that builds needs tests and scanners, and the one that deploys needs the job that builds."""
    jobs = read("ci.yml")["jobs"]
    assert jobs["build"]["needs"] == ["checks", "coverage", "security"]
    assert {name for name, job in jobs.items() if "make images" in str(job)} == {"build"}
    assert read("deploy.yml")["jobs"]["deploy"]["needs"] == "tests"


def test_what_is_built_knows_no_credentials() -> None:
    """Packages and base images bring in other people's code: what builds them may take no role and is given no secret."""
    assert "secrets" not in (FOLDER / "ci.yml").read_text()
    assert "secrets" not in read("deploy.yml")["jobs"]["tests"]
    assert permissions("ci.yml") == {"checks": {}, "coverage": {}, "security": {}, "build": {}}
    deploying = read("deploy.yml")["jobs"]["deploy"]["steps"]
    assert [step["run"] for step in deploying if step.get("run", "").startswith("make ")] == ["make deployer"]
    credentials = min(place for place, step in enumerate(deploying) if "configure-aws" in step.get("uses", ""))
    assert deploying.index(next(step for step in deploying if step.get("run") == "make deployer")) < credentials
    assert "AWS_SECRET_ACCESS_KEY" not in str(deploying[:credentials]) + str(
        read("deploy.yml")["jobs"]["deploy"]["env"]
    )


def test_what_deploys_is_installed_from_pinned_wheels() -> None:
    """A source distribution would run its code in the job that may take the role."""
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"^BUILT +:= --only-binary=:all:$", makefile, re.MULTILINE)
    for target in ("deployer", r"\$\(VENV\)/\.core"):
        (recipe,) = re.findall(rf"^{target}:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
        (from_others,) = re.findall(r"install .*-r .*", recipe)
        assert "--require-hashes $(BUILT)" in from_others


def test_what_is_deployed_is_what_was_built() -> None:
    """The job fetches what the tests' run kept, under the names that the commands read."""
    kept = {step["with"]["name"]: step["with"]["path"] for step in steps_using("ci.yml", "actions/upload-artifact")}
    assert kept == {"package": "dist/", "built": "build/lambdas/\nbuild/images/\nbuild/sbom/\n"}
    (fetched,) = steps_using("deploy.yml", "actions/download-artifact")
    assert fetched["with"] == {"name": "built", "path": "build"}


def test_images_and_functions_are_signed() -> None:
    """Where they come from, and what is in them; before any task runs by them."""
    listed = [step["with"] for step in steps_using("ci.yml", "anchore/sbom-action")]
    assert {each["output-file"]: each.get("image") or each["path"] for each in listed} == {
        "build/sbom/takings.cdx.json": "build/installed",
        "build/sbom/functions.cdx.json": "build/lambdas",
        "build/sbom/validation-service.cdx.json": "validation-service:${{ github.sha }}",
        "build/sbom/transformation-service.cdx.json": "transformation-service:${{ github.sha }}",
    }
    signed = [step["with"] for step in steps_using("deploy.yml", "actions/attest")]
    digests = [f"build/digests/{name}.sha256" for name in ("validation-service", "transformation-service")]
    assert [each.get("subject-checksums", each.get("subject-path")) for each in signed if "sbom-path" not in each] == [
        "build/lambdas/*.zip",
        *digests,
    ]
    assert {each["sbom-path"] for each in signed if "sbom-path" in each} < {each["output-file"] for each in listed}
    order = [str(step) for step in read("deploy.yml")["jobs"]["deploy"]["steps"]]
    last = max(place for place, step in enumerate(order) if "actions/attest@" in step)
    assert last < min(place for place, step in enumerate(order) if "deploy tasks" in step)


def test_a_tag_is_released_after_every_test() -> None:
    """What is published was built by the tests' run; the job that PyPI trusts runs nothing of the repository."""
    document = read("release.yml")
    assert document["on"] == {"push": {"tags": ["v*"]}}
    jobs = document["jobs"]
    assert {name: job.get("needs") for name, job in jobs.items()} == {
        "notes": None,
        "tests": "notes",
        "versions": "notes",
        "pypi": ["tests", "versions"],
        "page": "pypi",
    }
    assert [jobs[name]["uses"] for name in ("tests", "versions")] == [
        "./.github/workflows/ci.yml",
        "./.github/workflows/versions.yml",
    ]
    assert jobs["pypi"]["environment"] == "pypi"
    assert [step for step in jobs["pypi"]["steps"] if "run" in step or "checkout" in step["uses"]] == []
    assert "secrets" not in (FOLDER / "release.yml").read_text()
    assert [step["run"] for step in jobs["notes"]["steps"] if "run" in step] == ['make release TAG="$GITHUB_REF_NAME"']


def test_every_python_of_the_package_is_tried() -> None:
    """With the newest dependencies on Linux and macOS, and with the lowest on the oldest; Windows by WSL."""
    jobs = read("versions.yml")["jobs"]
    matrix = jobs["tried"]["strategy"]["matrix"]
    classifiers = PROJECT["project"]["classifiers"]
    named = [each.rpartition(" ")[2] for each in classifiers if "Python :: 3." in each]
    assert matrix["python"] == named
    assert {os.partition("-")[0] for os in matrix["os"]} == {"ubuntu", "macos"}
    assert {each["python"] for each in matrix["include"]} == {named[0]}
    assert {each["resolution"] for each in matrix["include"]} == {"lowest-direct"}
    assert 'make tried PYTHON=python RESOLUTION="$RESOLUTION"' in [step.get("run") for step in jobs["tried"]["steps"]]
    assert "make tried" in str(jobs["windows"])


def steps_using(name: str, action: str) -> list[dict[str, Any]]:
    """Return a workflow's steps that use an action."""
    steps = [step for job in read(name)["jobs"].values() for step in job.get("steps", ())]
    return [step for step in steps if step.get("uses", "").startswith(f"{action}@")]


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
        for command in ("images", "scan", "tasks", "functions", "state-machine", "check")
    ]
    assert [wrong for words in called for wrong in wrong_words(words)] == []
    makefile = (ROOT / "Makefile").read_text()
    made = [words for line in run_lines() for words in typed(line, "make")]
    assert [words[0] for words in made] == ["deployer"]
    assert [words for words in made if f"\n{words[0]}:" not in makefile] == []
    assert len(made) + len(called) == len(run_lines())
