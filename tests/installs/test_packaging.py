"""Takings runs without Python at hand: an image, a compose file and systemd units, none of them as root."""

from __future__ import annotations

import configparser
import re
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from takings.entrypoints.cli import app
from tests.services.dockerfile import ROOT, Dockerfile, read_dockerfile
from tests.test_pages import wrong_words

FOLDER = ROOT / "packaging"
IMAGE: Dockerfile = read_dockerfile("packaging")
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yml").read_text())
UNITS = sorted(file for file in FOLDER.iterdir() if file.suffix in {".service", ".timer"})
SERVICES = [file for file in UNITS if file.suffix == ".service"]


def unit(file: Path) -> configparser.ConfigParser:
    """Read a unit; systemd's keys may be repeated, ours are not."""
    parsed = configparser.ConfigParser(interpolation=None, strict=True)
    parsed.optionxform = str  # type: ignore[assignment,method-assign] # systemd tells Service from service
    parsed.read_string(file.read_text())
    return parsed


def test_the_image_is_built_as_those_of_the_services() -> None:
    """On the same base, pinned by its digest, from wheels with hashes; nobody is root, and health is asked for."""
    assert IMAGE.arguments == read_dockerfile("validation-service").arguments
    installs = [line for line in IMAGE.of("RUN", 0) if "-r " in line]
    assert all("--require-hashes --only-binary=:all:" in line for line in installs)
    assert IMAGE.of("USER") == ["10001:10001"]
    assert IMAGE.entrypoint == ["takings"]
    (health,) = IMAGE.of("HEALTHCHECK")
    assert health.endswith('CMD ["takings", "status", "/shop"]')


def test_what_the_image_copies_is_there_and_not_ignored() -> None:
    """The context is the root of the sources."""
    patterns = (ROOT / ".dockerignore").read_text().splitlines()
    kept = {line[1:] for line in patterns if line.startswith("!")}
    copied = [word for line in IMAGE.of("COPY", 0) for word in line.split()[:-1]]
    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert [name for name in copied if name not in kept] == []


def test_both_containers_share_the_folder_and_may_do_little() -> None:
    """Only the store and the temporary folder can be written; the page is for this machine, and its token has no default."""
    services = COMPOSE["services"]
    assert set(services) == {"watch", "page"}
    for service in services.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["user"].startswith("${TAKINGS_USER:?")
        assert service["volumes"] == ["${TAKINGS_SHOP:?the folder of the store}:/shop", "/tmp"]
    assert services["page"]["ports"] == ["127.0.0.1:8321:8321"]
    assert services["page"]["environment"]["TAKINGS_SERVE_TOKEN"].startswith("${TAKINGS_SERVE_TOKEN:?")
    assert services["page"]["depends_on"] == {"watch": {"condition": "service_healthy"}}
    assert "ports" not in services["watch"]


@pytest.mark.parametrize("words", [service["command"] for service in COMPOSE["services"].values()])
def test_the_containers_run_commands_that_exist(words: list[str]) -> None:
    """With their options."""
    assert wrong_words(words) == []


@pytest.mark.parametrize("file", SERVICES, ids=lambda file: file.name)
def test_a_unit_runs_a_command_as_nobody_special(file: Path) -> None:
    """It may write to its store only, and has no capabilities."""
    service = unit(file)["Service"]
    program, *words = service["ExecStart"].split()
    assert program == "/opt/takings/bin/takings"
    assert wrong_words(words) == []
    assert words[0] in typer.main.get_command(app).commands  # type: ignore[attr-defined] # a group has commands
    assert service["User"] == "takings"
    assert (service["ProtectSystem"], service["ReadWritePaths"]) == ("strict", "/srv/takings/%i")
    assert (service["NoNewPrivileges"], service["CapabilityBoundingSet"]) == ("yes", "")


def test_a_watch_may_end_its_batch_and_does_not_repeat_wrong_settings() -> None:
    """A signal lets it hand its batch back; exit code 2 is for a person."""
    service = unit(FOLDER / "takings-watch@.service")["Service"]
    assert (service["KillSignal"], service["TimeoutStopSec"]) == ("SIGTERM", "30")
    assert (service["Restart"], service["RestartPreventExitStatus"]) == ("on-failure", "2")


def test_the_page_says_how_each_is_used() -> None:
    """Every file of the folder is named there."""
    page = (ROOT / "docs" / "install.md").read_text()
    assert [file.name for file in FOLDER.iterdir() if f"packaging/{file.name}" not in page] == []
    extras = re.findall(r"^\| `\[(\w+)\]` \|", page, re.MULTILINE)
    assert sorted(extras) == sorted(re.findall(r"^(\w+) = \[", _extras(), re.MULTILINE))


def _extras() -> str:
    text = (ROOT / "pyproject.toml").read_text()
    return text.split("[project.optional-dependencies]")[1].split("\n[")[0]
