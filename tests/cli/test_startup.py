"""What each command loads: to load a library takes longer than many a command."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
import typer

from takings.contracts import load_contracts
from takings.contracts.sources import NO_SOURCES
from takings.contracts.worth import USUAL_WORTH
from takings.entrypoints.cli import app
from tests.shop import csv_of, drop, drop_all, item, new_store, order, run

PROJECT: Final = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
#: packages whose modules have another name, or come with another package
OTHER_NAMES: Final = {"arro3-core": "arro3", "openlineage-python": "openlineage", "pyyaml": "yaml"}
OF_OTHERS: Final = {"botocore", "pyarrow"}
#: packages without modules that anybody imports
DATA: Final = {"tzdata"}
#: our own modules that load such a library, or take long themselves
OWN: Final = {
    f"takings.adapters.{room}" for room in ("aws", "delta", "duckdb", "pandas", "shop_generator", "spark")
} | {
    "takings.contracts.load",
    "takings.runs",
}

ROOT: Final = {"rich", "typer"}
LOOK: Final = ROOT | {"pydantic"}
#: the definitions of KPIs
YAML: Final = {"yaml"}
CONTRACTS: Final = YAML | {"takings.contracts.load"}
DUCKDB: Final = {"duckdb", "takings.adapters.duckdb"}
DELTA: Final = {"arro3", "deltalake", "takings.adapters.delta"}
SCAN: Final = {"numpy"}
#: all engines are loaded together
ENGINES: Final = DUCKDB | DELTA | SCAN | CONTRACTS

#: runs a command, and writes to a file which modules it loaded
LOADING: Final = """
import atexit, json, sys
from pathlib import Path

sys.argv[0], loaded, before = "takings", Path(sys.argv.pop(1)), set(sys.modules)
atexit.register(lambda: loaded.write_text(json.dumps(sorted(set(sys.modules) - before))))
from takings.entrypoints.cli import main

main()
"""


#: loads every command, as its help does, and prints which modules that loads
EVERY_COMMAND: Final = """
import json, sys
import typer
from takings.entrypoints.cli import app

def count(group):
    names = getattr(group, "listed", {}) or getattr(group, "commands", {})
    commands = [group.loaded(name) for name in names] if hasattr(group, "listed") else list(group.commands.values())
    return sum(count(each) if hasattr(each, "commands") else 1 for each in commands)

root = typer.main.get_command(app)
number = count(root) + count(root.commands["aws"])
print(json.dumps({"commands": number, "modules": sorted(sys.modules)}))
"""


def watched() -> set[str]:
    """Return the modules that are looked for: each package that the project asks for, and our own that load one."""
    extras = [line for extra in PROJECT["optional-dependencies"].values() for line in extra]
    names = {re.split(r"[^A-Za-z0-9-]", line, maxsplit=1)[0] for line in PROJECT["dependencies"] + extras}
    return {OTHER_NAMES.get(name, name.replace("-", "_")) for name in names - DATA} | OF_OTHERS | OWN


def loaded_by(tmp_path: Path, *arguments: object) -> set[str]:
    """Run a command in a process of its own; return what it has loaded of what is watched."""
    return printed_and_loaded(tmp_path, *arguments)[1]


def printed_and_loaded(tmp_path: Path, *arguments: object, **environment: str) -> tuple[str, set[str]]:
    """Run a command in a process of its own; return its output, and what it has loaded of what is watched."""
    told = tmp_path / "loaded.json"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TAKINGS_")}
    done = subprocess.run(
        [sys.executable, "-c", LOADING, told, *map(str, arguments)],
        env=kept | environment,
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout, watched() & set(json.loads(told.read_text()))


@pytest.mark.parametrize(
    ("command", "loads"),
    [
        ("--version", ROOT),
        ("--help", ROOT),
        ("aws --help", LOOK),
        ("kpis STORE", LOOK | YAML),
        ("kpis STORE --by category --format csv", LOOK | YAML),
        ("kpis STORE --format parquet --output kpis.parquet", LOOK | YAML | DUCKDB),
        ("status STORE", LOOK | YAML),
        ("status STORE --json", LOOK | YAML),
        ("batches STORE", LOOK | YAML),
        ("explain STORE 2025-03-30", LOOK | ENGINES),
        ("verify STORE", LOOK | ENGINES),
        ("validate orders.csv --dataset orders", LOOK | DUCKDB | SCAN | CONTRACTS),
        ("generate drops --orders 10", LOOK | YAML | DUCKDB | {"takings.adapters.shop_generator"}),
    ],
)
def test_a_command_loads_what_it_needs(landed: Path, tmp_path: Path, command: str, loads: set[str]) -> None:
    """A local store's numbers and state need SQLite alone; the version, not even the settings."""
    (tmp_path / "orders.csv").write_bytes(csv_of(order(9)))
    words = [word.replace("STORE", str(landed)) for word in command.split()]
    assert loaded_by(tmp_path, *words) == loads


