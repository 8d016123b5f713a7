"""What every set of lake tables does: changes are atomic, and each starts from exactly the version it was computed from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from takings.adapters.aws.bucket import Bucket
from takings.adapters.aws.clients import Clients
from takings.adapters.aws.lake_files import BucketLakeFiles
from takings.adapters.delta.lake_tables import DeltaLake
from takings.adapters.lake_files import LakeFiles
from takings.adapters.local.lake_files import FolderLakeFiles
from takings.contracts import load_contracts
from takings.contracts.model import Column, ColumnType, Dataset
from takings.errors import ConflictError, ContractError, CorruptState
from takings.lake import AddedFile, LakeFile, TableChange, TableSnapshot
from takings.layout import BatchId
from takings.ports import LakeTables
from tests.emulators import BUCKET

BATCH = BatchId("b1")
SUNDAY = date(2025, 3, 30)
ORPHANS = "order_date=__HIVE_DEFAULT_PARTITION__"


@pytest.fixture(params=["folder", "moto", "ministack"])
def files(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LakeFiles:
    """Return the files of a new lake on each platform."""
    if request.param == "folder":
        return FolderLakeFiles(tmp_path)
    clients = request.getfixturevalue(request.param).emptied(monkeypatch)
    return BucketLakeFiles(Bucket(clients.s3, BUCKET), tmp_path, clients.lake_options)


@pytest.fixture
def tables(files: LakeFiles) -> LakeTables:
    """Return the tables of a new lake."""
    lake = DeltaLake(files)
    lake.prepare(load_contracts(None).by_dataset)
    return lake


@pytest.fixture
def other_host(files: LakeFiles, tmp_path: Path) -> LakeTables:
    """Return the tables as another host sees them, without a copy of any file."""
    if isinstance(files, BucketLakeFiles):
        return DeltaLake(BucketLakeFiles(files.bucket, tmp_path / "other", files.options))
    return DeltaLake(files)


def added(path: str, rows: int = 3, day: date | None = SUNDAY, key: str = "order_id") -> AddedFile:
    """Return a file as an engine reports it."""
    return AddedFile(
        path=path,
        size=100,
        rows=rows,
        order_date=day,
        minimum={key: 1},
        maximum={key: 3},
        null_count={key: 0},
    )


def shown(path: str, rows: int = 3, day: date | None = SUNDAY, key: str = "order_id") -> LakeFile:
    """Return such a file as it appears in a snapshot."""
    return LakeFile(path=path, rows=rows, order_date=day, ranges={key: (1, 3)})


def adding(*new: AddedFile, removing: tuple[LakeFile, ...] = ()) -> TableChange:
    """Return a change."""
    return TableChange(added=new, removed=removing)


def test_a_lake_that_does_not_exist_is_empty(files: LakeFiles) -> None:
    """Its tables are before their first version."""
    snapshot = DeltaLake(files).snapshot()
    assert snapshot.is_empty
    assert snapshot.tables == {dataset: TableSnapshot(version=-1, files=()) for dataset in Dataset}


def test_new_tables_are_empty(tables: LakeTables) -> None:
    """Creating them may be repeated, and changes no version."""
    tables.prepare(load_contracts(None).by_dataset)
    assert tables.snapshot().is_empty
    assert tables.snapshot().tables == {dataset: TableSnapshot(version=0, files=()) for dataset in Dataset}


def test_a_change_is_the_next_version(tables: LakeTables) -> None:
    """Files are added and removed at once; other tables stay as they are."""
    base = tables.snapshot()[Dataset.ORDERS]
    tables.apply(Dataset.ORDERS, adding(added("order_date=2025-03-30/a.parquet")), base, BATCH)
    first = tables.snapshot()
    old = shown("order_date=2025-03-30/a.parquet")
    assert first[Dataset.ORDERS] == TableSnapshot(version=1, files=(old,))
    assert first[Dataset.PRODUCTS].version == 0
    assert not first.is_empty

    change = adding(added("order_date=2025-03-30/b.parquet", rows=5), removing=(old,))
    tables.apply(Dataset.ORDERS, change, first[Dataset.ORDERS], BATCH)
    assert tables.snapshot()[Dataset.ORDERS] == TableSnapshot(
        version=2, files=(shown("order_date=2025-03-30/b.parquet", rows=5),)
    )


def test_products_have_no_day(tables: LakeTables) -> None:
    """Their table is not partitioned."""
    base = tables.snapshot()[Dataset.PRODUCTS]
    tables.apply(Dataset.PRODUCTS, adding(added("a.parquet", day=None, key="id")), base, BATCH)
    assert tables.snapshot()[Dataset.PRODUCTS].files == (shown("a.parquet", day=None, key="id"),)


def test_a_file_tells_which_keys_it_may_hold() -> None:
    """The ranges come from the table's log; a column without a range may hold anything."""
    table = TableSnapshot(version=1, files=(shown("a.parquet"), LakeFile(path="b.parquet", rows=1, order_date=None)))

    def near(*wanted: tuple[int, int], column: str = "order_id") -> list[str]:
        return [file.path for file in table.near({column: wanted}).files]

    assert near((3, 9)) == near((-5, 1), (8, 9)) == near((2, 2)) == ["a.parquet", "b.parquet"]
    assert near((4, 9)) == near((-5, 0), (4, 4)) == ["b.parquet"]
    assert near() == []
    assert near((4, 9), column="id") == ["a.parquet", "b.parquet"]


