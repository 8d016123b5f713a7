"""Open stores at little cost: what is expensive and the same for every run is made once a process."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import duckdb

from takings import bootstrap, maintenance
from takings.adapters.duckdb_session import open_duckdb
from takings.adapters.local import platform
from takings.adapters.local.database import open_database
from takings.bootstrap import Shop
from takings.contracts import load_contracts
from takings.contracts.model import Contract
from takings.kpis import load_kpi_tables
from takings.validation.findings import FaultyRecord, Findings
from takings.validation.structure import Structure
from tests.shop import new_store, silent

_MEMORY_FOLDER: Final = Path("/dev/shm")
#: a day of these shops has few files
_MOST_FILES: Final = 2


_load_contracts: Final = cache(load_contracts)
_load_kpi_tables: Final = cache(load_kpi_tables)


@contextmanager
def opened_shop(options: dict[str, Any]) -> Iterator[Shop]:
    """Open a new store whose database is in memory, and its folder too where the system has such a place."""
    where = _MEMORY_FOLDER if _MEMORY_FOLDER.is_dir() else None
    with (
        tempfile.TemporaryDirectory(prefix="takings simulation ", dir=where) as folder,
        patch.object(bootstrap, "open_duckdb", lambda *_: _duckdb().cursor()),
        patch.object(platform, "open_database", lambda _: open_database(None)),
        patch.object(bootstrap, "load_contracts", _load_contracts),
        patch.object(bootstrap, "load_kpi_tables", _load_kpi_tables),
        patch.object(maintenance, "_MOST_FILES", _MOST_FILES),
        bootstrap.open_store(new_store(Path(folder) / "shop"), silent, {"threads": 1} | options) as shop,
    ):
        yield replace(shop, ports=replace(shop.ports, validation=RememberedValidation(shop.ports.validation)))


@cache
def _duckdb() -> duckdb.DuckDBPyConnection:
    return open_duckdb("400MB", 1, Path(tempfile.gettempdir()) / "takings simulation")


#: by fingerprint: what is found does not depend on who looks, nor on when, for nothing in the shops lies in the future
_STRUCTURES: Final[dict[str, tuple[Structure, list[FaultyRecord]]]] = {}
_FINDINGS: Final[dict[str, tuple[Findings, list[FaultyRecord], bytes | None]]] = {}


class RememberedValidation:
    """The real validation, asked once about the same bytes."""

    def __init__(self, validation: Any) -> None:
        self._validation = validation
        self._inspected: dict[Path, str] = {}

    def inspect(self, path: Path, workspace: Path) -> Structure:
        """Read the structure of a file."""
        fingerprint = sha256(path.read_bytes()).hexdigest()
        if fingerprint not in _STRUCTURES:
            structure = self._validation.inspect(path, workspace)
            _STRUCTURES[fingerprint] = structure, list(self._validation.broken_records(workspace))
        self._inspected[workspace] = fingerprint
        return _STRUCTURES[fingerprint][0]

    def broken_records(self, workspace: Path) -> Iterator[FaultyRecord]:
        """Yield the broken records that `inspect` found."""
        return iter(_STRUCTURES[self._inspected[workspace]][1])

    def check(
        self, path: Path, structure: Structure, contract: Contract, *, now: datetime, workspace: Path, staged: Path
    ) -> Findings:
        """Check every sound record of a file and write those without an error."""
        known = _FINDINGS.get(structure.fingerprint)
        if known is None:
            self._validation.inspect(path, workspace)
            findings: Findings = self._validation.check(
                path, structure, contract, now=now, workspace=workspace, staged=staged
            )
            faulty = list(findings.faulty_records())
            content = staged.read_bytes() if staged.exists() else None
            findings = replace(findings, faulty_records=lambda: iter(faulty))
            _FINDINGS[structure.fingerprint] = findings, faulty, content
            return findings
        if known[2] is not None:
            staged.parent.mkdir(parents=True, exist_ok=True)
            staged.write_bytes(known[2])
        return known[0]
