"""docs/aws.md says which permissions a person needs: with exactly these, the commands work, and all of them are used."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final

import pytest

from tests.aws.harness.pipeline import Aws
from tests.cli.conftest import takings as takings_fixture
from tests.cli.terminal import Takings
from tests.emulators import ROOT
from tests.shop import ITEMS, ORDERS, PRODUCTS

takings = takings_fixture
STORE: Final = "s3://shop"
RESOURCES: Final = {
    "the bucket": ["arn:aws:s3:::shop"],
    "its objects": ["arn:aws:s3:::shop/*"],
    "the tables and their indexes": ["arn:aws:dynamodb:eu-west-1:000000000000:table/*"],
}
#: a large file whose multipart copy fails, and one that is overwritten before it is read: its version is looked for and read
UNSEEN: Final = {"s3:AbortMultipartUpload", "s3:GetObjectVersion", "s3:ListBucketVersions"}


def table() -> Iterator[tuple[str, str, list[str]]]:
    """Yield who needs which actions on which resources."""
    section = (ROOT / "docs" / "aws.md").read_text().split("\n**People** need", 1)[1].split("\n## ", 1)[0]
    who = ""
    for named, on, actions in re.findall(r"^\| (.*?) ?\| (.*?) \| (`.*`) \|$", section, re.MULTILINE):
        who = named.split(" ")[0] or who
        yield who, on, re.findall(r"`([^`]+)`", actions)


class People:
    """Users of the account: each may do what the page grants to them and to those before them."""

    def __init__(self, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
        self._aws, self._monkeypatch = aws, monkeypatch
        self._keys: dict[str, dict[str, str]] = {}
        #: what the page grants to each in addition to those before
        self.granted: dict[str, set[str]] = {}
        statements: list[dict[str, Any]] = []
        iam = aws.client("iam")
        for who, each in groupby(table(), lambda row: row[0]):
            rows = list(each)
            statements += [{"Effect": "Allow", "Action": actions, "Resource": RESOURCES[on]} for _, on, actions in rows]
            policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
            iam.create_user(UserName=who)
            iam.put_user_policy(UserName=who, PolicyName="takings", PolicyDocument=policy)
            self._keys[who] = iam.create_access_key(UserName=who)["AccessKey"]
            self.granted[who] = {action for _, _, actions in rows for action in actions}
        aws.hold_to_roles()

    def act_as(self, who: str) -> None:
        """Let commands run with one user's credentials."""
        self._monkeypatch.setenv("AWS_ACCESS_KEY_ID", self._keys[who]["AccessKeyId"])
        self._monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", self._keys[who]["SecretAccessKey"])

    def used(self, who: str) -> set[str]:
        """Return the actions that one of them has used; all were allowed."""
        calls = [call for call in self._aws.calls() if call["role"] == who]
        assert [call for call in calls if not call["allowed"]] == []
        return {call["action"] for call in calls}


def test_people_need_what_the_page_says(pipe: Aws, takings: Takings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading needs least; running or setting up needs more."""

    def done(*arguments: str) -> str:
        ended = takings(*arguments)
        assert ended.code == 0, ended.err
        return ended.out

    def drop(**files: bytes) -> None:
        for folder, content in files.items():
            pipe.client("s3").put_object(Bucket="shop", Key=f"raw-data/{folder}/a.csv", Body=content)

    people = People(pipe, monkeypatch)
    people.act_as("set")
    done("aws", "bootstrap", STORE, "--only-store")
    done("aws", "bootstrap", STORE, "--only-store")
    people.act_as("work")
    drop(products=PRODUCTS, orders=ORDERS, order_items=ITEMS)
    done("run", STORE, "--now")
    drop(orders=ORDERS.replace(b"2025-03-30", b"2025-04-02"))
    done("run", STORE, "--now")
    done("replay", STORE, "--file", "raw-data/orders/a.csv")
    done("restate", STORE)
    done("maintain", STORE)
    people.act_as("look")
    done("status", STORE)
    done("kpis", STORE, "--by", "day", "--from", "2025-03-30", "--to", "2025-04-02")
    done("batches", STORE)
    done("explain", STORE, "2025-03-31")
    done("verify", STORE)
    idle = {who: granted - people.used(who) for who, granted in people.granted.items()}
    assert idle == {"look": set(), "work": UNSEEN, "set": set()}
