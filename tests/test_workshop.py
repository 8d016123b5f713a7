"""The workshop holds together: targets, pinned packages, the wheel, and a core that reads no clock."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

import takings

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "takings"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SERVICES = ("validation-service", "transformation-service")
REQUIREMENTS = [*sorted((ROOT / "requirements").glob("*.txt")), *(ROOT / name / "image.txt" for name in SERVICES)]


def test_version_is_written_once() -> None:
    """The version of the installed package is the one in its source."""
    try:
        installed = importlib.metadata.version("takings")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("takings is not installed, only its requirements are")
    assert installed == takings.__version__


def test_wheel_carries_every_file_of_the_package(tmp_path: Path) -> None:
    """SQL, contracts, schemas and the typing marker travel with the code."""
    pytest.importorskip("hatchling")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    built = subprocess.run(build, cwd=ROOT, check=False, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")

    expected = {
        path.relative_to(ROOT / "src").as_posix()
        for path in SOURCE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        assert {name for name in archive.namelist() if name.startswith("takings/")} == expected
    assert "takings/py.typed" in expected


def test_make_lists_every_target() -> None:
    """`make` alone lists each target with one line of help, and nothing else."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    quiet = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}}
    shown = subprocess.run(["make"], cwd=ROOT, env=quiet, check=True, capture_output=True, text=True).stdout

    described = dict(re.findall(r"^  make ([a-z-]+) +(\S.*)$", shown, re.MULTILINE))
    targets = re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert list(described) == targets


def test_every_target_is_phony() -> None:
    """A file named `test` does not stop `make test`."""
    makefile = (ROOT / "Makefile").read_text()
    phony = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert sorted(" ".join(phony).split()) == sorted(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))


