"""Guess how a file is written from its first bytes."""

from __future__ import annotations

import pytest

from takings.adoption.format_guess import guess_format
from takings.contracts.file_format import USUAL, FileFormat

ROWS = "id,name,price\n1,Müller,2.50\n2,Höß,3.00\n"


def guessed(text: str, encoding: str = "utf-8") -> FileFormat:
    """Return the format guessed for a whole file."""
    return guess_format(text.encode(encoding), is_whole=True)


def test_the_usual_format_is_found() -> None:
    """UTF-8, commas and a header in the first line; a byte order mark changes nothing."""
    assert guessed(ROWS) == USUAL
    assert guessed(ROWS, "utf-8-sig") == USUAL


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_the_delimiter_is_what_parts_most_lines_alike(delimiter: str) -> None:
    """Commas within names are not delimiters, because they are not in every line."""
    text = ROWS.replace(",", delimiter).replace("Müller", "Müller, Meier")
    assert guessed(text) == FileFormat(delimiter=delimiter)


def test_a_delimiter_within_quotes_is_none() -> None:
    """Quoted decimal commas are not delimiters either."""
    assert guessed('id;price\n1;"2,50"\n2;"3,00"\n') == FileFormat(delimiter=";")


@pytest.mark.parametrize("encoding", ["windows-1252", "utf-16"])
def test_the_encoding_is_told_by_the_bytes(encoding: str) -> None:
    """Letters beyond ASCII are enough."""
    assert guessed(ROWS, encoding) == FileFormat(encoding=encoding)


def test_a_letter_that_is_cut_in_two_is_still_utf_8() -> None:
    """The beginning of a long file may end in the middle of a character."""
    head = ROWS.encode()[:18]
    assert head[-1] == 0xC3
    assert guess_format(head, is_whole=False).encoding == "utf-8"


def test_lines_above_the_header_are_skipped() -> None:
    """Titles, `sep=` lines and blank ones are not headers."""
    assert guessed("sep=,\n" + ROWS) == FileFormat(skip_lines=1)
    assert guessed("Export of orders\nfrom 2025-01-01 to 2025-01-31\n\n" + ROWS) == FileFormat(skip_lines=3)