def test_an_empty_change_is_none(tables: LakeTables) -> None:
    """The version does not change."""
    tables.apply(Dataset.ORDERS, adding(), tables.snapshot()[Dataset.ORDERS], BATCH)
    assert tables.snapshot()[Dataset.ORDERS].version == 0


def test_a_change_from_an_older_version_is_refused(tables: LakeTables) -> None:
    """Even if it touches other files: its file list may be out of date."""
    stale = tables.snapshot()[Dataset.ORDERS]
    tables.apply(Dataset.ORDERS, adding(added("order_date=2025-03-30/a.parquet")), stale, BATCH)
    with pytest.raises(ConflictError) as lost:
        tables.apply(
            Dataset.ORDERS,
            adding(added("order_date=2025-03-31/b.parquet", day=date(2025, 3, 31))),
            stale,
            BatchId("b2"),
        )
    assert str(lost.value) == "lake/orders: version 1 was written by somebody else. Read the table again."
    assert [file.path for file in tables.snapshot()[Dataset.ORDERS].files] == ["order_date=2025-03-30/a.parquet"]


def test_waiting_orphans_are_counted(tables: LakeTables) -> None:
    """They are in files without a day."""
    base = tables.snapshot()[Dataset.ORDER_ITEMS]
    change = adding(
        added("order_date=2025-03-30/a.parquet", rows=5),
        added(f"{ORPHANS}/b.parquet", rows=2, day=None),
        added(f"{ORPHANS}/c.parquet", rows=1, day=None),
    )
    tables.apply(Dataset.ORDER_ITEMS, change, base, BATCH)
    snapshot = tables.snapshot()
    assert (snapshot.orphans, snapshot[Dataset.ORDER_ITEMS].rows) == (3, 8)


def test_an_instance_sees_what_another_one_wrote(files: LakeFiles) -> None:
    """However much it has cached, and even after the log in between was cleaned."""
    one, other = DeltaLake(files), DeltaLake(files)
    one.prepare(load_contracts(None).by_dataset)
    stale = other.snapshot()
    for number in range(1, 4):
        change = adding(added(f"order_date=2025-03-30/{number:02}.parquet"))
        one.apply(Dataset.ORDERS, change, one.snapshot()[Dataset.ORDERS], BATCH)
    one.clean_logs([{Dataset.PRODUCTS: 0, Dataset.ORDERS: 3, Dataset.ORDER_ITEMS: 0}])
    assert not [path for path in entries(files) if path == "001"]

    with pytest.raises(ConflictError):
        other.apply(Dataset.ORDERS, adding(added("order_date=2025-03-30/late.parquet")), stale[Dataset.ORDERS], BATCH)
    assert other.snapshot() == one.snapshot() == DeltaLake(files).snapshot()
    assert other.snapshot()[Dataset.ORDERS].version == 3


