"""The evaluator answers as AWS's documentation says, and refuses to answer what it does not know."""

from __future__ import annotations

from typing import Any

import pytest

from tests.aws.harness.policy_evaluator import Call, allows

KEY = "arn:aws:s3:::shop/raw-data/a.csv"
READ = Call(action="s3:GetObject", resource=KEY)


def statement(**changes: Any) -> dict[str, Any]:
    """Return a statement that allows reading everything below raw-data/, with some changes."""
    return {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::shop/raw-data/*"} | changes


def decided(call: Call, *statements: dict[str, Any]) -> bool:
    return allows({"Version": "2012-10-17", "Statement": list(statements)}, call)


@pytest.mark.parametrize(
    ("call", "changes", "allowed"),
    [
        (READ, {}, True),
        (READ, {"Action": ["s3:PutObject", "S3:getobject"]}, True),
        (READ, {"Action": "s3:Get*"}, True),
        (READ, {"Action": "s3:GetObjec?"}, True),
        (READ, {"Action": "s3:Get"}, False),
        (READ, {"Action": "s3:GetObjectVersion"}, False),
        (READ, {"Resource": "*"}, True),
        (READ, {"Resource": "arn:aws:s3:::shop"}, False),
        (READ, {"Resource": "arn:aws:s3:::shop/*/a.csv"}, True),
        (READ, {"Resource": "arn:aws:s3:::shop/RAW-DATA/*"}, False),
        (READ, {"Resource": "arn:aws:s3:::shop/raw-data/a?csv"}, True),
        (READ, {"Resource": "arn:aws:s3:::shop/raw-data/[a].csv"}, False),
        (Call(action="s3:GetObject", resource="arn:aws:s3:::shop/raw-data/a/b\nc.csv"), {}, True),
        (Call(action="s3:GetObject", resource="arn:aws:s3:::shop/raw-data"), {}, False),
        (READ, {"Condition": {}}, True),
    ],
)
def test_actions_and_resources(call: Call, changes: dict[str, Any], allowed: bool) -> None:
    """A * matches anything, a ? one character; actions ignore case, resources do not."""
    assert decided(call, statement(**changes)) is allowed


@pytest.mark.parametrize(
    ("condition", "conditions", "allowed"),
    [
        ({"StringEquals": {"k": "a*"}}, {"k": "ab"}, False),
        ({"StringEquals": {"k": ["a", "b"]}}, {"k": "b"}, True),
        ({"StringEquals": {"k": "a"}}, {}, False),
        ({"StringLike": {"k": "a/*"}}, {"k": "a/b"}, True),
        ({"StringLike": {"k": "a/*"}}, {"k": "b/a/"}, False),
        ({"ArnLike": {"k": "arn:aws:ecs:*:1:task/*"}}, {"k": "arn:aws:ecs:eu-west-1:1:task/takings/2"}, True),
        ({"ArnEquals": {"k": "arn:aws:ecs:*:task/1"}}, {"k": "arn:aws:ecs:eu-west-1:1:task/1"}, False),
        ({"Null": {"k": "false"}}, {"k": ""}, True),
        ({"Null": {"k": "false"}}, {}, False),
        ({"Null": {"k": "true"}}, {}, True),
        ({"StringEquals": {"k": "a", "l": "b"}}, {"k": "a"}, False),
        ({"StringEquals": {"k": "a"}, "Null": {"l": "true"}}, {"k": "a"}, True),
    ],
)
def test_conditions(condition: dict[str, Any], conditions: dict[str, str], allowed: bool) -> None:
    """All of them must match, each with one of its values; a key that a call lacks matches none."""
    call = Call(action="s3:GetObject", resource=KEY, conditions=conditions)
    assert decided(call, statement(Condition=condition)) is allowed


def test_an_explicit_deny_wins() -> None:
    """Whatever else allows it, in any order; without a statement the answer is no."""
    deny = statement(Effect="Deny", Action="s3:*", Resource="*")
    assert not decided(READ, statement(), deny)
    assert not decided(READ, deny, statement())
    assert decided(READ, statement(), deny | {"Resource": "arn:aws:s3:::shop/processed/*"})
    assert not decided(READ)


@pytest.mark.parametrize(
    "changes", [{"NotAction": "s3:PutObject"}, {"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}]
)
def test_what_it_does_not_know_is_an_error(changes: dict[str, Any]) -> None:
    """No answer is better than a wrong one."""
    with pytest.raises(NotImplementedError):
        decided(READ, statement(**changes))
