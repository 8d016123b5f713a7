"""Files of a batch are read ahead: which ones in one pass, which ones by threads, and how that ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from takings.batch.reading_ahead import MOST, SMALL, WORTH_THREADS, FileAhead, ReadingAhead, Round, next_round
from takings.contracts.load import load_contracts
from takings.contracts.model import Dataset
from takings.intake.arrivals import Arrival
from takings.ports import ValidationEngine
from takings.workers import Workers

CONTRACTS = load_contracts()
NOW = datetime(2025, 1, 1, tzinfo=UTC)


def arrivals(*sizes: int) -> list[Arrival]:
    """Return arrivals of these sizes, of which only size and dataset matter."""
    return [
        Arrival(
            key=f"raw-data/orders/{place}.csv",
            dataset=Dataset.ORDERS,
            file=f"{place}.csv",
            version=NOW,
            size=size,
            etag="e",
        )
        for place, size in enumerate(sizes)
    ]


def rounds(files: list[Arrival], *, workers: int = 2, suspected: tuple[int, ...] = ()) -> Round:
    """Return the first round."""
    keys = {files[place].key for place in suspected}
    return next_round(files, 0, lambda arrival: arrival.key in keys, workers=workers)


class TestNextRound:
    """A round is what is read ahead before anything is decided."""

    def test_large_files_have_a_thread_each(self) -> None:
        """If the engine has several workers."""
        files = arrivals(WORTH_THREADS, WORTH_THREADS, SMALL)
        assert rounds(files) == Round(together=(), side_by_side=(0, 1), end=3)
        assert rounds(files, workers=1) == Round(together=(), side_by_side=(), end=3)

    def test_a_file_that_has_no_other_beside_it_needs_no_thread(self) -> None:
        """Nor do files that are read in no time."""
        assert rounds(arrivals(WORTH_THREADS, SMALL)).side_by_side == ()
        assert rounds(arrivals(SMALL + 1, SMALL + 1)).side_by_side == ()

    def test_many_small_files_are_read_together(self) -> None:
        """Between larger ones, too; a few are not worth it."""
        assert rounds(arrivals(*[1] * 8, WORTH_THREADS, *[1] * 8)).together == (*range(8), *range(9, 17))
        assert rounds(arrivals(*[1] * 15)).together == ()

    def test_a_suspect_is_left_to_be_read_alone(self) -> None:
        """Its next death must be charged to nobody else."""
        files = arrivals(*[WORTH_THREADS] * 4)
        assert rounds(files, suspected=(1,)).side_by_side == (0, 2, 3)

    def test_a_round_is_bounded(self) -> None:
        """In files, and in bytes of small files."""
        assert rounds(arrivals(*[1] * (MOST + 5))).end == MOST
        assert rounds(arrivals(*[SMALL] * 100)).end == 16


class Engine:
    """An engine whose reading goes on until it is broken off."""

    workers = 2

    def __init__(self, read: Callable[[Callable[[], None]], object]) -> None:
        self._read = read
        self.is_interrupted = threading.Event()

    def read_structure(self, path: Path, workspace: Path, file: object, on_block: Callable[[], None]) -> object:
        """Read as the test says."""
        return self._read(on_block)

    def interrupt(self) -> None:
        """Note it."""
        self.is_interrupted.set()


@contextmanager
def ahead_of(engine: Engine) -> Iterator[ReadingAhead]:
    """Read ahead with an engine until the block ends."""
    with Workers(engine.workers, engine.interrupt) as workers:
        yield ReadingAhead(cast("ValidationEngine", engine), CONTRACTS, NOW, workers)


def file(tmp_path: Path, name: str = "a.csv") -> FileAhead:
    """Return a file to read."""
    return FileAhead(
        dataset=Dataset.ORDERS,
        file=name,
        workspace=tmp_path / name,
        staged=tmp_path / f"{name}.parquet",
        fetch=lambda: tmp_path,
    )


def test_what_a_thread_raises_is_raised_when_the_file_is_asked_for(tmp_path: Path) -> None:
    """Broken machinery is no finding."""

    def fails(_: Callable[[], None]) -> object:
        raise MemoryError("no memory")

    with ahead_of(Engine(fails)) as ahead:
        ahead.read([], [file(tmp_path)], tmp_path)
        with pytest.raises(MemoryError, match="no memory"):
            ahead.knows(tmp_path / "a.csv")


def test_an_error_ends_the_threads_that_read_other_files(tmp_path: Path) -> None:
    """A scan ends at its next block, a query is interrupted, and files that wait are not begun."""
    begun: list[int] = []

    def reads_for_ever(on_block: Callable[[], None]) -> object:
        begun.append(1)
        while True:
            on_block()
            time.sleep(0.001)

    engine = Engine(reads_for_ever)
    before = threading.active_count()

    def is_interrupted_while_two_are_read() -> None:
        with ahead_of(engine) as ahead:
            ahead.read([], [file(tmp_path, f"{place}.csv") for place in range(5)], tmp_path)
            while len(begun) < 2:
                time.sleep(0.001)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        is_interrupted_while_two_are_read()
    assert (len(begun), engine.is_interrupted.is_set(), threading.active_count()) == (2, True, before)


def test_a_file_that_cannot_be_fetched_is_left_to_its_turn(tmp_path: Path) -> None:
    """Where it is refused for the reason that is found then."""
    engine: Any = Engine(lambda _: pytest.fail("nothing can be read"))
    gone = FileAhead(
        dataset=Dataset.ORDERS, file="a.csv", workspace=tmp_path, staged=tmp_path / "s", fetch=lambda: None
    )
    with ahead_of(engine) as ahead:
        ahead.read([], [gone], tmp_path)
        assert ahead.knows(tmp_path) is False
