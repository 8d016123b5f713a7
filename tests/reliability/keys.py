"""Try generated keys, and files with generated names: nothing is ever written outside the store.

`python -m tests.reliability.keys --number 100000 --files 400 --seed 1`

Keys go through the layout and through every method of the store that takes one; a folder next to the store is watched. Files,
links, pipes and sockets are put into raw-data/ of a store, and `takings run --now` runs on it. Exit codes: 0 all went well,
1 it did not, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import errno
import gzip
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any, Final

import takings
from takings.adapters.local.object_store import FolderStore
from takings.composition.stores import open_store
from takings.errors import TakingsError
from takings.layout import BatchId, Drop, Ignored, read_raw_key
from tests.reliability.children import PATIENCE_SECONDS
from tests.reliability.judge import fingerprint, published
from tests.shop import ORDERS, csv_of, drop_all, expected, new_store, order, silent

#: after this many keys, the folder next to the store is checked, and a new store is used
_TOGETHER: Final = 500
#: longer than a call takes, however busy the machine; a call that takes longer hangs
_CALL_SECONDS: Final = 30.0
#: how deep the store is inside the watched folder, so that a few `..` still end there
_DEPTH: Final = 6
_BATCH: Final = BatchId("20261123T121600123456Z-4f2a")
_NOW: Final = datetime(2026, 11, 23, tzinfo=UTC)

#: what keys begin with; `{outside}` is the watched folder
_PREFIXES: Final = (
    *("raw-data/orders/",) * 6,
    *("raw-data/order-items/", "raw-data/order_items/", "raw-data/products/", "raw-data/", "raw-data//orders/"),
    *(
        "processed/2026/11/23/b/orders/",
        "failed/2026/11/23/b/orders/",
        "batches/",
        "lake/commits/",
        "quarantine/b/orders/",
    ),
    *("validation-reports/b/orders/", "staging/b/", ".takings/", ".takings/fetched/b/"),
    *(
        "",
        "/",
        "//",
        "../",
        "../../",
        "./",
        "{outside}/",
        "raw-data/../",
        "raw-data/orders/../../../",
        "raw-data\\orders\\",
    ),
)
_PARTS: Final = (
    *(
        "..",
        ".",
        "",
        "...",
        ".. ",
        " ..",
        "..\\..",
        "..\\",
        "%2e%2e",
        "..%2f..",
        "..%00",
        "..;",
        "~",
        "~root",
        "$HOME",
        "`id`",
    ),
    *(
        "a.csv",
        "b.csv",
        "b.csv.gz",
        "A.CSV",
        "manifest.json",
        "aside",
        "x",
        "new",
        "a.csv.reason.json",
        "a.csv.broken.jsonl",
    ),
    *(
        "a\0.csv",
        "\0",
        "a\\b.csv",
        "\\",
        "C:\\a.csv",
        "NUL",
        "con.csv",
        "a\nb.csv",
        "\n.csv",
        "\r.csv",
        "\t.csv",
        "\x1b[31m.csv",
    ),
    *(
        "ä.csv",
        "a\u0308.csv",
        "日本語.csv",
        "🙂.csv",
        "\u202ecsv.exe",
        "\ufeffa.csv",
        "\u2024\u2024",
        "．．",
        "\udcff.csv",
        "\ud800.csv",
    ),
    *(
        "*.csv",
        "[ab].csv",
        "?.csv",
        "{a,b}.csv",
        "**",
        "'.csv",
        "';--.csv",
        '".csv',
        "order_date=2030-01-01",
        "s3:",
        "http:",
    ),
    *(
        " .csv",
        "a .csv",
        "-rf.csv",
        "--now.csv",
        ".hidden.csv",
        ".csv",
        "csv",
        "a.csv.tmp",
        "a.csv.part",
        "a.csv ",
        "a.csv.",
    ),
    *("x" * 251 + ".csv", "x" * 252 + ".csv", "é" * 125 + ".csv", "x" * 1019 + ".csv", "d" * 255, "d" * 256),
    *("file-link.csv", "dangling-link.csv", "out-link.csv", "inner-link", "folder.csv", "socket.csv", "hard.csv"),
)
#: a link to a folder outside, and one to nothing
LINKS: Final = ("folder-link", "folder-link/inner", "dangling-folder-link")


def generate(seed: int, number: int, outside: Path) -> Iterator[str]:
    """Make keys; some have exactly 1,024 bytes, and some are too long for a file system."""
    chance = Random(f"keys {seed}")
    parts = (*_PARTS, *LINKS * 5)
    for _ in range(number):
        key = chance.choice(_PREFIXES).replace("{outside}", str(outside))
        key += "/".join(_part(chance, parts) for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 5))))
        if chance.random() < 0.05:
            key += "/" + "p" * max(0, 1024 - len(key.encode(errors="surrogatepass")) - 5) + ".csv"
        elif chance.random() < 0.05:
            key = _cut(key + "/" + "/".join(["q" * 200] * 6), 1020) + ".csv"
        elif chance.random() < 0.01:
            key += "/" + "/".join(["r" * 200] * 25) + "/r.csv"
        yield key


def _part(chance: Random, parts: tuple[str, ...]) -> str:
    if chance.random() < 0.1:
        return "".join(
            chr(chance.choice((*range(128), *range(0x80, 0x300), 0x2028, 0xFF0E, 0x1F600))) for _ in range(5)
        )
    return chance.choice(parts)


def _cut(key: str, size: int) -> str:
    return key.encode(errors="surrogatepass")[:size].decode(errors="ignore")


# What is watched


@dataclass(frozen=True, kw_only=True)
class Ground:
    """A store, and the surrounding folders, where nothing may change."""

    top: Path
    root: Path
    outside: Path

    def around(self) -> dict[str, tuple[int, ...] | str]:
        """Return everything around the store: names, kinds, sizes, times and bytes."""
        found: dict[str, tuple[int, ...] | str] = {}
        for folder, folders, names in os.walk(self.top):
            folders[:] = [name for name in folders if Path(folder, name) != self.root]
            for name in [".", *folders, *names]:
                path = Path(folder, name)
                status = path.lstat()
                # The store's parent may be read; its time changes only with a name in it.
                found[str(path)] = (status.st_mode, status.st_mtime_ns, status.st_size)
                if stat.S_ISREG(status.st_mode):
                    found[f"bytes of {path}"] = fingerprint(path.read_bytes())
        return found


def make_ground(top: Path) -> Ground:
    """Make a folder with files to watch, and choose the place of a store in it."""
    deep = top.joinpath(*(f"level{number}" for number in range(_DEPTH)))
    outside = deep / "outside"
    (outside / "inner").mkdir(parents=True)
    for name in ("a.csv", "b.csv", "inner/a.csv", "inner/b.csv"):
        (outside / name).write_bytes(ORDERS)
        os.utime(outside / name, (1, 1))
    return Ground(top=top, root=deep / "shop", outside=outside)


def furnish(ground: Ground) -> None:
    """Create the store: a few drops, and everything that looks like one."""
    shutil.rmtree(ground.root, ignore_errors=True)
    new_store(ground.root)
    for name in ("products", "orders", "order-items", "order_items"):
        folder = ground.root / "raw-data" / name
        folder.mkdir()
        (folder / "a.csv").write_bytes(ORDERS)
        put_oddities(folder, ground.outside)
        (folder / "folder-link").symlink_to(ground.outside)
        (folder / "dangling-folder-link").symlink_to(ground.outside / "absent")


def put_oddities(folder: Path, outside: Path) -> None:
    """Put links, a socket, a folder with a file's name and a hard link to a file outside into a folder."""
    (folder / "file-link.csv").symlink_to(outside / "a.csv")
    (folder / "dangling-link.csv").symlink_to(outside / "absent.csv")
    (folder / "out-link.csv").symlink_to("../../../outside/b.csv")
    (folder / "inner-link").symlink_to("a.csv")
    (folder / "folder.csv").mkdir()
    os.link(outside / "a.csv", folder / "hard.csv")
    with _inside(folder), socket.socket(socket.AF_UNIX) as one:
        # A socket's address is short, however deep the folder is.
        one.bind("socket.csv")


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


