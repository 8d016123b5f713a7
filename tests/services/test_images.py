"""What is in the images of the container services; their commands run a step of a batch.

The commands run in this environment; `make services` runs these tests with what the Dockerfiles install.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib.util import find_spec
from pathlib import Path

import pytest

from takings.layout import BatchId
from takings.runs import steps
from takings.runs.pipeline import claim_batch, look
from tests.jvm import QUICK
from tests.services.dockerfile import ROOT, SERVICES, read_dockerfile
from tests.shop import drop_all, expected, new_store, opened, published

#: the interpreter of an image; `make services` names it
PYTHON = os.environ.get("SERVICE_PYTHON", sys.executable)

every_service = pytest.mark.parametrize("service", SERVICES)


@every_service
def test_the_base_is_pinned_and_may_be_another(service: str) -> None:
    """By its digest; both stages and both services start with the same one."""
    dockerfile = read_dockerfile(service)
    assert re.fullmatch(r"python:3\.12-slim@sha256:[0-9a-f]{64}", dockerfile.arguments["BASE"])
    assert [dockerfile.of("FROM", stage)[0].split()[0] for stage in (0, 1)] == ["${BASE}", "${BASE}"]
    assert dockerfile.arguments == read_dockerfile(SERVICES[0]).arguments


@every_service
def test_nobody_is_root_and_only_tmp_is_written(service: str) -> None:
    """It is a number, so a platform can see that it is not root; the rest may be read-only."""
    dockerfile = read_dockerfile(service)
    (user,) = dockerfile.of("USER")
    assert re.fullmatch(r"[1-9][0-9]+:[1-9][0-9]+", user)
    assert dockerfile.of("VOLUME") == ['["/tmp"]']
    places = {name: dockerfile.environment[name] for name in ("HOME", "TMPDIR", "PYTHONDONTWRITEBYTECODE")}
    assert places == {"HOME": "/tmp", "TMPDIR": "/tmp", "PYTHONDONTWRITEBYTECODE": "1"}
    assert dockerfile.of("HEALTHCHECK") == ["NONE"]


@every_service
def test_what_is_copied_is_there_and_not_ignored(service: str) -> None:
    """The context lists what an image is made of; nothing else of the repository is sent."""
    patterns = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert patterns[0] == "*"
    allowed = [pattern.removeprefix("!") for pattern in patterns if pattern.startswith("!")]
    copied = [source for sources in read_dockerfile(service).of("COPY", 0) for source in sources.split()[:-1]]
    assert copied
    for source in copied:
        assert (ROOT / source).exists()
        assert any(fnmatch(source, pattern) for pattern in allowed)


@every_service
def test_the_requirements_are_those_of_the_image_and_of_its_tests(service: str) -> None:
    """Nothing that only tests need is in an image."""
    lines = (ROOT / service / "requirements.txt").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == ["-r image.txt", "-r ../requirements/test.txt"]
    assert "pytest" not in (ROOT / service / "image.txt").read_text()


@pytest.fixture
def batch(tmp_path: Path) -> tuple[Path, BatchId]:
    """Return a store with a batch that has begun."""
    root = drop_all(new_store(tmp_path / "shop"))
    with opened(root) as shop:
        sighting, _ = look(shop.ports, shop.ports.ledger.gate(), at_once=True)
        claimed = claim_batch(shop.ports, shop.ports.ledger.gate(), sighting.drops)
    assert claimed is not None
    return root, BatchId(str(claimed.batch_id))


@pytest.fixture
def barred(tmp_path: Path) -> Iterator[Path]:
    """Return a folder where nothing may be written: root can, so it is checked afterwards."""
    folder = tmp_path / "barred"
    folder.mkdir(mode=0o555)
    yield folder
    assert list(folder.iterdir()) == []


def run_service(service: str, batch: tuple[Path, BatchId], barred: Path, **chosen: str) -> list[str]:
    """Run a service's command as its image does, in its own folder; return the names of the facts it logs."""
    root, batch_id = batch
    dockerfile = read_dockerfile(service)
    tmp = barred.parent / "tmp"
    tmp.mkdir(exist_ok=True)
    assert dockerfile.entrypoint[0] == "python"
    ended = subprocess.run(
        [PYTHON, *dockerfile.entrypoint[1:]],
        env={
            "PATH": os.environ["PATH"],
            **QUICK,
            **({"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}),
            **{name: value for name, value in dockerfile.environment.items() if name != "PATH"},
            "HOME": str(barred),
            "TMPDIR": str(tmp),
            "TAKINGS_STORE": str(root),
            "TAKINGS_BATCH_ID": batch_id,
            "TAKINGS_ATTEMPT": "1",
            **chosen,
        },
        cwd=barred,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout
    assert list(tmp.iterdir()) == []
    return [json.loads(line)["fact"] for line in ended.stdout.splitlines()]


def needs(*packages: str) -> None:
    """Skip the test if a package of the image is not installed here."""
    for package in packages:
        if sys.executable == PYTHON and find_spec(package) is None:
            pytest.skip(f"{package} is not installed")


JUDGED = [*["file.validating", "file.judged"] * 3, "task.done"]


@pytest.mark.parametrize("engine", ["duckdb", "pandas"])
def test_the_validation_service_validates(batch: tuple[Path, BatchId], barred: Path, engine: str) -> None:
    """With DuckDB, as its image says, or with pandas, by changing one variable."""
    if "transformation" in os.environ.get("SERVICE", ""):
        pytest.skip("this is the other service's environment")
    needs(*({"pandas"} if engine == "pandas" else ()))
    chosen = {} if engine == "duckdb" else {"TAKINGS_VALIDATION_ENGINE": engine}
    assert run_service("validation-service", batch, barred, **chosen) == JUDGED


@pytest.mark.xdist_group("spark")
@pytest.mark.parametrize("engine", ["spark", "duckdb"])
def test_the_transformation_service_transforms(batch: tuple[Path, BatchId], barred: Path, engine: str) -> None:
    """With Spark, as its image says, or with DuckDB, by changing one variable; a store's settings cannot ask for more."""
    if "validation" in os.environ.get("SERVICE", ""):
        pytest.skip("this is the other service's environment")
    needs(*({"pyspark"} if engine == "spark" else ()))
    root, batch_id = batch
    with opened(root) as shop:
        steps.validate(shop.ports, batch_id, 1)
    (root / "takings.toml").write_text('engine = "duckdb"\nvalidation_engine = "pandas"\n')
    chosen = {} if engine == "spark" else {"TAKINGS_ENGINE": engine}
    facts = run_service("transformation-service", batch, barred, **chosen)
    assert (facts.count("lake.committed"), facts[-1]) == (1, "task.done")
    assert published(root, validation_engine="duckdb") == expected(root)
