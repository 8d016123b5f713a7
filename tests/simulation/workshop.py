"""Open stores cheaply: what is expensive and the same for every run is made once per process."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any, Final
from unittest.mock import patch

import duckdb

from takings.adapters.duckdb.session import open_duckdb
from takings.adapters.local import platform
from takings.adapters.local.database import open_database
from takings.composition import definitions, engines, stores
from takings.composition.stores import Shop
from takings.contracts.file_format import USUAL, FileFormat
from takings.contracts.model import Contract
from takings.kpis import load_kpi_tables
from takings.ports import ScannedFile
from takings.runs import maintenance, watch
from takings.validation.findings import FaultyRecord, Findings
from takings.validation.mended import VERSION
from takings.validation.structure.scan import Structure
from tests.shop import new_store, silent
from tests.simulation.parts import Versions, contracts_named

_MEMORY_FOLDER: Final = Path("/dev/shm")
#: a day in these shops has few files
_MOST_FILES: Final = 2


_load_kpi_tables: Final = cache(load_kpi_tables)


@contextmanager
def opened_shop(options: dict[str, Any], versions: Versions = "arrivals") -> Iterator[Shop]:
    """Open a new store with its database in memory, and its folder as well if the system allows it."""
    with (
        tempfile.TemporaryDirectory(prefix="takings simulation ", dir=_memory_folder()) as folder,
        patch.object(engines, "open_duckdb", lambda *_: _duckdb().cursor()),
        patch.object(platform, "open_database", lambda _: open_database(None)),
        patch.object(definitions, "load_contracts", lambda _: contracts_named("shipped", versions)),
        patch.object(stores, "load_kpi_tables", _load_kpi_tables),
        patch.object(maintenance, "_MOST_FILES", _MOST_FILES),
        # A watch's back-off is random, and the same seed has to draw the same.
        patch.object(watch, "random", Random(0)),
        stores.open_store(new_store(Path(folder) / "shop"), silent, {"threads": 1} | options) as shop,
    ):
        yield replace(shop, ports=replace(shop.ports, validation=RememberedValidation(shop.ports.validation)))


def _memory_folder() -> Path | None:
    return _MEMORY_FOLDER if _MEMORY_FOLDER.is_dir() else None


@cache
def _duckdb() -> duckdb.DuckDBPyConnection:
    return open_duckdb("400MB", 1, Path(tempfile.gettempdir()) / "takings simulation")


#: by fingerprint and format, and by contract: findings depend on neither the reader nor the time, because only the
#: version of a corrected row is in the future in these shops
_STRUCTURES: Final[dict[tuple[str, FileFormat], tuple[Structure, list[FaultyRecord]]]] = {}
_FINDINGS: Final[dict[tuple[str, int], tuple[Findings, bytes | None]]] = {}


class RememberedValidation:
    """The real validation, run once for the same bytes, away from the store.

    Remembering must make no difference: each call needs the same bytes and folders, and takes the same number of steps.
    """

    def __init__(self, validation: Any) -> None:
        self._validation = validation
        self._scanned: dict[Path, tuple[str, FileFormat]] = {}

    @property
    def workers(self) -> int:
        """Return 1: threads would take turns as they like, and no run could be repeated."""
        return 1

    def interrupt(self) -> None:
        """Do nothing: no other thread works with it."""

    def read_structure(
        self, path: Path, workspace: Path, file: FileFormat = USUAL, on_block: Callable[[], None] = lambda: None
    ) -> Structure:
        """Read the structure of a file."""
        data = path.read_bytes()
        workspace.mkdir(parents=True, exist_ok=True)
        known = sha256(data).hexdigest(), file
        if known not in _STRUCTURES:
            with _aside(path.name, data) as aside:
                structure = self._validation.read_structure(aside, aside.parent / "work", file)
                _STRUCTURES[known] = structure, list(self._validation.broken_records(aside.parent / "work"))
        self._scanned[workspace] = known
        return _STRUCTURES[known][0]

    def broken_records(self, workspace: Path) -> Iterator[FaultyRecord]:
        """Yield the broken records that `read_structure` found."""
        workspace.stat()
        return iter(_STRUCTURES[self._scanned[workspace]][1])

    def validate(
        self, path: Path, structure: Structure, contract: Contract, *, now: datetime, workspace: Path, staged: Path
    ) -> Findings:
        """Check every sound record of a file and write those without an error."""
        workspace.stat()
        data = path.read_bytes()
        # The simulation loads each contract once, and keeps it.
        known = structure.fingerprint, id(contract)
        if known not in _FINDINGS or VERSION.encode() in data:
            with _aside(path.name, data) as aside:
                _FINDINGS[known] = self._findings(aside, contract, now)
        findings, content = _FINDINGS[known]
        if content is not None:
            staged.parent.mkdir(parents=True, exist_ok=True)
            staged.write_bytes(content)
        return findings

    def validate_together(
        self, files: Sequence[ScannedFile], contract: Contract, *, now: datetime, workspace: Path
    ) -> Sequence[Findings | None]:
        """Validate small files, each by itself."""
        return [
            self.validate(file.path, file.structure, contract, now=now, workspace=file.workspace, staged=file.staged)
            for file in files
        ]

    def _findings(self, path: Path, contract: Contract, now: datetime) -> tuple[Findings, bytes | None]:
        workspace, staged = path.parent / "work", path.parent / "staged.parquet"
        structure = self._validation.read_structure(path, workspace, contract.file)
        findings: Findings = self._validation.validate(
            path, structure, contract, now=now, workspace=workspace, staged=staged
        )
        faulty = list(findings.faulty_records())
        content = staged.read_bytes() if staged.exists() else None
        return replace(findings, faulty_records=lambda: iter(faulty)), content


@contextmanager
def _aside(name: str, data: bytes) -> Iterator[Path]:
    """Write bytes where no process of the simulation looks."""
    with tempfile.TemporaryDirectory(prefix="takings simulation ", dir=_memory_folder()) as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        yield path
