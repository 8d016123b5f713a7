"""Which names of a header belong to which columns of a contract."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from takings.contracts import Dataset, load_contracts
from takings.contracts.file_format import FileFormat
from takings.validation.header import check_header
from takings.validation.naming import resolve, same_names

EXACT: Final = load_contracts()[Dataset.ORDER_ITEMS]
LOOSE: Final = replace(EXACT, file=FileFormat(is_header_loose=True))
NAMES: Final = ("id", "order_id", "product_id", "user_id", "status", "sale_price")


@pytest.mark.parametrize(
    "name", ["STATUS", "Status", " status", "status\t", "\u00a0sTaTuS \v", "\nstatus\r", "\u017ftatus"]
)
def test_a_loose_header_overlooks_case_and_the_blanks_around_a_name(name: str) -> None:
    """An exact one does not; the long s is an s in another case."""
    header = (*NAMES[:4], name, NAMES[5])
    assert resolve(LOOSE, header)["status"] == 4
    assert check_header(LOOSE, header) is None
    assert "status" not in resolve(EXACT, header)
    fault = check_header(EXACT, header)
    assert fault is not None
    assert fault.rule == "status|missing"


@pytest.mark.parametrize("name", ["sta tus", "s\u200btatus", "\u200bstatus", "status_", "st\u00e4tus", "\ufeffstatus"])
def test_it_overlooks_nothing_else(name: str) -> None:
    """Nothing is guessed."""
    assert "status" not in resolve(LOOSE, (*NAMES[:4], name, NAMES[5]))


def test_columns_keep_the_order_of_the_contract() -> None:
    """Whatever the order of the header."""
    assert list(resolve(LOOSE, [name.upper() for name in reversed(NAMES)])) == list(NAMES)
    assert resolve(EXACT, reversed(NAMES)) == {name: 5 - place for place, name in enumerate(NAMES)}


@pytest.mark.parametrize("names", [("colour", "Colour"), ("stra\u00dfe", "STRASSE"), (" x", "x")])
def test_two_names_that_are_one_are_refused(names: tuple[str, str]) -> None:
    """Even if no contract names them: later, nobody could say which one is meant."""
    assert same_names(LOOSE, (*NAMES, *names)) == names
    assert same_names(EXACT, (*NAMES, *names)) is None
    fault = check_header(LOOSE, (*NAMES, *names))
    assert fault is not None
    assert fault.rule == "file|duplicate_header"


def test_the_line_is_that_of_the_header() -> None:
    """Skipped lines come before it."""
    fault = check_header(replace(EXACT, file=FileFormat(skip_lines=4)), NAMES[1:])
    assert fault is not None
    assert (fault.rule, fault.line) == ("id|missing", 5)
