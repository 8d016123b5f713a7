"""Every example of the Python API does what it shows: in the docstrings, and in docs/python.md."""

from __future__ import annotations

import doctest
import inspect
import os
import re
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import pytest

import takings
from takings.api import beginning, kpis, looks, runs, shop, validating
from takings.composition import adopting
from tests.shop import PRODUCTS, csv_of, drop, drop_all, item, new_store, order, run

PAGE: Final = Path(__file__).parents[2] / "docs" / "python.md"
MODULES: Final = (adopting, beginning, kpis, looks, runs, shop, validating)
FLAGS: Final = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL


def found() -> Iterator[Any]:
    """Yield the examples of each docstring."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    for module in MODULES:
        yield from (each for each in finder.find(module, module.__name__) if each.examples)


EXAMPLES: Final = list(found())


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the shop that the examples are about: 34.50 on two days, and one late file."""
    folder = tmp_path_factory.mktemp("sample")
    root = drop_all(new_store(folder / "shop"))
    run(root)
    drop(root, "orders/late.csv", csv_of(order(4, "2025-03-31T10:00:00")))
    (folder / "good.csv").write_bytes(csv_of(order(5)))
    for name, content in (("products", PRODUCTS), ("orders", csv_of(order(1))), ("items", csv_of(item(1, 1)))):
        (folder / f"{name}.csv").write_bytes(content)
    (folder / "bad.csv").write_bytes(csv_of(order(6), order(7, num_of_item=0)))
    return folder


@pytest.fixture
def here(sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with a copy of the sample shop, and without settings."""
    for name in [name for name in os.environ if name.startswith("TAKINGS_")]:
        monkeypatch.delenv(name)
    folder = shutil.copytree(sample, tmp_path / "here")
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name.removeprefix("takings.api."))
@pytest.mark.usefixtures("here")
def test_a_docstring(example: Any) -> None:
    """Each runs on its own, beginning with `import takings`."""
    assert example.examples[0].source == "import takings\n"
    if ".pl()" in example.docstring:
        pytest.importorskip("polars")
    printed: list[str] = []
    outcome = doctest.DocTestRunner(optionflags=FLAGS).run(example, out=printed.append)
    assert (outcome.failed, "".join(printed)) == (0, "")


def test_everything_public_has_an_example() -> None:
    """A name of `takings`, or a method of one; `errors` and the version say themselves what they are."""
    documented = {example.name for example in EXAMPLES}
    lacking = []
    for name in set(takings.__all__) - {"__version__", "errors"}:
        thing = getattr(takings, name)
        places = {f"{thing.__module__}.{thing.__qualname__}"}
        if inspect.isclass(thing):
            rooms = [vars(each) for each in reversed(thing.__mro__) if each.__module__.startswith("takings.")]
            methods = {key: each for room in rooms for key, each in room.items() if key[0] != "_" and callable(each)}
            places |= {f"{each.__module__}.{each.__qualname__}" for each in methods.values()}
        lacking += sorted(places - documented)
    assert lacking == []


def blocks(page: Path) -> list[str]:
    """Return the Python code of a page, block by block."""
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.usefixtures("here")
def test_the_page() -> None:
    """The blocks run one after the other, as in a notebook, and what they assert holds."""
    known: dict[str, Any] = {"__name__": "page"}
    for place, block in enumerate(blocks(PAGE)):
        if ".pl()" not in block or find_spec("polars") is not None:
            exec(compile(block, f"docs/python.md, block {place}", "exec"), known)
    assert len(blocks(PAGE)) > 5
