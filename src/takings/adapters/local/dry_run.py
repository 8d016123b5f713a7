"""Validate files in place, as a batch would, and write only temporary files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from duckdb import DuckDBPyConnection

from takings.adapters.duckdb.session import open_duckdb
from takings.adapters.faults import translated_faults
from takings.adapters.local.unplaced import Unplaced
from takings.adapters.scanned_file import first_bytes, read_structure
from takings.batch.validate_file import validate_file
from takings.batch.validate_source import SourceReader
from takings.contracts.datasets import Dataset, DropKind
from takings.contracts.model import Contracts
from takings.errors import UsageError
from takings.intake.arrivals import Arrival
from takings.layout import FOLDERS, RAW, Drop, read_raw_key
from takings.ports import BusinessTime, SourceEngine, ValidationEngine
from takings.validation.folders import folders_in, levels_of
from takings.validation.mended import is_mended
from takings.validation.recognition import resembled
from takings.validation.source_columns import check_columns
from takings.validation.structure.values import Structure
from takings.validation.validated import ValidatedFile
from takings.validation.verdicts import Tolerance


@dataclass(frozen=True, kw_only=True)
class DryRun:
    """What files are validated against."""

    contracts: Contracts
    business_time: BusinessTime
    tolerance: Tolerance
    #: creates the validation engine on a connection
    engine: Callable[[DuckDBPyConnection, BusinessTime], ValidationEngine]
    memory: str
    threads: int
    now: datetime
    #: dataset or source, and fingerprint -> key of the files that a store has accepted
    accepted: Mapping[tuple[str, str], str]
    sources: SourceEngine

    def validate(self, files: Sequence[Path], dataset: Dataset | None) -> Iterator[ValidatedFile | Unplaced]:
        """Validate files one after the other; UsageError, before the first, where a sound file's dataset is unknown.

        A file's faulty records can be read until the next file is validated.
        """
        with (
            translated_faults(self.memory),
            TemporaryDirectory(prefix="takings-") as folder,
            closing(open_duckdb(self.memory, self.threads, Path(folder, "spill"))) as connection,
        ):
            validation = self.engine(connection, self.business_time)
            kinds = [dataset or self._kind_of(file) or self._unplaced(file, Path(folder)) for file in files]
            for place, (file, kind) in enumerate(zip(files, kinds, strict=True)):
                workspace = Path(folder, str(place))
                if isinstance(kind, Unplaced):
                    yield kind
                    continue
                yield self._validate(validation, file, kind, workspace)

    def _validate(self, validation: ValidationEngine, file: Path, kind: DropKind, workspace: Path) -> ValidatedFile:
        arrival = self._arrival(file, kind)
        original_of = partial(self._original_of, file, kind)
        if isinstance(kind, Dataset):
            return validate_file(
                validation,
                self.contracts,
                arrival,
                file,
                now=self.now,
                tolerance=self.tolerance,
                workspace=workspace,
                staged=workspace / "staged.parquet",
                original_of=original_of,
            )
        reader = SourceReader(
            validation=validation,
            engine=self.sources,
            contracts=self.contracts,
            source=self.contracts.sources.by_name[kind],
            now=self.now,
        )
        staged = {dataset: workspace / f"{dataset}.parquet" for dataset in reader.source.datasets}
        return reader.validate(arrival, file, workspace=workspace, staged=staged, original_of=original_of)

    def _kind_of(self, file: Path) -> DropKind | None:
        """Tell what a file is of by its folder, else by what resembles a header in its first lines."""
        match read_raw_key(f"{RAW}{self._folder(file).name}/x.csv", self.contracts.sources.folders):
            case Drop(dataset=kind):
                return kind
        return resembled(first_bytes(file), self.contracts) or self._source_of(file)

    def _source_of(self, file: Path) -> DropKind | None:
        """Return the only source all of whose columns are in a file's header; None where there is none, or more than one."""
        fitting = []
        for source in self.contracts.sources.by_name.values():
            with TemporaryDirectory(prefix="takings-") as workspace:
                structure = read_structure(file, Path(workspace), source.file)
            if structure.header is not None and check_columns(source, structure.header) is None:
                fitting.append(source.name)
        return fitting[0] if len(fitting) == 1 else None

    def _arrival(self, file: Path, kind: DropKind) -> Arrival:
        """Describe a file as if it had been dropped where it lies."""
        has_folders = any(map(levels_of, self.contracts.of(kind)))
        return Arrival(
            key=str(file),
            dataset=kind,
            file=self._below_folder(file) if has_folders else file.name,
            size=file.stat().st_size,
            etag="",
            version=_written(file, self.now),
        )

    def _original_of(self, file: Path, kind: DropKind, structure: Structure) -> str | None:
        """Return the accepted file of which this one is a copy, if there is one."""
        key, contracts = self.accepted.get((kind.value, structure.fingerprint)), self.contracts.of(kind)
        if all(contract.version_column for contract in contracts):
            # Only a file of the same name in raw-data/ would be one, which nobody knows here.
            return None
        match read_raw_key(key or "", self.contracts.sources.folders):
            case Drop(dataset=other, file=copied) if other == kind:
                is_free = is_mended(structure.header or ())
                is_alike = folders_in(contracts, copied) == folders_in(contracts, self._below_folder(file))
                return key if is_free or is_alike else None
            case _:
                return None

    def _folder(self, file: Path) -> Path:
        """Return the folder that tells what a file is of: one in raw-data/, however deep the file lies in it, or its own."""
        parents = file.resolve().parents
        known = {*FOLDERS, *self.contracts.sources.folders}
        return next(
            (folder for folder in parents if f"{folder.parent.name}/" == RAW and folder.name in known), parents[0]
        )

    def _below_folder(self, file: Path) -> str:
        """Return a file's name, with the folders between it and the one that tells what it is of."""
        return file.resolve().relative_to(self._folder(file)).as_posix()

    def _unplaced(self, file: Path, workspace: Path) -> Unplaced:
        """Refuse a file that can be of no dataset, however it is read; UsageError where it may be of one."""
        formats = dict.fromkeys(contract.file for contract in self.contracts.by_dataset.values())
        refused = []
        for written in formats:
            structure = read_structure(file, workspace, written)
            if structure.fault is not None:
                refused.append((structure, structure.fault))
        if len(refused) == len(formats):
            structure, fault = refused[0]
            return Unplaced(file=file, structure=structure, fault=fault, version=_written(file, self.now))
        raise UsageError(
            f"{file}: neither its folder nor its header shows which dataset it is. Add --dataset products, orders or"
            " order_items."
        )


def _written(file: Path, now: datetime) -> datetime:
    written = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=file.stat().st_mtime_ns // 1000)
    return min(written, now)
