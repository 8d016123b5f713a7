"""Stores in buckets that tests begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from takings.adapters.aws.clients import Clients
    from tests.aws.shop import S3Shop


@pytest.fixture
def shop(aws: Clients) -> S3Shop:
    """Return a new store in a bucket."""
    from tests.aws.shop import S3Shop

    return S3Shop(clients=aws)
