"""Unreadable files and read-only stores on the command line, with real permissions.

Root ignores permissions, so a child of root gives up that capability.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from takings.composition.stores import open_store_to_look
from takings.queries.incomplete import find_incomplete
from takings.queries.status import find_status
from tests.cli.terminal import Ended, Takings
from tests.file_systems import as_ordinary_user, read_only
from tests.shop import (
    csv_of,
    drop,
    drop_all,
    expected,
    files,
    new_store,
    opened,
    order,
    published,
    run,
    silent,
)

KEY = "raw-data/orders/a.csv"
DENIED = "it cannot be read: Permission denied. Let the user that runs Takings read it (chmod, chown)."
FOLDER_DENIED = (
    "the folder cannot be listed: Permission denied. Let the user that runs Takings read and enter it (chmod, chown)."
)
#: commands that only read
LOOKS = (
    *(("kpis",), ("kpis", "--by", "category"), ("status",), ("status", "--json"), ("explain", "2025-03-30")),
    *(("verify",), ("batches",), ("batches", "--json")),
)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """Return a store with one file of each dataset pending, which may be removed afterwards."""
    yield drop_all(new_store(tmp_path / "shop"))
    for path in (tmp_path / "shop").rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)


#: runs commands one after the other in one process, and prints how each ended
COMMANDS = """
import contextlib, io, json, sys
from takings.entrypoints import cli

ends = []
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["takings", *arguments]
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code or 0
    ends.append([code, out.getvalue(), err.getvalue()])
print(json.dumps(ends))
"""


def as_user(*commands: tuple[object, ...], **environment: str) -> list[Ended]:
    """Run commands that obey permissions, in one process; return how each ended."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TAKINGS_")}
    texts = json.dumps([[str(part) for part in command] for command in commands])
    done = as_ordinary_user([sys.executable, "-c", COMMANDS, texts], env=kept | {"TAKINGS_THREADS": "1"} | environment)
    assert done.returncode == 0, done.stderr.decode()
    return [Ended(code=code, out=out, err=err) for code, out, err in json.loads(done.stdout)]


def test_files_that_may_not_be_read_are_named_and_left(root: Path) -> None:
    """The others go on, and so does the file once it may be read."""
    (root / KEY).chmod(0)
    locked = root / "raw-data" / "orders" / "locked"
    locked.mkdir()
    locked.chmod(0)
    named = [{"key": KEY, "reason": DENIED}, {"key": "raw-data/orders/locked/", "reason": FOLDER_DENIED}]
    done, document, table = as_user(("run", root, "--now", "--json"), ("status", root, "--json"), ("status", root))
    assert (done.code, by_key(json.loads(done.out)["ignored"])) == (0, named)
    assert json.loads(document.out)["unreadable"] == named
    assert f"left alone {KEY}: {DENIED}" in table.out
    assert files(root, "processed") == ["processed/order_items/a.csv", "processed/products/a.csv"]
    (root / KEY).chmod(0o600)
    (done,) = as_user(("run", root, "--now"), TAKINGS_VALIDATION_ENGINE="pandas")
    assert (done.code, files(root, "raw-data")) == (0, [])
    assert published(root) == expected(root)


def by_key(documents: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return the named keys in their order."""
    return sorted(documents, key=lambda each: each["key"])


def test_validate_checks_the_files_that_can_be_read(root: Path) -> None:
    """The others are named, and the exit code says that something was left out."""
    products = root / "raw-data" / "products" / "a.csv"
    (root / KEY).chmod(0)
    (done,) = as_user(("validate", root / KEY, products))
    told = (
        f"takings: {root / KEY}: it cannot be read: Permission denied. Change its permissions, or check its disk; the other"
        " files are validated.\n"
    )
    assert (done.code, done.err) == (3, told)
    assert f"{products} (products): accepted" in done.out


def test_raw_data_without_permission_is_told_before_a_batch_begins(root: Path) -> None:
    """Nothing is merged, published or moved."""
    for name in ("products", "orders", "order-items"):
        (root / "raw-data" / name).chmod(0o555)
    (done,) = as_user(("run", root, "--now"))
    told = (
        f"takings: {root}/raw-data/order-items: it may not be written to. Let the user that runs Takings write to it (chmod,"
        " chown) and run again. No batch was begun; nothing is lost.\n"
    )
    assert (done.code, done.err) == (3, told)
    assert files(root, "batches", "lake", "processed") == []


def test_a_store_without_permission_to_write_is_looked_at(
    root: Path, takings: Takings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commands that only read say the same as before; the others say that they cannot write."""
    monkeypatch.setenv("COLUMNS", "160")
    run(root)
    before = [takings(arguments[0], root, *arguments[1:]) for arguments in LOOKS]
    for path in (root, root / ".takings", *(root / "lake").rglob("*")):
        if path.is_dir():
            path.chmod(0o555)
    (root / ".takings" / "takings.db").chmod(0o444)
    *looks, work = as_user(*((arguments[0], root, *arguments[1:]) for arguments in LOOKS), ("run", root, "--now"))
    assert looks == before
    assert [ended.code for ended in looks] == [0] * len(LOOKS)
    assert (work.code, "Check that the folder can be written" in work.err) == (3, True)


def test_a_read_only_store_is_looked_at(root: Path, tmp_path: Path, takings: Takings) -> None:
    """On a file system that is mounted read-only: nothing can be written next to the ledger."""
    run(root)
    drop(root, "orders/b.csv", csv_of(order(4)))
    before = {
        arguments: takings(arguments[0], root, *arguments[1:]) for arguments in LOOKS if "status" not in arguments
    }
    with read_only(root, at=tmp_path / "seen"):
        for arguments, ended in before.items():
            seen = takings(arguments[0], tmp_path / "seen", *arguments[1:])
            assert (seen.code, seen.out, seen.err) == (ended.code, ended.out, ended.err)
        status = takings("status", tmp_path / "seen", "--json")
        assert (status.code, json.loads(status.out)["pending"]["orders"]) == (0, 1)


def test_a_read_only_copy_of_a_crashed_store_shows_what_is_in_the_write_ahead_log(root: Path, tmp_path: Path) -> None:
    """SQLite has not moved it into the database yet, and cannot do so there."""
    copy = tmp_path / "copy"
    with opened(root) as shop:
        run(root)
        # The open connection keeps SQLite from moving the log.
        assert shop.ports.ledger.gate().last_commit == 1
        shutil.copytree(root, copy)
    (copy / ".takings" / "takings.db-shm").unlink()
    assert (copy / ".takings" / "takings.db-wal").stat().st_size > 0
    with read_only(copy, at=tmp_path / "seen"), open_store_to_look(tmp_path / "seen", silent) as shop:
        assert find_status(shop.ports, find_incomplete(shop.ports)).commit == 1


def test_a_new_read_only_store_has_nothing_to_show(root: Path, tmp_path: Path, takings: Takings) -> None:
    """It has no ledger yet, and none is created."""
    with read_only(root, at=tmp_path / "seen"):
        assert takings("kpis", tmp_path / "seen").out == "OrderKPIs: no row\n"
        assert takings("verify", tmp_path / "seen").out == "nothing is published yet\n"
        assert takings("batches", tmp_path / "seen").out == "no batch yet\n"
        assert json.loads(takings("status", tmp_path / "seen", "--json").out)["pending"]["orders"] == 1
    assert files(root, ".takings") == []