def entries(files: LakeFiles) -> list[str]:
    """Return the last digits of the entries of a table's log."""
    found = (file.path.removeprefix("_delta_log/") for file in files.list(Dataset.ORDERS))
    return sorted(name[17:20] for name in found if name.endswith(".json"))


def test_a_log_keeps_what_needed_versions_are_made_of(tables: LakeTables, files: LakeFiles) -> None:
    """Everything before the checkpoint of the oldest needed version is removed; without a commit, nothing is."""
    for number in range(1, 26):
        base = tables.snapshot()[Dataset.ORDERS]
        tables.apply(Dataset.ORDERS, adding(added(f"order_date=2025-03-30/{number:02}.parquet")), base, BATCH)
    tables.clean_logs([])
    assert entries(files) == [f"{number:03}" for number in range(26)]

    needed = [{Dataset.PRODUCTS: 0, Dataset.ORDERS: version, Dataset.ORDER_ITEMS: 0} for version in (24, 22, 25)]
    tables.clean_logs(needed)
    assert entries(files) == [f"{number:03}" for number in range(19, 26)]
    assert [len(tables.snapshot(versions)[Dataset.ORDERS].files) for versions in needed] == [24, 22, 25]


def test_an_older_version_can_still_be_read(tables: LakeTables) -> None:
    """Readers read exactly the versions that a commit names."""
    for number in range(1, 25):
        base = tables.snapshot()[Dataset.ORDERS]
        tables.apply(Dataset.ORDERS, adding(added(f"order_date=2025-03-30/{number:02}.parquet")), base, BATCH)
    older = tables.snapshot({Dataset.PRODUCTS: 0, Dataset.ORDERS: 21, Dataset.ORDER_ITEMS: 0})
    assert older[Dataset.ORDERS] == TableSnapshot(
        version=21,
        files=tuple(shown(f"order_date=2025-03-30/{number:02}.parquet") for number in range(1, 22)),
    )
    assert tables.snapshot()[Dataset.ORDERS].version == 24


def written(tables: LakeTables, name: str, content: bytes = b"rows") -> AddedFile:
    """Write a file into the table's folder, as an engine does."""
    path = f"order_date=2025-03-30/{name}"
    target = tables.folder(Dataset.ORDERS) / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return added(path)


def test_files_are_read_by_whoever_needs_them(tables: LakeTables, other_host: LakeTables) -> None:
    """What one host wrote, another can fetch; both may repeat it."""
    file = written(tables, "a.parquet", b"many rows")
    for _ in range(2):
        tables.put(Dataset.ORDERS, [file])
        other_host.fetch(Dataset.ORDERS, [file.as_lake_file()])
    assert (other_host.folder(Dataset.ORDERS) / file.path).read_bytes() == b"many rows"


def test_vacuum_removes_what_no_needed_version_names(tables: LakeTables, files: LakeFiles) -> None:
    """Files of needed versions and of the newest stay, and so do young ones; a dry run only counts."""
    later = datetime.now(UTC) + timedelta(minutes=1)
    first, second, never = (written(tables, name) for name in ("a.parquet", "b.parquet", "never.parquet"))
    tables.put(Dataset.ORDERS, [first, second, never])
    base = tables.snapshot()[Dataset.ORDERS]
    tables.apply(Dataset.ORDERS, adding(first), base, BATCH)
    tables.apply(Dataset.ORDERS, adding(second, removing=(first.as_lake_file(),)), base.after(adding(first)), BATCH)
    needed = [{Dataset.PRODUCTS: 0, Dataset.ORDERS: version, Dataset.ORDER_ITEMS: 0} for version in (1, 2)]

    def left() -> list[str]:
        paths = (file.path for file in files.list(Dataset.ORDERS))
        return sorted(path for path in paths if not path.startswith("_delta_log"))

    everything = [first.path, second.path, never.path]
    assert tables.vacuum(needed, older_than=later - timedelta(days=1), is_dry_run=False) == 0
    assert tables.vacuum(needed, older_than=later, is_dry_run=True) == 1
    assert left() == everything
    assert tables.vacuum(needed, older_than=later, is_dry_run=False) == 1
    assert left() == everything[:2]
    assert tables.vacuum(needed[1:], older_than=later, is_dry_run=False) == 1
    assert left() == [second.path]


