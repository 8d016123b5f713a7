"""Stores that tests begin with."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.shop import drop_all, new_store, run


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
