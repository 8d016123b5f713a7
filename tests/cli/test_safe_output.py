"""Text from a file, a key or a contract is safe on a terminal, and no spreadsheet runs it as a formula."""

from __future__ import annotations

import ast
import csv
import io
import json
import os
import pty
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from takings.entrypoints.legible import as_json, cut, legible
from takings.errors import MachineryError, cause_of
from takings.kpis.definitions import exact
from tests.cli.terminal import Takings
from tests.shop import csv_of, drop, item, new_store, order, product

ESCAPE = "\x1b[31mred"
RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
SOURCE = Path(__file__).resolve().parent.parent.parent / "src" / "takings"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Return a store whose categories, file names and columns would control terminals and spreadsheets."""
    root = new_store(tmp_path / "shop")
    categories = ["=1+1", ESCAPE, '"a\nb"', "x" * 200, "\x9b31m\u202eC1"]
    drop(root, "products/p.csv", csv_of(*(product(number, name) for number, name in enumerate(categories, 1))))
    drop(root, f"orders/o{ESCAPE}\u202e.csv", csv_of(order(1, num_of_item=5)))
    drop(root, "order-items/i.csv", csv_of(*(item(number, 1, number, "1.00") for number in range(1, 6))))
    drop(root, f"orders/bad{ESCAPE}.csv", b"order_id,user_id,status,created_at,num_of_item\n1,x\x1b[31m,shipped,,1\n")
    drop(root, "orders/header.csv", f"order_id,{ESCAPE},status,created_at,num_of_item\n".encode())
    return root


def test_no_control_character_reaches_a_terminal(takings: Takings, shop: Path) -> None:
    """Tables, messages, explain, batches, validate, status, restated files, errors and JSON."""
    ended = [takings("run", shop, "--now"), takings("status", shop), takings("batches", shop)]
    batch = json.loads(takings("batches", shop, "--json").out)["batches"][0]["batch_id"]
    ended += [takings("batches", shop, batch, *json_) for json_ in ((), ("--json",))]
    ended += [takings("kpis", shop, "--by", "category", "--format", how) for how in ("table", "json")]
    ended += [takings("explain", shop, "2025-03-30", "--format", how) for how in ("table", "json")]
    files = [file for file in shop.rglob("*.csv") if "\x1b" in file.name or file.name == "header.csv"]
    ended += [takings("validate", "--dataset", "orders", *files, "--format", how) for how in ("table", "json")]
    ended += [takings("validate", shop / f"none{ESCAPE}.csv"), takings("kpis", shop / ESCAPE)]
    ended += [takings("verify", shop), takings("verify", shop, "--json"), takings("replay", shop, "--failed")]
    assert [one for one in ended if RAW.search(one.out) or RAW.search(one.err)] == []
    assert r"o\x1b[31mred\u202e.csv" in "".join(one.out for one in ended)


def test_a_long_name_is_cut_and_takes_no_room_from_numbers(takings: Takings, shop: Path) -> None:
    """One line per category, with every number complete."""
    takings("run", shop, "--now")
    lines = takings("kpis", shop, "--by", "category").out.splitlines()
    rows = [line.split()[:4] for line in lines if "2025-03-30" in line]
    assert rows == [
        [r"\x1b[31mred", "2025-03-30", "1.00", "1.00"],
        ["=1+1", "2025-03-30", "1.00", "1.00"],
        [r"a\nb", "2025-03-30", "1.00", "1.00"],
        ["x" * 39 + "…", "2025-03-30", "1.00", "1.00"],
        [r"\x9b31m\u202eC1", "2025-03-30", "1.00", "1.00"],
    ]
    explained = takings("explain", shop, "2025-03-30").out
    assert explained.count("1.00") == 5
    assert "x" * 39 + "…" in explained


def test_csv_keeps_its_bytes_unless_asked(takings: Takings, shop: Path) -> None:
    """CSV keeps a formula as it is; --spreadsheet-safe puts a ' before it. Numbers stay numbers."""
    takings("run", shop, "--now")

    def categories(*command: object) -> set[str]:
        return {row["category"] for row in csv.DictReader(io.StringIO(takings(*command, "--format", "csv").out))}

    kpis, explain = ("kpis", shop, "--by", "category"), ("explain", shop, "2025-03-30")
    exact_names = {"=1+1", ESCAPE, "a\nb", "x" * 200, "\x9b31m\u202eC1"}
    safe_names = exact_names - {"=1+1"} | {"'=1+1"}
    assert [categories(*command) for command in (kpis, explain)] == [exact_names] * 2
    assert [categories(*command, "--spreadsheet-safe") for command in (kpis, explain)] == [safe_names] * 2
    refused = takings(*kpis, "--spreadsheet-safe")
    assert (refused.code, refused.err) == (2, "takings: --spreadsheet-safe goes with --format csv.\n")
    assert takings(*explain, "--spreadsheet-safe").code == 2