# Keys


@dataclass(kw_only=True)
class Tried:
    """What was tried, and the results."""

    keys: int = 0
    calls: int = 0
    drops: int = 0
    ignored: int = 0
    #: calls that Takings refused
    refused: int = 0
    #: calls that the system refused, by the method and the error
    by_system: Counter[str] = field(default_factory=Counter)
    #: keys that changed something around the store
    outside: list[str] = field(default_factory=list)
    #: calls that raised anything except a refusal, or did not end
    wrong: list[str] = field(default_factory=list)


class HasHung(BaseException):
    """A call did not end."""


def try_keys(ground: Ground, seed: int, number: int) -> Tried:
    """Call everything that takes a key with each generated one; check around the store every few hundred keys."""
    tried = Tried()
    keys = list(generate(seed, number, ground.outside))
    for first in range(0, number, _TOGETHER):
        together = keys[first : first + _TOGETHER]
        if _changes_something(ground, together, tried):
            # Which one was it? Try each again alone; what they did outside has already happened.
            alone = [key for key in together if _changes_something(ground, [key], Tried())]
            tried.outside += alone or [f"one of {together[0]!r} and the {len(together) - 1} after it"]
    return tried


def _changes_something(ground: Ground, keys: list[str], tried: Tried) -> bool:
    shutil.rmtree(ground.top)
    ground = make_ground(ground.top)
    furnish(ground)
    before = ground.around()
    store = FolderStore(ground.root)
    for number, key in enumerate(keys):
        _try_key(store, key, number, tried)
    return ground.around() != before


