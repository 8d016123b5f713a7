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
from takings.validation.structure.values import FileFault

SOURCE: Final = "_takings_source"
LINE: Final = "_takings_line"
REASONS: Final = "_takings_reasons"
VERSION: Final = "_takings_version"
#: the columns that a quarantine file adds to the original's
QUARANTINE_COLUMNS: Final = (SOURCE, LINE, REASONS, VERSION)
#: a mended row's version is its original's plus this
STEP: Final = timedelta(microseconds=1)


def is_mended(header: Collection[str]) -> bool:
    """Return whether a file with this header is one from quarantine: it has all four columns, in exactly their spelling."""
    return set(QUARANTINE_COLUMNS) <= set(header)


def check_mended(contract: Contract, header: Collection[str]) -> FileFault | None:
    """Return why rows from quarantine cannot be taken: some lines of an order alone would replace all of them."""
    if contract.replaces is None or not is_mended(header):
        return None
    return FileFault(
        rule="file|part_of_orders",
        line=1,
        reason=f"these are single rows from quarantine, but the rows with one {contract.replaces} replace each other"
        " together, so the others would be lost. Drop a file with all lines of these orders instead; it will be a new arrival.",
    )


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
            demand="must be the instant in the quarantine file",
        ),
        Rule(
            column=VERSION,
            kind="not_in_future",
            severity=Severity.ERROR,
            check=Compared(operator=Operator.AT_MOST, bound=Now()),
            demand="must be the instant in the quarantine file, not a later one",
        ),
    )
    return replace(contract, columns=(*contract.columns, column), rules=(*contract.rules, *rules))


def extra_columns(contract: Contract, header: Sequence[str]) -> list[str]:
    """Return the header's columns that the contract does not name: drift, which is a warning."""
    known = {header[place] for place in used_places(contract, header)}
    if is_mended(header):
        known |= set(QUARANTINE_COLUMNS)
    return [column for column in header if column not in known]
