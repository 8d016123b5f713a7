"""Settings are read once, strictly, from four places; each later one wins."""

from __future__ import annotations

import os
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from takings.composition.stores import read_settings
from takings.errors import SettingsError
from takings.intake.batching import BatchPolicy
from takings.settings import NewsKind, Settings, merge_settings
from takings.validation.verdicts import RejectionPolicy


@pytest.fixture(autouse=True)
def working_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Work in an empty folder without any TAKINGS_* variable."""
    for name in list(os.environ):
        if name.startswith("TAKINGS_"):
            monkeypatch.delenv(name)
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return a store's folder."""
    (tmp_path / "shop").mkdir()
    return tmp_path / "shop"


def refusal(values: dict[str, Any]) -> str:
    """Return the error about options that are not accepted."""
    with pytest.raises(SettingsError) as refused:
        merge_settings([("options", values)])
    return str(refused.value)


def test_defaults_need_no_file() -> None:
    """The brief's numbers, and what is safe on one machine."""
    assert merge_settings([]).model_dump() == {
        "batch_files": 10,
        "batch_wait": timedelta(minutes=20),
        "sweep": timedelta(minutes=5),
        "event_window": timedelta(seconds=20),
        "require_every_dataset": False,
        "batch_max_files": 1000,
        "batch_max_bytes": 20 * 10**9,
        "policy": RejectionPolicy.FILE,
        "max_rejected": Decimal(1),
        "validation_engine": "duckdb",
        "engine": "duckdb",
        "spark_master": "local[*]",
        "spark_s3": "s3a",
        "steps_on": "auto",
        "keep_reports": timedelta(days=90),
        "time_zone": "UTC",
        "memory": "400MB",
        "threads": None,
        "contracts": None,
        "table_prefix": "",
        "scan_fails_on": "high",
        "scan_accepts": (),
        "execution_logs": "error",
        "tracing": False,
        "tags": {},
        "deletion_protection": True,
        "serve_host": "127.0.0.1",
        "serve_port": 8321,
        "serve_token": None,
        "serve_names": (),
        "notify": (),
        "notify_of": tuple(NewsKind),
        "notify_quiet": timedelta(days=2),
        "notify_orphans": timedelta(days=2),
        "openlineage": None,
        "openlineage_key": None,
    }


def test_a_later_source_wins(monkeypatch: pytest.MonkeyPatch, working_folder: Path, store: Path) -> None:
    """Working folder, store, environment, options: each in turn."""
    (working_folder / "takings.toml").write_text("batch_files = 1\n")
    assert read_settings(store, {}).batch_files == 1
    (store / "takings.toml").write_text("batch_files = 2\n")
    assert read_settings(store, {}).batch_files == 2
    monkeypatch.setenv("TAKINGS_BATCH_FILES", "3")
    assert read_settings(store, {}).batch_files == 3
    assert read_settings(store, {"batch_files": 4}).batch_files == 4


def test_sources_complete_each_other(monkeypatch: pytest.MonkeyPatch, working_folder: Path, store: Path) -> None:
    """A source only overrides what it names; an option that was not given names nothing."""
    (working_folder / "takings.toml").write_text('batch_wait = "90s"\n')
    (store / "takings.toml").write_text('time_zone = "Europe/Berlin"\n')
    monkeypatch.setenv("TAKINGS_REQUIRE_EVERY_DATASET", "true")
    assert read_settings(store, {"threads": 2, "contracts": None}) == Settings(
        batch_wait=timedelta(seconds=90), time_zone="Europe/Berlin", require_every_dataset=True, threads=2
    )


def test_a_store_in_the_working_folder_has_one_file(working_folder: Path) -> None:
    """It is read once."""
    (working_folder / "takings.toml").write_text("batch_files = 1\n")
    assert read_settings(Path(), {}).batch_files == 1


@pytest.mark.parametrize(
    ("text", "duration"),
    [("90s", 90), ("20m", 1200), ("2 h", 7200), ("1d", 86400), (" 0s ", 0)],
)
def test_durations_have_a_unit(text: str, duration: int) -> None:
    """Seconds, minutes, hours or days."""
    assert merge_settings([("options", {"batch_wait": text})]).batch_wait == timedelta(seconds=duration)


@pytest.mark.parametrize(
    ("text", "size"),
    [("500MB", 500 * 10**6), ("2GiB", 2 * 2**30), ("3 kb", 3000), ("7", 7), (7, 7)],
)
def test_sizes_may_have_a_unit(text: str | int, size: int) -> None:
    """A bare number is bytes."""
    assert merge_settings([("options", {"batch_max_bytes": text})]).batch_max_bytes == size