def _try_key(store: FolderStore, key: str, number: int, tried: Tried) -> None:
    tried.keys += 1
    try:
        match read_raw_key(key):
            case Drop():
                tried.drops += 1
            case Ignored():
                tried.ignored += 1
    except Exception as fault:  # noqa: BLE001 - whatever it is, it is told
        tried.wrong.append(f"read_raw_key({_shown(key)}): {fault!r}")
    for method, call in _calls(store, key, number).items():
        tried.calls += 1
        try:
            with bounded():
                call()
        except TakingsError:
            tried.refused += 1
        except OSError as refused:
            tried.by_system[f"{method} {errno.errorcode.get(refused.errno or 0, refused.errno)}"] += 1
        except HasHung:
            tried.wrong.append(f"{method}({_shown(key)}) hangs")
        except Exception as fault:  # noqa: BLE001 - whatever it is, it is told
            tried.wrong.append(f"{method}({_shown(key)}): {type(fault).__name__}: {fault}"[:400])


def _calls(store: FolderStore, key: str, number: int) -> dict[str, Callable[[], object]]:
    """Return the calls that take a key, in the order that lets them do the most."""
    sound = "raw-data/orders/a.csv"
    place = f"validation-reports/{number}"
    etag = {info.key: info.etag for info in store.list("raw-data/")}.get(key, "none") if number % 50 == 0 else "none"

    def borrow() -> None:
        with store.borrow(key) as path:
            path.read_bytes()

    return {
        "path": lambda: _assert_inside(store, key),
        "read": lambda: store.read(key),
        "borrow": borrow,
        "fetch": lambda: store.fetch(key, etag, _BATCH),
        "copy from": lambda: store.copy(key, f"{place}/copied"),
        "copy to": lambda: store.copy(sound, key),
        "supply": lambda: store.supply(store.path(sound), key, _BATCH),
        "archive": lambda: store.archive(key, etag, _BATCH, f"{place}/filed", _NOW, "sha-256"),
        "archive to": lambda: _archive_to(store, sound, key),
        "create": lambda: store.create(key, b"x"),
        "create_from": lambda: store.create_from(key, ["x"]),
        "discard": lambda: store.discard([key]),
    }


