"""Contracts without a mapping compile to the same SQL as ever: nothing is slower or read differently."""

from __future__ import annotations

import hashlib

import pytest

from takings.adapters.duckdb.rules import typed_query
from takings.contracts import load_contracts
from takings.contracts.model import Dataset
from takings.kpis import definition_hash, load_kpi_tables
from takings.time_zones import business_time
from tests.shop import NOON


@pytest.mark.parametrize(
    ("time_zone", "expected"),
    [
        ("UTC", "095a2b5352e1ceb735077acc5108d626076c4409673894da98bc5989007b1d6f"),
        ("Europe/Berlin", "c5dc65b36d1bce0fe57151a7ca8124a5847b393b2bcb59658ba116a224c68d22"),
    ],
)
def test_the_shipped_contracts_keep_their_sql(time_zone: str, expected: str) -> None:
    """With the header in the contract's order, or in another one with an additional column."""
    contracts = load_contracts()
    found = hashlib.sha256()
    for dataset in Dataset:
        names = [column.name for column in contracts[dataset].columns]
        for header in (names, [*reversed(names), "extra"]):
            source, zone = "read_csv('a.csv')", business_time(time_zone)
            sql = typed_query(contracts[dataset], header, source, NOON, zone, keep="_record, ")
            found.update(sql.encode())
    assert found.hexdigest() == expected


def test_the_shipped_kpis_keep_their_definition() -> None:
    """Stores restate every day when it changes."""
    assert definition_hash(load_kpi_tables(), policy="file", time_zone="UTC") == "fa71d186f2adc10e"