def test_a_run_loads_all_that_a_batch_needs(root: Path, tmp_path: Path) -> None:
    """And neither AWS nor Spark nor pandas."""
    drop_all(root)
    assert loaded_by(tmp_path, "run", root, "--now") == LOOK | ENGINES | {"takings.runs"}


def test_the_state_of_a_store_with_orphans_needs_its_lake(root: Path, tmp_path: Path) -> None:
    """Only the lake knows which item has waited longest."""
    drop(root, "order-items/a.csv", csv_of(item(1, 99)))
    run(root)
    assert loaded_by(tmp_path, "status", root) == LOOK | ENGINES


#: uses the Python API, and prints which modules that loads: the package, a store, its numbers
USING: Final = """
import json, sys
before, loaded = set(sys.modules), []
import takings
loaded.append(sorted(set(sys.modules) - before))
shop = takings.open(sys.argv[1])
shop.kpis()
loaded.append(sorted(set(sys.modules) - before))
print(json.dumps(loaded))
"""


def test_the_package_loads_nothing_until_it_is_used(landed: Path) -> None:
    """A notebook or a scheduler that imports it waits for no library; a look at numbers needs what the command needs."""
    package, numbers = json.loads(subprocess.check_output([sys.executable, "-c", USING, landed], text=True))
    assert [name for name in package if name.startswith("takings")] == ["takings"]
    assert watched() & set(package) == set()
    assert watched() & set(numbers) == {"pydantic", *YAML}


def test_a_shipped_profile_is_taken_on_trust_to_look(tmp_path: Path) -> None:
    """The SQL of its sources is checked with the package; a shop's own whenever it is read."""
    root = new_store(tmp_path / "shop")
    (root / "takings.toml").write_text('contracts = "profile:shopify"\n')
    assert loaded_by(tmp_path, "status", root) == LOOK | CONTRACTS


def test_help_loads_no_library_of_the_work(tmp_path: Path) -> None:
    """Whoever asks for the options of a command does not wait for DuckDB, numpy or AWS."""
    loaded = json.loads(subprocess.check_output([sys.executable, "-c", EVERY_COMMAND], text=True))
    assert loaded["commands"] > 25
    assert watched() & set(loaded["modules"]) - OWN == LOOK | {"yaml"}


def test_the_list_of_commands_says_what_each_says_itself() -> None:
    """The summaries are written down, so that they need not be loaded; also in the commands of `aws`."""
    root: Any = typer.main.get_command(app)
    for group in (root, root.commands["aws"]):
        listed = {name: group.commands[name].help for name in group.listed}
        assert listed == {name: group.loaded(name).help for name in group.listed}


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("takings ver", ["verify"]),
        ("takings aws deploy im", ["images"]),
        ("takings kpis --f", ["--from", "--format"]),
    ],
)
def test_a_shell_completes_words(tmp_path: Path, typed: str, completed: list[str]) -> None:
    """Names of commands, and options of the one that is typed; Typer itself loads pydantic."""
    words = {"COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1), "_TAKINGS_COMPLETE": "complete_bash"}
    printed, loaded = printed_and_loaded(tmp_path, **words)
    assert (printed.split(), loaded - YAML) == (completed, LOOK)


def test_what_a_look_takes_for_granted_of_the_shipped_contracts_is_so() -> None:
    """They have no source, and an item is worth what the brief says."""
    shipped = load_contracts()
    assert (shipped.sources, shipped.worth) == (NO_SOURCES, USUAL_WORTH)