def test_make_deep_runs_every_test_of_many_examples() -> None:
    """Whatever tries fewer of them in `make test` tries many there."""
    listed = re.search(r"^OF_EXAMPLES := ((?:.*\\\n)*.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert listed is not None
    paths = [ROOT / path for path in listed[1].replace("\\", "").split()]
    tests = (ROOT / "tests").rglob("test_*.py")
    scaled = {path for path in tests if re.search(r"^from tests.depth import", path.read_text(), re.MULTILINE)}
    assert {path for path in scaled if not any(path.is_relative_to(each) for each in paths)} == set()
    assert [path for path in paths if not any(each.is_relative_to(path) for each in scaled)] == []


@pytest.mark.no_cover
def test_a_process_of_a_test_that_is_not_traced_is_not_traced_either() -> None:
    """Coverage tells processes by these variables to count their lines."""
    program = "import os, sys; print('coverage' in sys.modules, [name for name in os.environ if name.startswith('COVERAGE_')])"
    shown = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert shown == "False []\n"


def pins(requirements: Path) -> dict[str, str]:
    """Return the version of each package that a requirements file pins."""
    return dict(re.findall(r"^([a-z0-9._-]+)(?:\[[^\]]+\])?==(\S+)", requirements.read_text(), re.MULTILINE))


@pytest.mark.parametrize("requirements", REQUIREMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_requirements_name_versions_and_hashes_only(requirements: Path) -> None:
    """A requirements file names no package index: whoever installs chooses one."""
    pin = re.compile(r"[a-z0-9._-]+(\[[a-z0-9, _-]+\])?==\S+( ; [^\\]+)? \\")
    digest = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
    lines = requirements.read_text().splitlines()
    assert [line for line in lines if not (pin.fullmatch(line) or digest.fullmatch(line))] == []
    assert pins(requirements)


def test_requirements_agree() -> None:
    """A package has the same version in every file that pins it, and the workshop has everything the core has."""
    core, web, dev, build = (pins(ROOT / "requirements" / f"{name}.txt") for name in ("core", "web", "dev", "build"))
    assert core.items() <= web.items() <= dev.items()
    assert pins(ROOT / "requirements" / "test.txt").items() <= dev.items()
    for service in SERVICES:
        assert core.items() <= pins(ROOT / service / "image.txt").items() <= dev.items()
    assert {name: version for name, version in build.items() if dev.get(name, version) != version} == {}


def test_requirements_pin_every_dependency() -> None:
    """A dependency added to the project is pinned as well."""

    def names(wanted: list[str]) -> set[str]:
        return {re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0].lower() for line in wanted}

    project = PROJECT["project"]
    extras = [line for extra in project["optional-dependencies"].values() for line in extra]
    assert names(project["dependencies"]) <= pins(ROOT / "requirements" / "core.txt").keys()
    groups = PROJECT["dependency-groups"]
    development = [line for line in groups["dev"] if isinstance(line, str)]
    assert names(extras + development) <= pins(ROOT / "requirements" / "dev.txt").keys()
    assert names(groups["test"]) <= pins(ROOT / "requirements" / "test.txt").keys()


LAYERS = "Imports point one way; a later stage may know an earlier one"
CORE = "The core knows no vendor and asks neither the system nor its clock"
#: the layers above the core, which may import anything
ABOVE = ("__main__", "entrypoints", "api", "composition", "adapters")

#: What reads the clock or the environment. `datetime` itself is a type that the core needs.
ASKING = re.compile(r"datetime\.(datetime|date)\.(now|utcnow|today)|time\.\w+|os\.(environb?|getenvb?)")


def import_contracts() -> dict[str, Any]:
    """Return the import contracts by name."""
    return {contract["name"]: contract for contract in PROJECT["tool"]["importlinter"]["contracts"]}


def core_files() -> list[Path]:
    """Return the source files of the core's layers: a layer is a file or a folder of files."""
    places = [SOURCE / layer for layer in import_contracts()[LAYERS]["layers"] if layer not in ABOVE]
    return [
        file for place in places for file in [place.with_suffix(".py"), *sorted(place.rglob("*.py"))] if file.exists()
    ]


def asks(source: str) -> list[str]:
    """Return `line: name` for each use of the clock or the environment in a module's source, under any name."""
    tree = ast.parse(source)
    meaning: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            meaning |= {alias.asname or alias.name.split(".")[0]: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            meaning |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}

    def qualified(node: ast.expr) -> str:
        if isinstance(node, ast.Attribute):
            return f"{qualified(node.value)}.{node.attr}"
        return meaning.get(node.id, f"a local {node.id}") if isinstance(node, ast.Name) else "a value"

    uses = [(node.lineno, qualified(node)) for node in ast.walk(tree) if isinstance(node, (ast.Attribute, ast.Name))]
    return [f"{line}: {name}" for line, name in sorted(set(uses)) if ASKING.fullmatch(name)]


@pytest.mark.parametrize("path", core_files(), ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_core_reads_neither_clock_nor_environment(path: Path) -> None:
    """A decision is the same whenever and wherever it is made: "now" comes from the manifest."""
    assert asks(path.read_text()) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from datetime import UTC, datetime\nnow = datetime.now(UTC)", ["2: datetime.datetime.now"]),
        ("import datetime as dt\nday = dt.date.today()", ["2: datetime.date.today"]),
        ("from datetime import datetime as d\nclock = d.utcnow", ["2: datetime.datetime.utcnow"]),
        ("from time import time as seconds\nx = seconds()", ["2: time.time"]),
        ("import os\nhome = os.environ['HOME']", ["2: os.environ"]),
        ("from datetime import datetime\nday = datetime(2026, 1, 2).date()", []),
        ("def decide(manifest: object) -> object:\n    return manifest.now", []),
    ],
)
def test_a_clock_is_found_under_any_name(source: str, found: list[str]) -> None:
    """The search follows imported names, and ignores a manifest's own `now`."""
    assert asks(source) == found


def test_only_the_layers_above_the_core_may_import_vendors() -> None:
    """Exactly the layers that the core cannot import may use vendors and clocks."""
    contracts = import_contracts()
    assert contracts[LAYERS]["layers"][: len(ABOVE)] == list(ABOVE)
    assert contracts[CORE]["source_modules"] == ["takings"]
    passed_over = {line.removesuffix(" -> *") for line in contracts[CORE]["ignore_imports"]}
    assert passed_over == {f"takings.{layer}.**" for layer in ABOVE if layer != "__main__"}