def run_process(*arguments: object, stdout: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "takings", *map(str, arguments)], stdout=stdout, stderr=subprocess.PIPE
    )


def test_csv_on_a_terminal_is_legible(takings: Takings, shop: Path) -> None:
    """On a terminal, people read it; a pipe or a file gets the bytes."""
    takings("run", shop, "--now")
    ours, theirs = pty.openpty()
    command = run_process("kpis", shop, "--by", "category", "--format", "csv", stdout=theirs)
    os.close(theirs)
    seen = b""
    try:
        while block := os.read(ours, 4096):
            seen += block
    except OSError:  # the terminal of a process that has ended
        pass
    os.close(ours)
    beside = command.communicate()[1].decode()
    assert command.wait() == 0
    assert not RAW.search(beside.rstrip("\n"))
    assert not RAW.search(seen.decode().replace("\r\n", "\n"))
    assert rb"\x1b[31mred,2025-03-30," in seen


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("run", "--now"), 1),
        (("run", "--now", "--json"), 1),
        (("status",), 0),
        (("kpis", "--format", "csv"), 0),
        (("--help",), 0),
    ],
)
def test_a_closed_pipe_is_no_verdict(shop: Path, arguments: tuple[str, ...], code: int) -> None:
    """The command does its work and ends with its result: 1 only because a file was rejected."""
    reading, writing = os.pipe()
    os.close(reading)
    first, *rest = arguments
    command = run_process(first, *([] if first.startswith("-") else [shop]), *rest, stdout=writing)
    os.close(writing)
    _, err = command.communicate()
    assert (command.returncode, err) == (code, b"")
    assert (shop / "lake" / "commits").exists() == (first == "run")


def test_a_watch_ends_with_its_reader(shop: Path) -> None:
    """It ends after the batch whose output nobody reads, as if asked to."""
    (shop / "takings.toml").write_text("batch_files = 5\n")
    reading, writing = os.pipe()
    os.close(reading)
    command = run_process("watch", shop, stdout=writing)
    os.close(writing)
    try:
        _, err = command.communicate(timeout=60)
    finally:
        command.kill()
    assert command.returncode == 0, err
    assert (shop / "lake" / "commits").exists()


def test_another_pipe_that_breaks_is_a_failure(takings: Takings, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as a connection to Spark: the command could not finish, and no file was rejected."""

    def broken(*_: object, **__: object) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("takings.runs.pipeline.run", broken)
    ended = takings("run", shop)
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith("takings: Broken pipe. It is safe to run again;")


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("a\nb\tc\r", r"a\nb\tc\r"),
        ("\x7f\x9b", r"\x7f\x9b"),
        ("\u202eevil\u2066\u200f", r"\u202eevil\u2066\u200f"),
        ("\udcff", r"\udcff"),
        ("Grüße, 你好 👩‍👩‍👧", "Grüße, 你好 👩‍👩‍👧"),
    ],
)
def test_control_characters_are_seen(text: str, seen: str) -> None:
    """Each by its number; every script stays as it is. JSON does the same in its own way."""
    assert legible(text) == seen
    assert json.loads(as_json(text)) == text
    assert not RAW.search(as_json(text))


@pytest.mark.parametrize(("name", "shown"), [("Books", "Books"), ("abcdefghi", "abcdefg…"), ("你好你好你", "你好你…")])
def test_a_name_is_cut_by_the_columns_that_it_takes(name: str, shown: str) -> None:
    """A Chinese character takes two columns."""
    assert cut(name, 8) == shown


def test_no_message_has_pythons_spelling() -> None:
    """No `!r` and no `repr` in what may be printed: a value is written as its owner wrote it."""
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            is_conversion = isinstance(node, ast.FormattedValue) and node.conversion == ord("r")
            is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "repr"
            if is_conversion or is_call:
                found.append(f"{path.relative_to(SOURCE)}: {ast.unparse(node)}")
    assert found == []


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (OSError(18, "Invalid cross-device link", "a.csv"), "a.csv: Invalid cross-device link"),
        (OSError("no number"), "no number"),
        (KeyError("files"), "'files' is missing"),
        (MachineryError("It broke."), "It broke."),
        (ValueError(), "ValueError"),
    ],
)
def test_a_cause_is_told_in_words(fault: Exception, told: str) -> None:
    """`OSError(18, …)` means something only to a programmer."""
    assert cause_of(fault) == told


def test_amounts_are_written_out() -> None:
    """Nobody reads 0E-16 as zero."""
    amounts = ["0E-16", "1.50000", "12", "-0.125", "1E+3"]
    assert [exact(Decimal(text)) for text in amounts] == ["0.00", "1.50", "12.00", "-0.125", "1000.00"]
