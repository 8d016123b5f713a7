"""`make images` and `takings aws deploy images` build with docker or podman; a stand-in program records the calls."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from takings.adapters.container_engine import find_engine
from takings.errors import UsageError
from tests.aws.harness.engine import install_engine
from tests.services.dockerfile import ROOT
from tools.build_images import main


def build(monkeypatch: pytest.MonkeyPatch, *options: str) -> None:
    monkeypatch.setattr(sys, "argv", ["build_images", *options])
    main()


def test_both_images_are_built_from_the_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """For the platform of the task definitions, and on another base if one is named; the context is the root of the sources."""
    engine = install_engine(tmp_path / "bin", monkeypatch, "podman")
    build(monkeypatch, "--tag", "v1", "--engine", "podman")
    build(monkeypatch, "--base", "mine:1", "--engine", "podman")
    validation, _, other, _ = [arguments for arguments, _ in engine.asked() if arguments != ["info"]]
    assert validation == [
        *("build", "--platform", "linux/amd64", "--file", "validation-service/Dockerfile"),
        *("--tag", "validation-service:v1", "."),
    ]
    assert other[3:5] == ["--build-arg", "BASE=mine:1"]
    assert engine.folders() == [str(ROOT)] * 4
    assert capfd.readouterr().out.splitlines() == [
        "validation-service:v1",
        "transformation-service:v1",
        "validation-service:latest",
        "transformation-service:latest",
    ]


def test_images_are_saved_for_a_job_that_only_deploys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each in a file of its service's name, which `takings aws deploy images --saved` loads."""
    engine = install_engine(tmp_path / "bin", monkeypatch)
    build(monkeypatch, "--tag", "v1", "--save", str(tmp_path / "images"))
    saved = [arguments for arguments, _ in engine.asked() if arguments[0] == "save"]
    assert saved == [
        ["save", "--output", str(tmp_path / "images" / f"{service}.tar"), f"{service}:v1"]
        for service in ("validation-service", "transformation-service")
    ]


def test_docker_is_taken_where_it_answers_and_podman_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker's client is often installed without its engine."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=r"works here: docker is not on PATH; podman is not on PATH\."):
        find_engine(None)
    install_engine(tmp_path, monkeypatch, "docker", "info")
    with pytest.raises(UsageError, match=r"docker does not answer \(no space left on device\); podman is not on PATH."):
        find_engine(None)
    install_engine(tmp_path / "podman", monkeypatch, "podman")
    assert find_engine(None).command == str(tmp_path / "podman" / "podman")
    install_engine(tmp_path / "docker_that_answers", monkeypatch)
    assert find_engine(None).command == str(tmp_path / "docker_that_answers" / "docker")


def test_what_is_missing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A missing engine is a usage error, a failing one is not; neither looks like success."""
    with pytest.raises(SystemExit, match="2"):
        build(monkeypatch, "--engine", "no-such-engine")
    assert "no container engine works here: no-such-engine is not on PATH." in capfd.readouterr().err
    install_engine(tmp_path / "bin", monkeypatch, "docker", "build")
    with pytest.raises(SystemExit, match="3"):
        build(monkeypatch)
    said = capfd.readouterr().err.splitlines()
    assert said[0] == "no space left on device"
    assert said[1].startswith("make images: `docker build` ended with code 1; its output is above.")
    assert said[1].endswith("Where the base image cannot be pulled, BASE=… names another.")
