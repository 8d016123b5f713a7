"""infra/terraform agrees with the package: rendered documents, and tables, settings and names written by hand."""

from __future__ import annotations

import json
import re

import pytest

from takings.adapters.aws.tables import TABLES
from takings.settings import Settings
from tools.terraform_documents import FOLDER, OPEN, documents, template

SAMPLE = FOLDER.parent
TEXTS = {file.name: file.read_text() for file in sorted(SAMPLE.glob("*.tf"))}
ALL = "\n".join(TEXTS.values())


def test_documents_are_what_the_package_says() -> None:
    """Render them again after changing a role, the state machine or an alarm: python -m tools.terraform_documents."""
    committed = {file.relative_to(FOLDER).as_posix(): file.read_text() for file in FOLDER.rglob("*.*")}
    assert committed == documents()


def test_terraform_fills_in_what_they_leave_open() -> None:
    """`values` in names.tf, with what is merged into them, name each of them, and nothing else."""
    (values,) = re.findall(r"^  values = \{\n(.*?)^  \}", TEXTS["names.tf"], re.DOTALL | re.MULTILINE)
    merged = [
        name
        for more in re.findall(r"merge\(local\.(?:spark_)?values, \{(.*?)\}\)", ALL, re.DOTALL)
        for name in re.findall(r"(\w+) +=", more)
    ]
    assert sorted([*re.findall(r"^    (\w+) +=", values, re.MULTILINE), *merged]) == sorted(OPEN)
    left_open = {name for text in documents().values() for name in re.findall(r"(?<!\$)\$\{(\w+)\}", text)}
    assert left_open == set(OPEN)


@pytest.mark.parametrize(
    ("document", "written"),
    [
        ({"Subnets": ["${subnets}"]}, '{\n  "Subnets": ${subnets}\n}\n'),
        ({"Bucket": "${bucket}"}, '{\n  "Bucket": "${bucket}"\n}\n'),
        ("${aws:PrincipalTag/shop}", '"$${aws:PrincipalTag/shop}"\n'),
        ("%{if}", '"%%{if}"\n'),
        ("$.plan 100%", '"$.plan 100%"\n'),
    ],
)
def test_only_what_is_left_open_is_a_template(document: object, written: str) -> None:
    """AWS fills in a policy's own variables."""
    assert template(document) == written


def test_every_document_is_used() -> None:
    """By the file that creates its subject."""
    named = set(re.findall(r'\$\{path\.module\}/documents/([^"]+)"', ALL))
    used = {name for name in documents() if any(re.fullmatch(re.sub(r"\$\{.*?\}", ".*", each), name) for each in named)}
    assert used == set(documents())


def test_tables_are_those_of_the_package() -> None:
    """Names, keys and indexes, as tables.tf writes them."""
    written = TEXTS["tables.tf"]
    for table in TABLES:
        (body,) = re.findall(rf"^    {table.name} = \{{\n(.*?)^    \}}", written, re.DOTALL | re.MULTILINE)
        (key,) = re.findall(r"key += (\[.*\])", body)
        assert tuple(json.loads(key)) == table.key
        indexes = {
            name: tuple(json.loads(keys)) for name, keys in re.findall(r"^ {8}(\w+) += (\[.*\])", body, re.MULTILINE)
        }
        assert indexes == {index.name: index.key for index in table.indexes}
    assert len(re.findall(r"^    \w+ = \{$", written, re.MULTILINE)) == len(TABLES)


def test_defaults_are_those_of_the_settings() -> None:
    """A store without a takings.toml gets the same ones."""
    usual = Settings()
    for name, setting in (("sweep_minutes", usual.sweep), ("batch_wait_minutes", usual.batch_policy.batch_wait)):
        assert f"= {setting.total_seconds() / 60:g}\n" in variable(name)
    assert f"= {usual.event_window.total_seconds():g}\n" in variable("event_window_seconds")


def variable(name: str) -> str:
    (block,) = re.findall(rf'^variable "{name}" \{{\n(.*?)^\}}', TEXTS["variables.tf"], re.DOTALL | re.MULTILINE)
    return str(block)


def test_the_page_names_every_variable_and_file() -> None:
    """And names none that does not exist."""
    page = (SAMPLE / "README.md").read_text()
    variables = set(re.findall(r'^variable "(\w+)"', ALL, re.MULTILINE))
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == variables
    assert set(re.findall(r"`(\w+\.tf)`", page)) == set(TEXTS)


def block(name: str, start: str) -> str:
    """Return a block of a file of the module, without its nested blocks' ends."""
    (found,) = re.findall(rf"^{re.escape(start)} \{{\n(.*?)^\}}", TEXTS[name], re.DOTALL | re.MULTILINE)
    return str(found)


def test_the_module_leaves_provider_and_state_to_its_user() -> None:
    """A module with a provider of its own cannot be used with `count`, `for_each` or a second region."""
    assert re.findall(r"^(provider|\s+backend) ", ALL, re.MULTILINE) == []
    example = {file.name: file.read_text() for file in (SAMPLE / "examples" / "shop").glob("*")}
    assert "default_tags {" in example["providers.tf"]
    assert 'source = "../.."' in example["main.tf"]
    assert 'backend "s3" {' in example["backend.tf.example"]


def test_the_data_are_not_destroyed_by_mistake() -> None:
    """Neither the bucket nor a table; everything else can be made again."""
    assert ALL.count("prevent_destroy = true") == 2
    assert "prevent_destroy = true" in block("storage.tf", 'resource "aws_s3_bucket" "store"')
    assert "prevent_destroy = true" in block("tables.tf", 'resource "aws_dynamodb_table" "this"')


@pytest.mark.parametrize(
    ("name", "resource", "ignored"),
    [
        ("functions.tf", 'resource "aws_lambda_function" "detector"', "filename, source_code_hash"),
        ("functions.tf", 'resource "aws_lambda_function" "archiver"', "filename, source_code_hash"),
        ("tasks.tf", 'resource "aws_ecs_task_definition" "service"', "container_definitions"),
        ("workflow.tf", 'resource "aws_sfn_state_machine" "pipeline"', "definition"),
    ],
)
def test_a_plan_takes_no_deployment_back(name: str, resource: str, ignored: str) -> None:
    """`make terraform` shows it on an emulator."""
    assert f"ignore_changes = [{ignored}]" in block(name, resource)


def test_the_lock_file_fits_every_system() -> None:
    """Archives of all systems (zh), in a version that the module allows; and this project's own check of the contents (h1)."""
    text = (SAMPLE / "examples" / "shop" / ".terraform.lock.hcl").read_text()
    assert re.findall(r'version += "(.*)"', text) == ["5.100.0"]
    (constraints,) = re.findall(r'constraints += "(.*)"', text)
    assert f'version = "{constraints}"' in TEXTS["versions.tf"]
    assert len(set(re.findall(r'"zh:[0-9a-f]{64}"', text))) == 15
    assert len(re.findall(r'"h1:[A-Za-z0-9+/]{43}="', text)) == 1
