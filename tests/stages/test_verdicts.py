"""What a policy makes of the findings in a file, and in which words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

import pytest

from takings.contracts import load_contracts
from takings.contracts.model import Dataset
from takings.intake.arrivals import Arrival
from takings.validation.findings import FileReport, Findings, MadeRows, RecordCounts, Verdict
from takings.validation.structure.values import FileFault, Structure
from takings.validation.verdicts import (
    FILE_BY_FILE,
    RejectionPolicy,
    Tolerance,
    decide_verdict,
    duplicate_report,
    fail_batch,
    summarise,
    unread_report,
    unreadable_report,
)
from tests.shop import NOON

ARRIVAL = Arrival(
    key="raw-data/orders/2025/a.csv", dataset=Dataset.ORDERS, file="2025/a.csv", size=90, etag="e", version=NOON
)
REPORT = FileReport(
    key="raw-data/orders/2025/a.csv",
    dataset=Dataset.ORDERS,
    file="2025/a.csv",
    verdict=Verdict.ACCEPTED,
    fingerprint="f00",
    version=NOON,
    size=90,
    records=RecordCounts(),
)
ROW = Tolerance(policy=RejectionPolicy.ROW, max_rejected=Decimal("2.5"))


def findings(violating: int, errors: Mapping[str, int], *, read: int = 1000, copies: int = 0) -> Findings:
    """Return what an engine found."""
    return Findings(
        read=read,
        violating=violating,
        identical_duplicates=copies,
        errors=errors,
        warnings={"sku|maximum_length": 4},
        chunks=(),
    )


def test_a_file_without_errors_is_taken() -> None:
    """Whatever the policy; a copy of a row in the same file counts once, and a warning refuses nothing."""
    for policy in RejectionPolicy:
        tolerance = Tolerance(policy=policy, max_rejected=Decimal(0))
        assert decide_verdict(ARRIVAL, "f00", findings(0, {}, copies=3), tolerance) == replace(
            REPORT,
            records=RecordCounts(read=1000, accepted=997, identical_duplicates=3),
            warnings={"sku|maximum_length": 4},
        )


def test_an_error_refuses_the_whole_file() -> None:
    """Its copies are then refused as well, and so are all its rows."""
    assert decide_verdict(ARRIVAL, "f00", findings(2, {"user_id|required": 2}, copies=3), FILE_BY_FILE) == replace(
        REPORT,
        verdict=Verdict.REJECTED,
        records=RecordCounts(read=1000, rejected=1000),
        errors={"user_id|required": 2},
        warnings={"sku|maximum_length": 4},
        reason="2 of 1,000 records break user_id|required (2)",
    )


@pytest.mark.parametrize("bad", [1, 25])
def test_under_policy_row_a_few_bad_rows_are_set_aside(bad: int) -> None:
    """The others are taken, without the copies."""
    assert decide_verdict(ARRIVAL, "f00", findings(bad, {"user_id|required": bad}, copies=3), ROW) == replace(
        REPORT,
        records=RecordCounts(read=1000, accepted=997 - bad, rejected=bad, identical_duplicates=3),
        errors={"user_id|required": bad},
        warnings={"sku|maximum_length": 4},
        reason=f"{bad} of 1,000 records break user_id|required ({bad}); they are in quarantine",
    )


def test_under_policy_row_too_many_bad_rows_refuse_the_file() -> None:
    """One more than the limit."""
    found = findings(26, {"user_id|required": 26})
    assert decide_verdict(ARRIVAL, "f00", found, ROW) == replace(
        REPORT,
        verdict=Verdict.REJECTED,
        records=RecordCounts(read=1000, rejected=1000),
        errors={"user_id|required": 26},
        warnings={"sku|maximum_length": 4},
        reason="26 of 1,000 records break user_id|required (26); at most 2.5 % may",
    )


def test_an_error_of_the_file_itself_is_no_row_to_set_aside() -> None:
    """However many rows may be bad."""
    found = findings(0, {"file|header": 1})
    everything = Tolerance(policy=RejectionPolicy.ROW, max_rejected=Decimal(100))
    report = decide_verdict(ARRIVAL, "f00", found, everything)
    assert (report.verdict, report.reason) == (Verdict.REJECTED, "the file breaks file|header (1)")


@pytest.mark.parametrize("policy", [RejectionPolicy.FILE, RejectionPolicy.STRICT])
def test_only_policy_row_sets_rows_aside(policy: RejectionPolicy) -> None:
    """The share has no meaning for the others."""
    tolerance = Tolerance(policy=policy, max_rejected=Decimal(100))
    report = decide_verdict(ARRIVAL, "f00", findings(1, {"user_id|required": 1}), tolerance)
    assert (report.verdict, report.reason) == (Verdict.REJECTED, "1 of 1,000 records break user_id|required (1)")


def test_a_source_is_judged_file_by_file() -> None:
    """Rows made of a file that lacks some would be wrong."""
    assert Tolerance(policy=RejectionPolicy.FILE, max_rejected=Decimal(0)) == FILE_BY_FILE


@pytest.mark.parametrize(
    ("policy", "replaces", "judged"),
    [
        (RejectionPolicy.ROW, "order_id", RejectionPolicy.FILE),
        (RejectionPolicy.ROW, None, RejectionPolicy.ROW),
        (RejectionPolicy.STRICT, "order_id", RejectionPolicy.STRICT),
        (RejectionPolicy.FILE, None, RejectionPolicy.FILE),
    ],
)
def test_a_delivery_is_taken_whole_or_not(
    policy: RejectionPolicy, replaces: str | None, judged: RejectionPolicy
) -> None:
    """A part of a delivery would replace a complete one; the limit stays."""
    contract = replace(load_contracts()[Dataset.ORDER_ITEMS], replaces=replaces)
    assert Tolerance(policy=policy, max_rejected=Decimal(7)).judging(contract) == Tolerance(
        policy=judged, max_rejected=Decimal(7)
    )


@pytest.mark.parametrize(
    ("errors", "named"),
    [
        ({"b|x": 1, "a|x": 1, "c|x": 2000}, "c|x (2,000), a|x (1), b|x (1)"),
        ({"b|x": 1, "a|x": 1, "c|x": 2, "d|x": 1}, "c|x (2), a|x (1), b|x (1) and 1 more rule"),
        ({"b|x": 1, "a|x": 1, "c|x": 2, "d|x": 1, "e|x": 3}, "e|x (3), c|x (2), a|x (1) and 2 more rules"),
    ],
)
def test_the_three_most_broken_rules_are_named(errors: Mapping[str, int], named: str) -> None:
    """The most frequent first, then by name."""
    assert summarise(findings(5000, errors, read=9000), FILE_BY_FILE) == f"5,000 of 9,000 records break {named}"


def test_a_duplicate_counts_no_record() -> None:
    """It names the file that it copies."""
    assert duplicate_report(ARRIVAL, "f00", "raw-data/orders/b.csv") == replace(
        REPORT,
        verdict=Verdict.DUPLICATE,
        reason="same bytes as raw-data/orders/b.csv, which was accepted before",
        duplicate_of="raw-data/orders/b.csv",
    )


@pytest.mark.parametrize(
    ("line", "says", "reason"),
    [
        (3, "a quote is not closed", "line 3: a quote is not closed"),
        (3, "the quote of line 3 is not closed", "the quote of line 3 is not closed"),
        (None, "the file is empty", "the file is empty"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_its_line(line: int | None, says: str, reason: str) -> None:
    """With the size and the fingerprint that were read; the line is named once."""
    fault = FileFault(rule="file|quote", reason=says, line=line)
    structure = Structure(
        header=None,
        fault=fault,
        records=12,
        broken=0,
        chunks=(),
        size=91,
        fingerprint="f11",
        is_regular=False,
        newline=None,
        has_bom=False,
        has_quotes=True,
    )
    assert unreadable_report(ARRIVAL, structure, fault) == replace(
        REPORT,
        verdict=Verdict.REJECTED,
        fingerprint="f11",
        size=91,
        records=RecordCounts(read=12, rejected=12),
        errors={"file|quote": 1},
        reason=reason,
    )


def test_a_file_that_kills_its_reader_is_refused_unread() -> None:
    """Its records are not known."""
    assert unread_report(ARRIVAL, "f00", 3) == replace(
        REPORT,
        verdict=Verdict.REJECTED,
        errors={"file|kills_reader": 1},
        reason="reading it killed the process 3 times, the last time alone. It was not read again.",
    )


def test_a_failed_batch_refuses_each_of_its_files() -> None:
    """Those refused already keep their reasons; a duplicate is one no longer, and rows made of a source are refused too."""
    refused = replace(REPORT, verdict=Verdict.REJECTED, reason="no header")
    copy = replace(REPORT, verdict=Verdict.DUPLICATE, duplicate_of="b.csv", reason="same bytes")
    made = MadeRows(records=RecordCounts(read=3, accepted=2, identical_duplicates=1), warnings={"sku|length": 1})
    of_till = replace(
        REPORT, records=RecordCounts(read=2, accepted=1, rejected=1), made={Dataset.ORDERS: made}, errors={"a|b": 1}
    )
    because = 'policy "strict" refuses the whole batch: 1 orphan'
    assert fail_batch([refused, copy, of_till], "1 orphan") == (
        refused,
        replace(REPORT, verdict=Verdict.REJECTED, reason=because),
        replace(
            REPORT,
            verdict=Verdict.REJECTED,
            records=RecordCounts(read=2, rejected=2),
            errors={"a|b": 1},
            reason=because,
            made={Dataset.ORDERS: replace(made, records=RecordCounts(read=3, rejected=3))},
        ),
    )
