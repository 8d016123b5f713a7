"""Name every key of a store, so that no other module spells a path.

The layout is the same for a folder and for a bucket; docs/store.md describes it for people.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final, NewType

from takings.contracts.datasets import Dataset, DropKind, SourceName

BatchId = NewType("BatchId", str)

#: the version of the layout, kept in lake/format.json
STORE_FORMAT: Final = 1
RAW: Final = "raw-data/"
BATCHES: Final = "batches/"
#: where a local store keeps its own copies of the files a batch reads
FETCHED: Final = ".takings/fetched/"
FAILED: Final = "failed/"
ARCHIVES: Final = ("processed/", FAILED)
LAKE_FORMAT: Final = "lake/format.json"
COMMITS: Final = "lake/commits/"
ORPHANS: Final = "__HIVE_DEFAULT_PARTITION__"
#: what was told, and to which address
NOTICES: Final = "notices/"
#: where exports of a bucket's tables lie; the pipeline never reads them
EXPORTS: Final = "exports/"

_DATASET_OF_PREFIX: Final = {
    "products": Dataset.PRODUCTS,
    "orders": Dataset.ORDERS,
    "order-items": Dataset.ORDER_ITEMS,
    "order_items": Dataset.ORDER_ITEMS,
}
#: the folders under raw-data/ that hold files of one dataset
FOLDERS: Final = tuple(_DATASET_OF_PREFIX)
_NO_FOLDERS: Final[Mapping[str, SourceName]] = {}
_SUFFIXES: Final = (".csv", ".csv.gz")
#: the suffixes of files beside a file of the same name in the archive and in quarantine
_COMPANIONS: Final = (".reason.json", ".broken.jsonl")
#: failed/<yyyy>/<mm>/<dd>/<batch_id>/<dataset>/
_PARTS_BEFORE_FILE: Final = 6
#: bytes: a name on disk has at most 255, a key of a bucket 1,024, and what the archive adds to a file's name must fit too
_LONGEST_NAME: Final = 240
_LONGEST_FILE: Final = 900
#: a name that needs no further check; a listing may hold a hundred thousand
_USUAL: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,200}\.csv")


@dataclass(frozen=True, kw_only=True)
class Drop:
    """A key under raw-data/ that names a file of a dataset, or of a source."""

    dataset: DropKind
    #: the key after raw-data/<prefix>/
    file: str


@dataclass(frozen=True, kw_only=True)
class Ignored:
    """A key under raw-data/ that is not a drop, or not for now."""

    reason: str
    #: the reason goes away by itself
    is_passing: bool = False
    #: it would be a drop, but a person must put something right first
    has_trouble: bool = False


def read_raw_key(key: str, sources: Mapping[str, SourceName] = _NO_FOLDERS) -> Drop | Ignored:
    """Classify a key under raw-data/: a file of a dataset or source, or something to leave alone, and why.

    `sources` holds, per folder under raw-data/, the source whose files lie there.
    """
    prefix, _, file = key.removeprefix(RAW).partition("/")
    kind = _DATASET_OF_PREFIX.get(prefix) or sources.get(prefix)
    if kind is not None and key.startswith(RAW) and _USUAL.fullmatch(file):
        return Drop(dataset=kind, file=file)
    if not key.startswith(RAW) or kind is None:
        return Ignored(reason=f"it is in none of {_named_folders(sources)}")
    name = file.rpartition("/")[2]
    if not name:
        return Ignored(reason="it is a folder marker")
    try:
        key.encode()
    except UnicodeEncodeError:
        return Ignored(reason="its name is not UTF-8. Rename it.", has_trouble=True)
    if any(part in {"", ".", ".."} for part in file.split("/")) or "\\" in file or "\0" in file:
        return Ignored(reason="its name has an empty, '.', '..', backslash or NUL part")
    if any(part.startswith(".") for part in file.split("/")):
        return Ignored(reason="it is hidden")
    if len(file.encode()) > _LONGEST_FILE or any(len(part.encode()) > _LONGEST_NAME for part in file.split("/")):
        return Ignored(
            reason=f"its name is too long: {_LONGEST_NAME} bytes are allowed, {_LONGEST_FILE} with its folders"
        )
    if any(part.endswith((*_SUFFIXES, *_COMPANIONS)) for part in file.lower().split("/")[:-1]):
        return Ignored(reason="a folder in its name is named like a file, or like a companion of one in the archive")
    if not name.lower().endswith(_SUFFIXES):
        return Ignored(reason="its name ends in neither .csv nor .csv.gz")
    return Drop(dataset=kind, file=file)


def file_of(key: str) -> str:
    """Return the part of a drop's key that the archive keeps: all behind raw-data/<prefix>/."""
    return key.split("/", 2)[-1]


def _named_folders(sources: Mapping[str, SourceName]) -> str:
    """Return the folders in which drops are looked for, as a list for people."""
    *folders, last = [f"{RAW}{folder}" for folder in (*sources, "products", "orders", "order-items")]
    return f"{', '.join(folders)} and {last}"


def is_key(key: str) -> bool:
    """Return whether a key names a place within a store, be it a folder or a bucket."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in key and all(part not in {"", ".", ".."} for part in key.split("/"))


def new_batch_id(now: datetime, token: str) -> BatchId:
    """Name a batch so that names sort by time; the token distinguishes two instances."""
    return BatchId(f"{now.astimezone(UTC):%Y%m%dT%H%M%S%f}Z-{token}")


def batch_instant(batch_id: BatchId) -> datetime:
    """Return the instant that a batch is named after; ValueError for a name of another form."""
    return datetime.strptime(f"{batch_id.partition('Z-')[0]}+0000", "%Y%m%dT%H%M%S%f%z")


def manifest(batch_id: BatchId) -> str:
    """Return the key of a batch's manifest."""
    return f"batches/{batch_id}/manifest.json"