def _assert_inside(store: FolderStore, key: str) -> None:
    root, path = str(store.path("x").parent), str(store.path(key))
    if not os.path.normpath(path).startswith(f"{root}/") or os.path.normpath(path) != path:
        raise AssertionError(f"it lies at {path}")


def _archive_to(store: FolderStore, sound: str, key: str) -> None:
    store.supply(store.path(sound), "processed/sound.csv", _BATCH)
    store.archive("processed/sound.csv", "none", _BATCH, key, _NOW, "sha-256")


@contextmanager
def bounded(seconds: float = _CALL_SECONDS) -> Iterator[None]:
    """End a call that takes too long, with HasHung."""

    def end(_: int, __: FrameType | None) -> None:
        raise HasHung

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _shown(key: str) -> str:
    return ascii(key) if len(key) < 200 else f"{key[:90]!a} … {key[-90:]!a} ({len(key)} characters)"


# Files


@dataclass(frozen=True, kw_only=True)
class Put:
    """What was put into raw-data/ of a store."""

    #: keys of files that have to be taken, and the SHA-256 of their bytes
    taken: dict[str, str]
    #: keys of regular files that have to be left alone
    left: tuple[str, ...]
    #: what is not a file: links, pipes, sockets
    odd: tuple[str, ...]


def put_files(ground: Ground, seed: int, number: int) -> Put:
    """Put files with generated names, one order each, and everything that looks like a file into a new store."""
    shutil.rmtree(ground.root, ignore_errors=True)
    drop_all(new_store(ground.root))
    taken, left = {}, []
    for place, key in enumerate(_names(ground, seed, number)):
        content = csv_of(order(1000 + place, user_id=place))
        if key.lower().endswith(".gz"):
            content = gzip.compress(content)
        path = ground.root / key
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except (OSError, ValueError):
            # No file can have this name.
            continue
        drop = read_raw_key(key)
        if isinstance(drop, Drop):
            taken[key] = fingerprint(content)
        else:
            left.append(key)
    taken |= {
        f"raw-data/{folder}/a.csv": fingerprint((ground.root / "raw-data" / folder / "a.csv").read_bytes())
        for folder in ("products", "orders", "order-items")
    }
    odd = _put_odd_things(ground)
    taken["raw-data/orders/odd/hard.csv"] = fingerprint(ORDERS)
    return Put(taken=taken, left=tuple(left), odd=odd)


def _put_odd_things(ground: Ground) -> tuple[str, ...]:
    folder = ground.root / "raw-data" / "orders" / "odd"
    folder.mkdir()
    put_oddities(folder, ground.outside)
    os.mkfifo(folder / "pipe.csv")
    (folder / "folder-link").symlink_to(ground.outside)
    (folder / "loop.csv").symlink_to("loop.csv")
    (folder / "up.csv").symlink_to("../..")
    (ground.root / "raw-data" / "order_items").symlink_to(ground.outside / "inner")
    names = [name for name in sorted(os.listdir(folder)) if name not in {"hard.csv", "folder.csv"}]  # noqa: PTH208
    return (*(f"raw-data/orders/odd/{name}" for name in names), "raw-data/order_items")


def _names(ground: Ground, seed: int, number: int) -> Iterator[str]:
    """Return keys of orders that stay in place; this module, not Takings, would put `..` elsewhere."""
    seen: set[str] = set()
    for key in generate(seed, 20 * number, ground.outside):
        file = key.rpartition("raw-data/")[2].partition("/")[2]
        parts = file.split("/")
        if {"", ".", ".."} & set(parts) or "\0" in file or file == "a.csv" or file in seen:
            continue
        seen.add(file)
        yield f"raw-data/orders/{file}"
        if len(seen) == number:
            return


