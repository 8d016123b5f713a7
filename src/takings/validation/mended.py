"""Recognise rows that come back from quarantine: four columns say where each row was, and which version it had.

A mended row gets its original's version plus one microsecond: it beats the row it mends, and nothing newer.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from takings.contracts.model import (
    Column,
    ColumnType,
    Compared,
    Contract,
    Now,
    Operator,
    Required,
    Rule,
    Severity,
    Typed,
)
from takings.validation.naming import used_places

SOURCE: Final = "_takings_source"
LINE: Final = "_takings_line"
REASONS: Final = "_takings_reasons"
VERSION: Final = "_takings_version"
#: the columns that a quarantine file adds to the original's
QUARANTINE_COLUMNS: Final = (SOURCE, LINE, REASONS, VERSION)
#: a mended row's version is its original's plus this
STEP: Final = timedelta(microseconds=1)


def contract_of(contract: Contract, header: Collection[str]) -> Contract:
    """Return the contract for a file with this header: with the version column if its rows were mended."""
    if not is_mended(header):
        return contract
    column = Column(
        name=VERSION,
        type=ColumnType.TIMESTAMP,
        is_mandatory=True,
        is_required=True,
        description="The version that the row had when it went to quarantine.",
    )
    rules = (
        Rule(column=VERSION, kind="required", severity=Severity.ERROR, check=Required(), demand="must not be empty"),
        Rule(
            column=VERSION,
            kind="type",
            severity=Severity.ERROR,
            check=Typed(),
            demand="must be the instant that stood in the quarantine file",
        ),
        Rule(
            column=VERSION,
            kind="not_in_future",
            severity=Severity.ERROR,
            check=Compared(operator=Operator.AT_MOST, bound=Now()),
            demand="must be the instant that stood in the quarantine file, not a later one",
        ),
    )
    return replace(contract, columns=(*contract.columns, column), rules=(*contract.rules, *rules))


def is_mended(header: Collection[str]) -> bool:
    """Tell by its header whether a file is one from quarantine: it has all four columns, in exactly their spelling."""
    return set(QUARANTINE_COLUMNS) <= set(header)


def extra_columns(contract: Contract, header: Sequence[str]) -> list[str]:
    """Return the header's columns that the contract does not name: drift, which is a warning."""
    known = {header[place] for place in used_places(contract, header)}
    if is_mended(header):
        known |= set(QUARANTINE_COLUMNS)
    return [column for column in header if column not in known]
