"""Which regular expressions a contract may use: those that RE2 and Python read the same way."""

from __future__ import annotations

import re

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from takings.contracts.patterns import pattern_fault

USABLE = ["[A-Z]{2}-[0-9]{4,6}", "^(?:ab|cd)+$", r"\d+\.\d*?", r"[^\d,]x", "(a{2}b)*", "é.", r"\x41", "a{3,}", ""]

UNUSABLE = {
    "a(?=b)": "'(?=' at character 2 is not understood by every engine",
    "(?i)a": "'(?i' at character 1 is not understood by every engine",
    r"(a)\1": r"'\1' at character 4 is not understood by every engine",
    r"a\s": r"'\s' at character 2 is not understood by every engine",
    "a$b": "'$b' at character 2 is not understood by every engine",
    "a{,3}": "'{,3' at character 2 is not understood by every engine",
    "[[:alpha:]]": "'[[:' at character 1 is not understood by every engine",
    "[a--b]": "'[a-' at character 1 is not understood by every engine",
    "a++": "'+' at character 3 makes a possessive repeat",
    "a{2}+": "'+' at character 5 makes a possessive repeat",
    "a{1001}": "'{1001}' repeats more than 1000 times",
    "(a{2}){3}": "'{3}' repeats a group that itself contains such a repeat",
    "((a{2}))({3})": "it is not a regular expression (nothing to repeat at position 9)",
    "a**": "it is not a regular expression (multiple repeat at position 2)",
    "x" * 257: "it is longer than 256 characters",
}


@pytest.mark.parametrize("pattern", USABLE)
def test_accepts_what_every_engine_understands(pattern: str) -> None:
    """Sets, groups, repeats and ASCII escapes work everywhere."""
    assert pattern_fault(pattern) is None


@pytest.mark.parametrize(("pattern", "fault"), UNUSABLE.items())
def test_names_what_engines_would_read_differently(pattern: str, fault: str) -> None:
    """Look-around, references, possessive repeats and dialects are refused when the contract is loaded."""
    assert pattern_fault(pattern) == fault


@given(
    st.text(st.sampled_from("ab1-^$.*+?{}[](),|\\dwWnx:é"), max_size=12),
    st.lists(st.text(st.sampled_from("ab1-. \néE\v"), max_size=4), min_size=1, max_size=5),
)
def test_an_accepted_pattern_means_the_same_to_both_engines(pattern: str, texts: list[str]) -> None:
    """An accepted pattern matches the same texts in RE2, through DuckDB, and in Python."""
    if pattern_fault(pattern) is None:
        for text in texts:
            found = duckdb.execute("SELECT regexp_full_match(?, ?)", [text, pattern]).fetchone()
            assert found == (re.fullmatch(pattern, text, re.ASCII) is not None,)
