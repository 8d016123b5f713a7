"""A source's `optionalColumns`: what the SQL may read if a file has it, and what the loader refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from takings.adapters.duckdb.source_sql import checked
from takings.contracts import load_contracts
from takings.contracts.datasets import SourceName
from takings.contracts.sources import Source, Sources
from takings.errors import ContractError
from takings.validation.source_columns import check_columns, places_of
from tests.till import SOURCE, contracts_with, till

MANDATORY = ("Name", "Financial Status", "Created at", "Lineitem quantity", "Lineitem name", "Lineitem price")


def source_with(folder: Path, optional: str) -> Source:
    changed = till(source=f"{SOURCE}optionalColumns: {optional}\n")
    return checked(load_contracts(contracts_with(folder, till=changed))).sources.by_name[SourceName("till")]


def test_a_file_may_lack_an_optional_column(tmp_path: Path) -> None:
    """The SQL reads it as null; a mandatory one that is absent refuses the file."""
    source = source_with(tmp_path, "[Vendor, Tags]")
    assert (source.columns, source.optional) == ((*MANDATORY, "Vendor", "Tags"), ("Vendor", "Tags"))
    header = ("Tags", *MANDATORY)
    assert check_columns(source, header) is None
    assert dict(places_of(source, header)) == {"Tags": 0} | {name: place for place, name in enumerate(MANDATORY, 1)}
    fault = check_columns(source, header[:-1])
    assert fault is not None
    assert fault.rule == "Lineitem price|missing"


def test_the_hash_knows_which_columns_are_optional(tmp_path: Path) -> None:
    """A source without any keeps the hash it had before the option existed."""
    source = source_with(tmp_path, "[Vendor]")
    hashes = {Sources({source.name: replace(source, optional=names)}).hash for names in ((), ("Vendor",))}
    assert len(hashes) == 2


@pytest.mark.parametrize(
    ("optional", "told"),
    [
        (
            "[Vendor, vendor]",
            "the column 'vendor' is already on line 9; case makes no difference in SQL. Keep one.",
        ),
        ("[name]", "the column 'name' is already under 'columns'; case makes no difference in SQL. Keep one."),
        ("[]", "'optionalColumns' is empty. Name the columns of the file's header that the SQL uses."),
        ("[_line]", "'_line' has a meaning of its own. Rename the column in the file."),
    ],
)
def test_what_is_refused_of_optional_columns(tmp_path: Path, optional: str, told: str) -> None:
    with pytest.raises(ContractError) as caught:
        source_with(tmp_path, optional)
    assert str(caught.value).endswith(f"source.yaml:9: {told}")
