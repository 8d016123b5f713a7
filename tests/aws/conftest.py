"""Stores in buckets that tests start from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from takings.adapters.aws.clients import Clients
    from tests.aws.harness.deployed import Deployed
    from tests.aws.harness.pipeline import Aws
    from tests.aws.harness.shop import S3Shop
    from tests.emulators import Emulator


@pytest.fixture
def shop(aws: Clients) -> S3Shop:
    """Return a new store in a bucket."""
    from tests.aws.harness.shop import S3Shop

    return S3Shop(clients=aws)


@pytest.fixture
def pipe(ministack: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """Return an empty AWS that can run functions, tasks and state machines."""
    from tests.aws.harness.pipeline import pipeline

    with pipeline(ministack, monkeypatch) as aws:
        yield aws
        print(aws.printed())  # printed if a test fails


@pytest.fixture(scope="session")
def aws_command_line() -> Path:
    """Return AWS's own command line, in MiniStack's environment."""
    from tests.emulators import MINISTACK

    command = MINISTACK.with_name("aws")
    if not command.exists():
        pytest.skip(f"the command line of AWS is not installed ({command}); `make test` installs it")
    return command


@pytest.fixture(scope="session")
def functions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the functions, built once for all workers."""
    from tests.aws.harness.deployed import built_functions

    base = tmp_path_factory.getbasetemp()
    # A worker's folder is inside that of the run.
    return built_functions((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "functions")


@pytest.fixture(scope="module")
def shared(ministack: Emulator, functions: Path) -> Iterator[Deployed]:
    """Return a pipeline for all tests of a module, because a deployment takes seconds; `deployed` empties it."""
    from tests.aws.harness.deployed import deploy
    from tests.aws.harness.pipeline import pipeline

    with pytest.MonkeyPatch.context() as monkeypatch, pipeline(ministack, monkeypatch) as aws:
        yield deploy(aws, functions)


@pytest.fixture
def deployed(shared: Deployed) -> Iterator[Deployed]:
    """Return the module's pipeline with an empty store."""
    from tests.aws.harness.calls import leave

    yield shared.emptied()
    print(shared.aws.printed())  # printed if a test fails
    calls = shared.aws.calls()
    leave(calls)
    assert [call for call in calls if not call["allowed"]] == []
