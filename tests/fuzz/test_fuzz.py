"""What `make fuzz` starts from holds, and its properties notice a fault."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from takings.validation.structure.scan import scan
from tests.fuzz import structure

SEEDS = sorted((Path(__file__).parent / "seeds").glob("*/*"))


@pytest.mark.parametrize("seed", SEEDS, ids=[f"{seed.parent.name}-{seed.stem}" for seed in SEEDS])
def test_a_seed_is_sound(seed: Path) -> None:
    """An input that showed a fault becomes one more seed."""
    if seed.parent.name == "mappings":
        pytest.importorskip("pandas")
    import_module(f"tests.fuzz.{seed.parent.name}").check(seed.read_bytes())


def test_a_record_that_is_not_counted_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The property is not true of just any scan."""

    def forgetful(*blocks: Any, **options: Any) -> Any:
        found = scan(*blocks, **options)
        return replace(found, records=max(found.records - 1, 0))

    monkeypatch.setattr(structure, "scan", forgetful)
    with pytest.raises(AssertionError):
        structure.check(b"\0\0\0a,b\n1,x\n")