def attempt(batch_id: BatchId, number: int) -> str:
    """Return the key of the record of one attempt at a batch."""
    return f"batches/{batch_id}/attempt-{number}.json"


def verdicts(batch_id: BatchId) -> str:
    """Return the key of a batch's verdicts."""
    return f"batches/{batch_id}/verdicts.json"


def affected(batch_id: BatchId) -> str:
    """Return the key of a batch's affected keys."""
    return f"batches/{batch_id}/affected.json"


def changes(batch_id: BatchId) -> str:
    """Return the key of how a batch's rows compared with the lake before its first merge."""
    return f"batches/{batch_id}/changes.json"


def gaps(batch_id: BatchId) -> str:
    """Return the key of the gaps as of a batch's commit."""
    return f"batches/{batch_id}/gaps.json"


def refused_days(batch_id: BatchId) -> str:
    """Return the key of the days that a batch's refused files are about."""
    return f"batches/{batch_id}/refused.json"


def published(batch_id: BatchId) -> str:
    """Return the key of what a batch published, if its steps run in separate processes."""
    return f"batches/{batch_id}/published.json"


def outcome(batch_id: BatchId) -> str:
    """Return the key of a batch's outcome."""
    return f"batches/{batch_id}/outcome.json"


def chunk_report(batch_id: BatchId, dataset: DropKind, file: str, chunk: int, made: Dataset | None = None) -> str:
    """Return the key of the report on one chunk of 10,000 records, or of the rows of the dataset `made` of a source's."""
    folder = f"validation-reports/{batch_id}/{dataset}/{file}" + ("" if made is None else f"/{made}")
    return f"{folder}/chunk-{chunk:05d}.json"


def read_chunk_key(key: str) -> tuple[str, str, Dataset | None]:
    """Return of what the key of a chunk's report tells: the kind and name of a file, and the dataset made of a source's."""
    kind, _, file = key.split("/", 2)[2].rpartition("/")[0].partition("/")
    head, _, last = file.rpartition("/")
    is_made = kind not in list(Dataset) and last in list(Dataset)
    return (kind, head, Dataset(last)) if is_made else (kind, file, None)


def file_report(batch_id: BatchId, dataset: DropKind, file: str) -> str:
    """Return the key of the report on a whole file."""
    return f"validation-reports/{batch_id}/{dataset}/{file}/summary.json"


def staging(batch_id: BatchId) -> str:
    """Return the prefix of a batch's staged rows."""
    return f"staging/{batch_id}/"


def job_outcome(batch_id: BatchId, job: str) -> str:
    """Return where a step that runs as a cluster service's job leaves its exit code: such services do not hand it on."""
    return f"staging/{batch_id}/jobs/{job}.exit-code"


def staged_reasons(batch_id: BatchId, place: int) -> str:
    """Return where a refused file's reasons wait for the archive; `place` is the file's position in the manifest."""
    return f"staging/{batch_id}/reasons/{place:05d}.json"


def quarantined(batch_id: BatchId, dataset: DropKind, file: str) -> str:
    """Return the key of the rows of a file that were set aside under policy "row"."""
    return f"quarantine/{batch_id}/{dataset}/{file}"


def processed(day: date, batch_id: BatchId, dataset: DropKind, file: str) -> str:
    """Return where the original of a taken file is kept; `day` is the UTC day of the batch's instant."""
    return f"processed/{day:%Y/%m/%d}/{batch_id}/{dataset}/{file}"


def failed(day: date, batch_id: BatchId, dataset: DropKind, file: str) -> str:
    """Return where the original of a refused file is kept; its reasons are beside it in <file>.reason.json."""
    return f"failed/{day:%Y/%m/%d}/{batch_id}/{dataset}/{file}"


def read_failed_key(
    key: str, sources: Mapping[str, SourceName] = _NO_FOLDERS
) -> tuple[BatchId, tuple[str, ...]] | None:
    """Return the batch that refused an original, and the keys it may have had; None for a file that stands beside one."""
    if key.endswith(_COMPANIONS) or key.count("/") < _PARTS_BEFORE_FILE:
        return None
    *_, batch_id, dataset, file = key.split("/", _PARTS_BEFORE_FILE)
    prefixes = (prefix for prefix, each in (_DATASET_OF_PREFIX | dict(sources)).items() if each == dataset)
    return BatchId(batch_id), tuple(f"{RAW}{prefix}/{file}" for prefix in prefixes)


def archive_folder(key: str) -> str:
    """Return the prefix of an archived original's batch."""
    return "/".join(key.split("/", 5)[:5]) + "/"


def table(dataset: Dataset) -> str:
    """Return the root of a dataset's lake table."""
    return f"lake/{dataset}"


def commit(number: int) -> str:
    """Return the key of commit record `number`."""
    return f"lake/commits/{number}.json"


def compact_instant(instant: datetime) -> str:
    """Write an instant as a part of a key."""
    return instant.astimezone(UTC).strftime("%Y%m%dT%H%M%S%fZ")


def notice(name: str) -> str:
    """Return the key of the note that something was told."""
    return f"{NOTICES}{name}.json"


def format_instant(instant: datetime) -> str:
    """Write an aware instant as `2026-11-23T12:16:00.123456Z`."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_instant(text: str) -> datetime:
    """Read what `format_instant` wrote; raise ValueError for anything else without an offset."""
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"'{text}' has no offset from UTC")
    return instant.astimezone(UTC)