def run_on_files(ground: Ground, put: Put) -> list[str]:
    """Run `takings run --now` on the store; return what is wrong afterwards."""
    before = ground.around()
    places = {key: (ground.root / key).lstat() for key in (*put.left, *put.odd)}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TAKINGS_")}
    command = [sys.executable, "-m", "takings", "run", str(ground.root), "--now", "--json"]
    try:
        done = subprocess.run(
            command,
            env=environment | {"PYTHONPATH": str(Path(takings.__file__).parent.parent), "TAKINGS_THREADS": "1"},
            cwd=ground.root,
            capture_output=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return ["`takings run` came to no end"]
    if done.returncode != 0:
        return [f"exit code {done.returncode}: {done.stderr.decode(errors='replace')[-2000:]}"]
    wrong = [] if ground.around() == before else ["something around the store was changed"]
    wrong += [f"{key} was touched" for key, status in places.items() if not _is_same(ground.root / key, status)]
    wrong += _wrongly_taken(ground.root, put, json.loads(done.stdout))
    with open_store(ground.root, silent) as shop:
        if published(shop) != expected(ground.root):
            wrong.append("the KPIs are not the oracle's")
    return wrong


def _is_same(path: Path, before: os.stat_result) -> bool:
    try:
        after = path.lstat()
    except FileNotFoundError:
        return False
    return (after.st_ino, after.st_mode, after.st_mtime_ns) == (before.st_ino, before.st_mode, before.st_mtime_ns)


def _wrongly_taken(root: Path, put: Put, document: dict[str, Any]) -> Iterator[str]:
    verdicts = Counter(file["key"] for batch in document["batches"] for file in batch["files"])
    for key, count in verdicts.items():
        if count > 1 or key not in put.taken:
            yield f"{_shown(key)} was taken {count} times"
    yield from (f"{_shown(key)} was not taken" for key in put.taken.keys() - verdicts.keys())
    told = {ignored["key"] for ignored in document["ignored"]}
    for key in put.left:
        if key.encode(errors="backslashreplace").decode() not in told:
            yield f"{_shown(key)} was left alone without a reason"
    found: Counter[str] = Counter()
    for path in (path for folder in ("processed", "failed") for path in (root / folder).rglob("*") if path.is_file()):
        found[fingerprint(path.read_bytes())] += 1
    if found != Counter(put.taken.values()):
        yield "the archive does not hold every file that was taken, once"


# The command


def main(arguments: list[str]) -> int:
    """Try keys and files, and print the results."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.reliability.keys", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--number", type=int, default=100000, help="keys")
    parser.add_argument("--files", type=int, default=400, help="files with generated names")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="takings-keys-") as folder:
        tried = try_keys(make_ground(Path(folder, "keys")), asked.seed, asked.number)
        put, wrong = Put(taken={}, left=(), odd=()), []
        if asked.files:
            ground = make_ground(Path(folder, "files"))
            put = put_files(ground, asked.seed, asked.files)
            wrong = run_on_files(ground, put)
    print(
        f"{tried.keys} keys from seed {asked.seed}, {tried.drops} of them drops, in {tried.calls} calls,"
        f" {tried.refused} of them refused, {tried.by_system.total()} by the system:"
        f" {len(tried.outside)} wrote outside the store,"
        f" {len(tried.wrong)} went wrong; {len(put.taken)} files taken, {len(put.left)} left alone,"
        f" {len(put.odd)} links, pipes and sockets passed over: {len(wrong)} went wrong, {time.monotonic() - begun:.0f} s"
    )
    if tried.by_system:
        print(
            "refused by the system: " + ", ".join(f"{what} {count}" for what, count in sorted(tried.by_system.items()))
        )
    for line in (*(f"outside: {_shown(key)}" for key in tried.outside[:20]), *tried.wrong[:20], *wrong[:20]):
        print(line)
    if not (tried.outside or tried.wrong or wrong):
        return 0
    print(f"again: python -m tests.reliability.keys --number {asked.number} --files {asked.files} --seed {asked.seed}")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