@pytest.mark.parametrize("aws", ["ministack"], indirect=True)
def test_renewed_credentials_are_taken_at_once(aws: Clients, tmp_path: Path) -> None:
    """Even for an open table, whose first credentials may have expired; an address that leads nowhere shows it."""
    nowhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "max_retries": "0"}
    now: dict[str, str] = {}
    lake = DeltaLake(BucketLakeFiles(Bucket(aws.s3, BUCKET), tmp_path, lambda: aws.lake_options() | now))
    lake.prepare(load_contracts(None).by_dataset)
    base = lake.snapshot()[Dataset.ORDERS]
    change = adding(added("order_date=2025-03-30/a.parquet"))
    now.update(nowhere)
    with pytest.raises(OSError, match="error sending request"):
        lake.apply(Dataset.ORDERS, change, base, BATCH)
    now.clear()
    lake.apply(Dataset.ORDERS, change, base, BATCH)
    assert lake.snapshot()[Dataset.ORDERS].version == 1


def test_checks_what_a_commit_names_and_the_newest(tables: LakeTables, files: LakeFiles) -> None:
    """Readers read what the commit names; a batch that is merging may have written a newer version."""
    first, second = (written(tables, name, b"x" * 100) for name in ("a.parquet", "b.parquet"))
    tables.put(Dataset.ORDERS, [first, second])
    base = tables.snapshot()[Dataset.ORDERS]
    tables.apply(Dataset.ORDERS, adding(first), base, BATCH)
    tables.apply(Dataset.ORDERS, adding(second, removing=(first.as_lake_file(),)), base.after(adding(first)), BATCH)
    tables.check({Dataset.ORDERS: 1})
    files.discard(Dataset.ORDERS, [first.path])
    tables.check({Dataset.ORDERS: 2})
    with pytest.raises(CorruptState, match=r"lake/orders/order_date=2025-03-30/a\.parquet: the file is lost"):
        tables.check({Dataset.ORDERS: 1})
    with pytest.raises(CorruptState, match="the table's log ends at version 2, but a commit names version 3"):
        tables.check({Dataset.ORDERS: 3})


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        (lambda columns: columns[:-1], "the lake has the column 'returned_at', but the contract lacks it"),
        (
            lambda columns: (*columns[:-1], replace(columns[-1], type=ColumnType.TEXT)),
            "the lake keeps 'returned_at' as timestamp, but the contract makes it string",
        ),
        (lambda columns: (*columns, replace(columns[-1], name="colour")), None),
    ],
    ids=["a column less", "a column of another type", "a column more"],
)
def test_looks_whether_contracts_fit_without_changing_a_table(
    tables: LakeTables, change: Callable[[Sequence[Column]], tuple[Column, ...]], refusal: str | None
) -> None:
    """A batch learns what it would be refused for before it decides anything; an added column is no reason."""
    contract = load_contracts(None)[Dataset.ORDER_ITEMS]
    changed = {Dataset.ORDER_ITEMS: replace(contract, columns=change(contract.columns))}
    with nullcontext() if refusal is None else pytest.raises(ContractError, match=refusal):
        tables.check_fit(changed)
    tables.check_fit(load_contracts(None).by_dataset)
    assert tables.snapshot()[Dataset.ORDER_ITEMS].version == 0
