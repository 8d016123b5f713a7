"""What commands and pages say about a damaged document: which file, and what to do; nothing is changed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NoReturn

import pytest

from takings.errors import CorruptState
from takings.runs import pipeline
from tests.cli.terminal import Takings, unwrapped
from tests.shop import csv_of, drop, drop_all, expected, item, new_store, opened, published, run

DAMAGES: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "truncated": lambda whole: whole[: len(whole) // 2],
    "a list": lambda _: b"[]",
    "bare": lambda _: b"{}",
}


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store that has taken a batch with a refused file; no test changes it."""
    root = drop_all(new_store(tmp_path_factory.mktemp("taken") / "shop"))
    drop(root, "order-items/bad.csv", csv_of(item(9, 1, sale_price="0")))
    run(root)
    return root


def damage(root: Path, place: str, how: str) -> tuple[Path, bytes]:
    """Damage a document, and return it with its former content."""
    (path,) = root.glob(place)
    whole = path.read_bytes()
    path.write_bytes(DAMAGES[how](whole))
    return path, whole


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize(
    ("place", "commands"),
    [
        ("lake/format.json", ["run", "status", "batches", "verify"]),
        ("lake/commits/1.json", ["run --now", "verify", "restate"]),
        ("batches/*/manifest.json", ["batches", "batches BATCH", "rebuild"]),
        ("batches/*/verdicts.json", ["batches BATCH", "rebuild"]),
        ("batches/*/affected.json", ["batches BATCH"]),
        ("batches/*/outcome.json", ["batches", "batches BATCH"]),
        ("batches/*/attempt-1.json", ["batches BATCH"]),
        ("validation-reports/*/order_items/bad.csv/chunk-00000.json", ["batches BATCH"]),
    ],
)
def test_a_command_names_the_document_and_the_remedy(
    takings: Takings, taken: Path, tmp_path: Path, place: str, commands: list[str], how: str
) -> None:
    """Code 3, no traceback, and the document is unchanged."""
    root = shutil.copytree(taken, tmp_path / "shop")
    path, _ = damage(root, place, how)
    found = path.read_bytes()
    for command in commands:
        name, *options = command.replace("BATCH", path.parts[path.parts.index("shop") + 2]).split()
        new = [tmp_path / "new"] if name == "rebuild" else []
        ended = takings(name, root, *options, *new)
        assert (ended.code, ended.out) == (3, ""), command
        key = path.relative_to(root).as_posix()
        assert unwrapped(ended.err).startswith(f"takings: {key} is damaged: no "), (command, ended.err)
        assert "Nothing was changed. Restore it from a back-up" in unwrapped(ended.err)
    assert path.read_bytes() == found


class Killed(BaseException):
    """The process died."""


class Dead:
    """A port where the process dies."""

    def __getattr__(self, _: str) -> NoReturn:
        raise Killed


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("name", ["manifest", "verdicts", "affected"])
def test_a_batch_that_is_taken_up_again_is_not_retried_over_damage(root: Path, name: str, how: str) -> None:
    """One attempt without back-off; once the document is restored, the batch is completed."""
    drop_all(root)
    dead: Any = Dead()
    with opened(root) as shop, pytest.raises(Killed):
        pipeline.run(replace(shop.ports, kpi_engine=dead), at_once=True)
    path, whole = damage(root, f"batches/*/{name}.json", how)
    with opened(root) as shop:
        attempt = shop.ports.ledger.gate().attempt
        with pytest.raises(CorruptState, match=rf"{name}\.json is damaged: no .* Restore it from a back-up"):
            pipeline.run(shop.ports, at_once=True)
        assert shop.ports.ledger.gate().attempt == attempt + 1
    path.write_bytes(whole)
    (batch,) = run(root).batches
    assert batch.commit == 1
    assert published(root) == expected(root)


def test_pages_and_api_name_the_document(taken: Path, tmp_path: Path) -> None:
    """As a page for people and as a problem document for programs; other pages still work."""
    pytest.importorskip("fastapi")
    from tests.web.looking import asking
    from tests.web.site import served

    root = shutil.copytree(taken, tmp_path / "shop")
    for name, addresses in {
        "outcome": ("/batches", "/batches/BATCH", "/api/v1/batches", "/api/v1/batches/BATCH"),
        "verdicts": ("/batches/BATCH", "/api/v1/batches/BATCH", "/api/v1/violations", "/quality"),
        "affected": ("/batches/BATCH/restated", "/api/v1/batches/BATCH"),
    }.items():
        path, whole = damage(root, f"batches/*/{name}.json", "truncated")
        with served(root) as site, asking(site) as ask:
            for address in addresses:
                answer = ask(address.replace("BATCH", path.parent.name))
                assert answer.status_code == 500, (name, address)
                assert f"{name}.json is damaged: no " in answer.text, address
                assert "Restore it from a back-up" in answer.text
            assert ask("/api/v1/kpis").status_code == 200
        path.write_bytes(whole)
