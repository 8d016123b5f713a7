"""Run a file through both validation engines and return everything that each produced."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from takings.adapters.duckdb.sql import name
from takings.adapters.duckdb.validation import DuckDbValidation
from takings.adapters.pandas.validation import PandasValidation
from takings.contracts.model import Contract
from takings.ports import ScannedFile, ValidationEngine
from takings.time_zones import business_time
from takings.validation.findings import FaultyRecord, Findings
from takings.validation.mended import contract_of
from takings.validation.structure.scan import Structure
from tests.shop import NOON


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Everything an engine made of a file."""

    structure: Structure
    #: None if the structure is faulty; then there is nothing below
    findings: Findings | None = None
    faulty: list[FaultyRecord]
    #: the contract's columns, and an item's amount, as DuckDB sees them in the staged file
    types: list[tuple[str, str]]
    #: the contract's columns and the line; an instant as microseconds since 1970
    staged: list[tuple[Any, ...]]


@dataclass(frozen=True, kw_only=True)
class Workbench:
    """What engines need to run."""

    connection: duckdb.DuckDBPyConnection
    contract: Contract
    time_zone: str = "UTC"
    now: datetime = NOON

    def duckdb(self, content: bytes, *, file: str = "a.csv") -> Outcome:
        """Run the default engine."""
        return self._run(DuckDbValidation(self.connection, business_time(self.time_zone)), content, file)

    def pandas(self, content: bytes, *, file: str = "a.csv", chunk_size: int = 10_000) -> Outcome:
        """Run the pandas engine."""
        engine = PandasValidation(self.connection, business_time(self.time_zone), chunk_size=chunk_size)
        return self._run(engine, content, file)

    def _run(self, engine: ValidationEngine, content: bytes, file: str) -> Outcome:
        with tempfile.TemporaryDirectory() as folder:
            path, workspace, staged = Path(folder, file), Path(folder, "work"), Path(folder, "staged.parquet")
            path.write_bytes(content)
            structure = engine.read_structure(path, workspace, self.contract.file)
            if structure.fault is not None:
                faulty = list(engine.broken_records(workspace))
                return Outcome(structure=structure, faulty=faulty, types=[], staged=[])
            findings = engine.validate(path, structure, self.contract, now=self.now, workspace=workspace, staged=staged)
            inspected = ScannedFile(path=path, structure=structure, workspace=workspace, staged=staged)
            return self._outcome(inspected, findings)

    def together(self, content: bytes, *, file: str = "a.csv") -> list[Outcome | None]:
        """Run the default engine on three such files at once; None for one that needs a run of its own."""
        engine = DuckDbValidation(self.connection, business_time(self.time_zone))
        with tempfile.TemporaryDirectory() as folder:
            inspected = []
            for place in range(3):
                path, workspace = Path(folder, f"{place}-{file}"), Path(folder, f"work-{place}")
                path.write_bytes(content)
                structure = engine.read_structure(path, workspace, self.contract.file)
                staged = Path(folder, f"staged-{place}.parquet")
                inspected.append(ScannedFile(path=path, structure=structure, workspace=workspace, staged=staged))
            if inspected[0].structure.fault is not None:
                return []
            found = engine.validate_together(inspected, self.contract, now=self.now, workspace=Path(folder, "work"))
            outcomes: list[Outcome | None] = []
            for each, findings in zip(inspected, found, strict=True):
                outcomes.append(None if findings is None else self._outcome(each, findings))
            return outcomes

    def _outcome(self, file: ScannedFile, findings: Findings) -> Outcome:
        types, rows = self._staged(file.staged, contract_of(self.contract, file.structure.header or ()))
        return Outcome(
            structure=file.structure,
            findings=findings,
            faulty=list(findings.faulty_records()),
            types=types,
            staged=rows,
        )

    def _staged(self, staged: Path, contract: Contract) -> tuple[list[tuple[str, str]], list[tuple[Any, ...]]]:
        """Read staged rows; a clean regular file may be staged without lines."""
        source = f"read_parquet('{staged}')"
        found = [(row[0], row[1]) for row in self.connection.execute(f"describe select * from {source}").fetchall()]
        line = "_line" if "_line" in dict(found) else "file_row_number + 2"
        types = [(column, type_) for column, type_ in found if column in contract.stored]
        values = ", ".join(
            f"epoch_us({name(column)})" if type_.startswith("TIMESTAMP") else name(column) for column, type_ in types
        )
        rows = self.connection.execute(f"select {values}, {line} from {source} order by file_row_number").fetchall()
        return types, rows
