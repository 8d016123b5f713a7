"""A local store of an older version opens: its database gets the present layout, and loses nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from takings.adapters.local.database import open_database, reading_database
from takings.adapters.local.kpi_store import SqliteKpiStore
from takings.adapters.local.ledger import SqliteLedger
from takings.adapters.local.migrations import VERSION
from takings.contracts import load_contracts
from takings.errors import SettingsError
from takings.intake.gate import Gate, GateState
from takings.kpis import load_own_tables
from takings.lake import everything
from takings.layout import BatchId
from tests.own_kpis import contracts_with_kpis

#: the layout from before there were versions, and before batches could leave files
FORMER: Final = """
create table ProcessedFiles (
    file_key text not null, processing_date integer not null, status text not null, batch_id text not null,
    dataset text not null, size integer not null, etag text not null, version integer not null, fingerprint text,
    verdict text, records_read integer, records_accepted integer, records_rejected integer,
    identical_duplicates integer, reason text, archived_at text, primary key (file_key, processing_date)
) without rowid;
create table PendingBatches (
    bucket_name text primary key, generation integer not null, state text not null, deadline integer,
    pending text not null, batch_id text, attempt integer not null, owner text, lease_expires_at integer, reason text,
    reading text, suspects text not null, last_commit integer not null, landed text not null
) without rowid;
insert into ProcessedFiles values ('raw-data/orders/a.csv', 1, 'SUCCESS', 'b', 'orders', 3, '1-2-3', 1, 'f', 'accepted',
    1, 1, 0, 0, null, 'processed/a.csv');
insert into PendingBatches values ('local', 7, 'BLOCKED', null, '{}', 'b', 2, null, null, 'numbers contradict.', null,
    '[]', 3, '[]');
"""
GATE: Final = Gate(
    generation=7,
    state=GateState.BLOCKED,
    batch_id=BatchId("b"),
    attempt=2,
    reason="numbers contradict.",
    last_commit=3,
)


@pytest.fixture
def former(tmp_path: Path) -> Path:
    """Return a database with the former layout."""
    path = tmp_path / "takings.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(FORMER)
    return path


def layout_of(connection: sqlite3.Connection) -> dict[str, set[str]]:
    """Return the columns of every table, the names of indexes, and the layout's version."""
    names = {
        row[0] for row in connection.execute("select name from sqlite_master where type = 'index' and sql not null")
    }
    tables = [row[0] for row in connection.execute("select name from sqlite_master where type = 'table'")]
    columns = {table: {row[1] for row in connection.execute(f"pragma table_info({table})")} for table in tables}
    version = connection.execute("pragma user_version").fetchone()[0]
    return {**columns, "indexes": names, "version": {str(version)}}


def test_a_former_layout_becomes_the_present_one(former: Path) -> None:
    """Gate and lineage are kept; the tables, columns and indexes are those of a new database."""
    with closing(open_database(None)) as new, closing(open_database(former)) as migrated:
        assert layout_of(migrated) == layout_of(new)
        assert layout_of(new)["version"] == {str(VERSION)}
        ledger = SqliteLedger(migrated)
        assert ledger.gate() == GATE
        assert [record.file_key for record in ledger.lineage()] == ["raw-data/orders/a.csv"]


def test_a_layout_without_a_version_may_have_the_columns_already(former: Path) -> None:
    """The column was added before there were versions."""
    with closing(sqlite3.connect(former)) as connection:
        connection.execute("alter table PendingBatches add column left_files text not null default '[]'")
        connection.commit()
    with closing(open_database(former)) as migrated:
        assert SqliteLedger(migrated).gate() == GATE


def test_an_older_database_has_no_rows_of_own_tables(former: Path, tmp_path: Path) -> None:
    """Whoever only reads migrates nothing, and finds the table empty."""
    contracts = load_contracts(Path(contracts_with_kpis(tmp_path / "contracts")))
    table, *_ = load_own_tables(tmp_path / "contracts", contracts)
    with reading_database(former) as old:
        rows = SqliteKpiStore(old, [table], only_reads=True)
        assert (list(rows.rows(table)), rows.keys(table, everything()), rows.definitions(table)) == ([], set(), set())
        assert SqliteLedger(old).gate().own_tables == {}


def test_a_migrated_database_is_left_alone(former: Path) -> None:
    """The next process to open it changes nothing, and waits for no lock."""
    open_database(former).close()
    with closing(open_database(former)) as holding, closing(open_database(former)) as other:
        holding.execute("begin immediate")
        with closing(open_database(former)) as opened:
            assert SqliteLedger(opened).gate() == SqliteLedger(other).gate() == GATE


def test_a_reader_takes_a_former_layout_as_it_is(former: Path) -> None:
    """It may not write, so what the layout lacks reads as empty."""
    with reading_database(former) as database:
        assert SqliteLedger(database).gate() == GATE
        assert layout_of(database)["version"] == {"0"}


def test_a_newer_layout_is_refused(former: Path) -> None:
    """This version would not understand it; nothing is changed."""
    open_database(former).close()
    with closing(sqlite3.connect(former)) as connection:
        connection.execute(f"pragma user_version = {VERSION + 1}")
    refused = (
        rf"takings\.db has layout {VERSION + 1}; this version of Takings reads layout {VERSION}\. Use the version of"
    )
    with pytest.raises(SettingsError, match=refused):
        open_database(former)
    with pytest.raises(SettingsError, match=refused), reading_database(former):
        pass


def test_an_interrupted_migration_is_done_by_the_next(former: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is one transaction: the former layout stays until all of it is done."""
    with monkeypatch.context() as patched:
        patched.setattr("takings.adapters.local.migrations.resources", None)
        with pytest.raises(AttributeError):
            open_database(former)
    with closing(sqlite3.connect(former)) as connection:
        assert "left_files" not in layout_of(connection)["PendingBatches"]
    with closing(open_database(former)) as migrated:
        assert SqliteLedger(migrated).gate() == GATE
