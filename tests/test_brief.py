"""docs/brief.md is true: what it names exists, where it says it is."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from takings.adapters.aws import names
from takings.adapters.aws.tables import TABLES
from takings.contracts import load_contracts

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "brief.md").read_text()
SECRETS = [
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ACCOUNT_ID", "STEP_FUNCTIONS_ARN"),
    *("S3_BUCKET_NAME", "SUBNET_1", "SUBNET_2", "SECURITY_GROUP"),
]
STATES = ["ValidateData", "TransformData", "ArchiveProcessedFiles", "MarkFilesAsFailed"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the brief."""

    asked: str
    state: str
    places: tuple[str, ...]
    #: what follows the places: a reason, a limit
    remark: str


def spans(text: str) -> tuple[str, ...]:
    """Return the code spans."""
    return tuple(re.findall(r"`([^`]+)`", text))


def rows() -> list[Row]:
    """Return every row of the page's tables."""
    lines = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in PAGE.splitlines() if line[:2] == "| "]
    return [
        Row(asked=asked, state=state, places=spans(places), remark=remark.strip("| "))
        for asked, state, places, remark in ([*line, ""][:4] for line in lines)
        if asked != "asked"
    ]


ROWS = rows()


def content(place: str) -> str | None:
    """Return the content of a place: a file's text, or a test's source; None if there is no such place."""
    path, _, test = place.partition("::")
    if not (ROOT / path).is_file():
        return None
    text = (ROOT / path).read_text()
    if not test:
        return text
    found = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef) and node.name == test]
    # The data above a test may say what it is about.
    return text if found else None


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.asked)
def test_a_row_names_what_shows_it(row: Row) -> None:
    """Nothing works without a place that shows it, and nothing is missing or different without a reason."""
    assert row.state in {"yes", "differs", "missing"}
    assert bool(row.places) == (row.state != "missing")
    assert row.remark or row.state == "yes"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.asked)
def test_its_places_are_there(row: Row) -> None:
    """Commands and make targets are checked together with those of every page."""
    paths = [place for place in row.places if not place.startswith(("takings ", "make "))]
    assert [place for place in paths if content(place) is None] == []


@pytest.mark.parametrize("row", [row for row in ROWS if row.state != "missing"], ids=lambda row: row.asked)
def test_its_names_stand_there(row: Row) -> None:
    """A renamed file, table, column, state or command is noticed here."""
    texts = [text for place in row.places if (text := content(place)) is not None]
    if "[by hand](#by-hand)" in row.remark:
        # The named test runs this part of the page.
        texts.append(PAGE.split("## By hand")[1])
    assert [name for name in spans(row.asked) if not any(name in text for text in texts)] == []


def test_the_page_leaves_no_name_out() -> None:
    """Tables with their keys, columns, parts, states and secrets."""
    asked = {name for row in ROWS for name in spans(row.asked)}
    parts = {names.DETECTOR, names.ARCHIVER, names.VALIDATION, names.TRANSFORMATION, names.STATE_MACHINE}
    of_the_brief = [table for table in TABLES if table.name != "OwnKPIs"]
    keys = {key for table in of_the_brief for key in (table.name, *table.key)}
    needed = {"sku", "cost", "brand", "retail_price", "department", "num_of_item", "sale_price", "user_id"}
    assert parts | keys | needed | {*SECRETS, *STATES} <= asked
    columns = {column.name for contract in load_contracts().by_dataset.values() for column in contract.columns}
    assert needed <= columns
