"""An AWS for the tests in this folder: what AWS_ENDPOINT_URL names, or a LocalStack on its usual port.

Without either, an emulator is started for them.
"""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import boto3
import pytest

from tests.cli.conftest import takings as takings_fixture
from tests.cli.terminal import Takings
from tests.emulators import Emulator, environment

takings = takings_fixture
#: read before any fixture points this process to an emulator; credentials are never read from it, emulators accept any
_GIVEN: Final = os.environ.get("AWS_ENDPOINT_URL")
#: where docker-compose.localstack.yml lets it listen
USUAL: Final = "http://127.0.0.1:4566"
_START_SECONDS: Final = 60


@pytest.fixture(scope="session")
def settings(request: pytest.FixtureRequest) -> dict[str, str]:
    """Return the AWS_* variables for the tests' endpoint."""
    given = _GIVEN or localstack_at(USUAL)
    if given:
        _wait_until_it_answers(given)
        return environment(given)
    emulator: Emulator = request.getfixturevalue("ministack")
    return environment(emulator.url)


def localstack_at(url: str) -> str | None:
    """Return the URL if a LocalStack answers there, or what answers as one; None where anything else or nothing does."""
    try:
        with urllib.request.urlopen(f"{url}/_localstack/health", timeout=2) as answer:
            found = json.load(answer)
    except (OSError, ValueError):
        return None
    return url if isinstance(found, dict) and {"s3", "dynamodb"} <= found.get("services", {}).keys() else None


def _wait_until_it_answers(url: str) -> None:
    """Wait for a container that has just been started."""
    end = time.monotonic() + _START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except urllib.error.HTTPError:
            return  # a refusal is an answer
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.5)


@dataclass(frozen=True, kw_only=True)
class Shop:
    """A bucket and tables with unique names, because the endpoint may have others."""

    name: str
    settings: dict[str, str]

    @property
    def store(self) -> str:
        """Return the store's name on the command line."""
        return f"s3://{self.name}"

    def resource(self, service: str) -> Any:
        """Return a service of the endpoint."""
        return boto3.resource(service, endpoint_url=self.settings["AWS_ENDPOINT_URL"])  # type: ignore[call-overload]

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Return the items of a table."""
        rows: list[dict[str, Any]] = self.resource("dynamodb").Table(f"{self.name}.{table}").scan()["Items"]
        return rows


@pytest.fixture
def shop(settings: dict[str, str], takings: Takings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """Return a bucket and tables, and remove them afterwards."""
    shop = Shop(name=f"takings-{uuid.uuid4().hex[:12]}", settings=settings)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TAKINGS_TABLE_PREFIX", f"{shop.name}.")
    made = takings("aws", "bootstrap", shop.store, "--only-store")
    assert made.code == 0, made.err
    yield shop
    bucket = shop.resource("s3").Bucket(shop.name)
    bucket.object_versions.delete()
    # Both are protected against deletion.
    bucket.Policy().delete()
    bucket.delete()
    for table in shop.resource("dynamodb").tables.all():
        if table.name.startswith(shop.name):
            table.update(DeletionProtectionEnabled=False)
            table.delete()