@pytest.mark.parametrize("names", ["a.example, b", ["a.example", "b"]])
def test_names_are_parted_by_commas_or_a_list(names: object) -> None:
    """In a variable or a file."""
    assert merge_settings([("options", {"serve_names": names})]).serve_names == ("a.example", "b")


@pytest.mark.parametrize("tags", ["team=shop, cost-center = 42,", {"team": "shop", "cost-center": "42"}])
def test_tags_are_pairs_or_a_table(tags: object) -> None:
    """In a variable or a file."""
    assert merge_settings([("options", {"tags": tags})]).tags == {"team": "shop", "cost-center": "42"}


@pytest.mark.parametrize("tags", ["=shop", "team=a;b", "aws:team=shop", {"team": 1}, 7, ["team"]])
def test_tags_that_aws_would_refuse_are_an_error(tags: object) -> None:
    """Before anything is made."""
    assert "write at most 40 tags such as 'team=shop, cost-center=42'" in refusal({"tags": tags})


def test_the_batch_policy_is_a_part_of_the_settings() -> None:
    """It decides when a batch goes."""
    assert merge_settings([("options", {"batch_files": 2, "batch_max_bytes": 5})]).batch_policy == BatchPolicy(
        batch_files=2,
        batch_wait=timedelta(minutes=20),
        require_every_dataset=False,
        batch_max_files=1000,
        batch_max_bytes=5,
    )


def test_an_unknown_setting_is_an_error_with_a_suggestion() -> None:
    """A typo never goes unnoticed."""
    assert refusal({"batch_file": 3}) == ("options: there is no setting 'batch_file'. Did you mean 'batch_files'?")
    assert refusal({"colour": "red"}) == (
        "options: there is no setting 'colour'. Known settings: batch_files, batch_wait, sweep, event_window,"
        " require_every_dataset, batch_max_files, batch_max_bytes, policy, max_rejected, validation_engine,"
        " engine, spark_master, spark_s3, steps_on, time_zone, keep_reports, memory, threads, contracts, table_prefix,"
        " scan_fails_on, scan_accepts, execution_logs, tracing, tags, deletion_protection, serve_host, serve_port,"
        " serve_token, serve_names, notify, notify_of, notify_quiet, notify_orphans, openlineage, openlineage_key."
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"batch_files": 0}, "options: batch_files = 0: Input should be greater than or equal to 1."),
        (
            {"batch_files": "many"},
            "options: batch_files = 'many': Input should be a valid integer, unable to parse string as an integer.",
        ),
        (
            {"batch_wait": "20 parsecs"},
            "options: batch_wait = '20 parsecs': Value error, write a duration such as '90s', '20m' or '2h'.",
        ),
        (
            {"batch_wait": 20},
            "options: batch_wait = 20: Value error, write a duration such as '90s', '20m' or '2h'.",
        ),
        (
            {"batch_max_bytes": "2 GB/s"},
            "options: batch_max_bytes = '2 GB/s': Value error, write a size such as '500MB' or '2GiB'.",
        ),
        ({"policy": "lax"}, "options: policy = 'lax': Input should be 'file', 'strict' or 'row'."),
        (
            {"memory": "lots"},
            "options: memory = 'lots': String should match pattern '^[0-9]+\\s*([KMGT]i?B)$'.",
        ),
    ],
)
def test_a_value_without_sense_names_source_setting_and_remedy(values: dict[str, Any], message: str) -> None:
    """The whole message, as a user sees it."""
    assert refusal(values) == message


def test_the_source_of_a_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch, store: Path) -> None:
    """A file by its path, a variable as the environment."""
    (store / "takings.toml").write_text("batch_files = 0\n")
    with pytest.raises(SettingsError) as refused:
        read_settings(store, {})
    assert str(refused.value) == (
        f"{store / 'takings.toml'}: batch_files = 0: Input should be greater than or equal to 1."
    )
    (store / "takings.toml").unlink()
    monkeypatch.setenv("TAKINGS_BATCH_FLIES", "3")
    with pytest.raises(SettingsError) as refused:
        read_settings(store, {})
    assert str(refused.value) == "environment: there is no setting 'batch_flies'. Did you mean 'batch_files'?"


@pytest.mark.parametrize("content", [b"batch_files = \n", b"\xff"], ids=["no TOML", "no text"])
def test_a_file_that_is_no_toml_is_named(store: Path, content: bytes) -> None:
    """The error says what is wrong in it."""
    (store / "takings.toml").write_bytes(content)
    with pytest.raises(SettingsError) as refused:
        read_settings(store, {})
    assert str(refused.value).startswith(f"{store / 'takings.toml'} is not a TOML file: ")
