"""Validate one file in a task of Spark, in an executor's Python, as a local run would in its own process.

What a task writes has the task's attempt in its name: a task may be tried again, or run twice at once, and an attempt that was
given up may still be writing. Only the names that a successful attempt returns are ever read.
"""

from __future__ import annotations

import os
import pickle  # nosec B403 - as Spark itself passes what tasks get and return
import shutil
import socket
import zlib
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from duckdb import DuckDBPyConnection
from pyspark import TaskContext

import takings
from takings import layout
from takings.adapters.duckdb.session import open_duckdb
from takings.adapters.duckdb.source_rows import DuckDbSources
from takings.adapters.faults import translated_faults
from takings.adapters.platform import OpenFiles
from takings.adapters.spark.faulty_records import write_faulty
from takings.batch.validate_one import validate_one
from takings.contracts.model import Dataset
from takings.errors import SettingsError, StoreError, UnreadableFile
from takings.ports import BusinessTime, FileToValidate, ObjectStore, ValidationEngine
from takings.settings import read_size
from takings.time_zones import business_time
from takings.validation.findings import Verdict, no_faulty_records
from takings.validation.validated import ValidatedFile

#: the part of a limited process that DuckDB may use; Python and the file's scan need the rest
_DUCKDB_SHARE: Final = 2


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a task is asked to do."""

    file: FileToValidate
    open_files: OpenFiles
    #: makes the validation engine on a connection
    engine: Callable[[DuckDBPyConnection, BusinessTime], ValidationEngine]
    time_zone: str
    #: what DuckDB may use in one task
    memory: str
    #: Spark's id of the application; task attempts are numbered within it
    application: str


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a task returns. Paths are relative to the batch's staging folder."""

    #: what was found, without the faulty records, as bytes for `unpack`; None where the file's bytes were overwritten
    validated: bytes | None = None
    #: of each dataset with staged rows
    staged: Mapping[Dataset, str]
    #: of the faulty records, where a verdict needs them
    faulty: str | None = None
    #: why the file cannot be read
    unread: str | None = None


def unpack(packed: bytes) -> ValidatedFile:
    """Return what a task found."""
    validated: ValidatedFile = pickle.loads(zlib.decompress(packed))  # noqa: S301  # nosec B301 - from our own task
    return validated


def run_task(asked: tuple[str, bytes]) -> Answer:
    """Do what the driver asks, given as the driver's version of Takings and a pickled `Asked`."""
    version, packed = asked
    if version != takings.__version__:
        raise SettingsError(
            f"an executor on {socket.gethostname()} has Takings {takings.__version__}, the driver {version}. Install the same"
            " version in the executors' Python."
        )
    request: Asked = pickle.loads(packed)  # noqa: S301  # nosec B301 - from the driver
    with translated_faults(request.memory), TemporaryDirectory(prefix="takings-", dir=_scratch()) as scratch:
        work = Path(scratch)
        with request.open_files(work / "store") as store:
            try:
                return _read(request, store, work)
            except UnreadableFile as refused:
                return Answer(staged={}, unread=str(refused))


def _scratch() -> str | None:
    """Return a folder that Spark cleans when the executor ends; None where it names none."""
    return os.environ.get("SPARK_LOCAL_DIRS", "").partition(",")[0] or None


def _read(asked: Asked, store: ObjectStore, work: Path) -> Answer:
    file = asked.file
    _check_store(store, file)
    path = store.fetch(file.arrival.source, file.arrival.etag, file.batch_id)
    if path is None:
        return Answer(staged={})
    staged = {dataset: work / f"{dataset}.parquet" for dataset in Dataset}
    memory = memory_within_limit(asked.memory)
    with closing(open_duckdb(memory, _processors(), work / "spill")) as connection:
        engine = asked.engine(connection, business_time(asked.time_zone))
        validated = validate_one(file, engine, DuckDbSources(memory), path, workspace=work / "work", staged=staged)
        faulty = work / "faulty.jsonl.gz"
        if validated.report.verdict is Verdict.REJECTED or validated.report.records.rejected:
            write_faulty(faulty, validated.faulty_records())
    names = _share(asked, store, [each for each in (*staged.values(), faulty) if each.exists()])
    # The file's first bytes have explained what they could.
    structure = replace(validated.structure, head=b"")
    found = replace(validated, structure=structure, faulty_records=no_faulty_records)
    return Answer(
        validated=zlib.compress(pickle.dumps(found)),
        staged={dataset: names[path] for dataset, path in staged.items() if path in names},
        faulty=names.get(faulty),
    )


def _check_store(store: ObjectStore, file: FileToValidate) -> None:
    """Raise StoreError where this executor has another store, or none, so that its file only seems to be gone."""
    manifest = layout.manifest(file.batch_id)
    if store.read(manifest) is None:
        raise StoreError(
            f"an executor on {socket.gethostname()} does not find {manifest} in the store. Mount the store's folder under the"
            " same path on every machine of the cluster, and run again; nothing is lost."
        )


def memory_within_limit(setting: str) -> str:
    """Return what DuckDB may use: the setting, or less where Spark limits the process (spark.executor.pyspark.memory)."""
    limit = int(os.environ.get("PYSPARK_EXECUTOR_MEMORY_MB", "-1"))
    return setting if limit < 0 else f"{min(bytes_of(setting) // 10**6, limit // _DUCKDB_SHARE)}MB"


def bytes_of(setting: str) -> int:
    """Return the setting `memory` as a number."""
    size = read_size(setting)
    assert isinstance(size, int)
    return size


def _processors() -> int:
    """Return how many processors the task has (spark.task.cpus)."""
    context = TaskContext.get()
    return context.cpus() if context is not None else 1


def _share(asked: Asked, store: ObjectStore, files: list[Path]) -> dict[Path, str]:
    """Move files to where the driver finds them, under this attempt's name; return their names in the staging folder."""
    context = TaskContext.get()
    assert context is not None
    attempt = f"tasks/{asked.file.place:05d}/{asked.application}-{context.taskAttemptId()}"
    staging = store.staging(asked.file.batch_id)
    (staging / attempt).mkdir(parents=True)
    names = {file: f"{attempt}/{file.name}" for file in files}
    for file, name in names.items():
        shutil.move(file, staging / name)
    store.put_staged(asked.file.batch_id, [staging / name for name in names.values()])
    return names
