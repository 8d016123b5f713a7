"""Stores that tests begin with."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from takings.adapters.aws.clients import Clients
from tests.emulators import Emulator, started
from tests.shop import drop_all, new_store, run

# What must not be skipped is named in a variable that looks like a setting, of which there is none of this name.
if "TAKINGS_REQUIRE" in os.environ:
    os.environ["REQUIRED_BY_TESTS"] = os.environ.pop("TAKINGS_REQUIRE")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a new store."""
    return new_store(tmp_path / "shop")


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with one batch in its lake, which nobody changes."""
    root = drop_all(new_store(tmp_path_factory.mktemp("landed") / "shop"))
    run(root)
    return root


@pytest.fixture
def done(landed: Path, tmp_path: Path) -> Path:
    """Return a store of one's own with one batch in its lake."""
    return shutil.copytree(landed, tmp_path / "shop")


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Return moto, which serves all tests of this worker."""
    with started("moto", tmp_path_factory.mktemp("moto")) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Return MiniStack, which serves all tests of this worker; without it they are skipped."""
    with started("ministack", tmp_path_factory.mktemp("ministack")) as emulator:
        yield emulator


@pytest.fixture(params=["moto", "ministack"])
def aws(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Clients:
    """Return clients of an emulator with an empty bucket and empty tables; whoever connects finds the same."""
    emulator: Emulator = request.getfixturevalue(request.param)
    return emulator.emptied(monkeypatch)
