"""The API answers every request as its OpenAPI document says."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.depth import examples

OPERATIONS = ("kpis", "tables", "tables/{table}", "batches", "batches/{batch_id}", "files", "violations", "explain")


@pytest.fixture(scope="module")
def described(site: str) -> schemathesis.BaseSchema:
    """Return the API's own description, with a site to try it on."""
    return schemathesis.openapi.from_url(f"{site}/api/v1/openapi.json")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_answers_keep_to_the_description(described: schemathesis.BaseSchema, operation: str) -> None:
    """Status, content type, headers and body, for right and wrong parameters."""
    found = described[f"/api/v1/{operation}"]["GET"]

    @settings(
        max_examples=examples(10, 25),
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=found.as_strategy())
    def keeps(case: schemathesis.Case[Any]) -> None:
        # A category needs by=category, which OpenAPI cannot express.
        case.call_and_validate(excluded_checks=[positive_data_acceptance])

    keeps()


def test_the_list_above_is_complete(described: schemathesis.BaseSchema) -> None:
    """Every operation is tried."""
    assert set(described.raw_schema["paths"]) == {f"/api/v1/{name}" for name in OPERATIONS}
