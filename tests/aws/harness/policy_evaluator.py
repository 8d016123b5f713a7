"""Evaluate a call as IAM does: a second opinion next to MiniStack's, limited to what the pipeline's policies use.

From https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html the part for one account and one
identity: an explicit Deny wins, otherwise one Allow is enough, otherwise the answer is no. Anything unknown is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call to AWS."""

    action: str
    resource: str
    #: the call's condition keys
    conditions: Mapping[str, str] = field(default_factory=dict)


def allows(policy: Mapping[str, Any], call: Call) -> bool:
    """Return whether an identity with this policy may make the call."""
    effects = {statement["Effect"] for statement in policy["Statement"] if _applies(statement, call)}
    return "Allow" in effects and "Deny" not in effects


def _applies(statement: Mapping[str, Any], call: Call) -> bool:
    unknown = statement.keys() - {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
    if unknown:
        raise NotImplementedError(f"statements with {sorted(unknown)}")
    return (
        # Action names ignore case, ARNs do not.
        any(_is_like(call.action.lower(), action.lower()) for action in _each(statement["Action"]))
        and any(_is_like(call.resource, resource) for resource in _each(statement.get("Resource", "*")))
        and all(
            _holds(operator, call.conditions.get(key), list(_each(wanted)))
            for operator, conditions in statement.get("Condition", {}).items()
            for key, wanted in conditions.items()
        )
    )


def _holds(operator: str, found: str | None, wanted: list[str]) -> bool:
    """Return whether one of the wanted values matches; for a key that the call lacks, only `Null` can match."""
    if operator == "Null":
        return (found is None) == (wanted == ["true"])
    if operator not in _OPERATORS:
        raise NotImplementedError(f"the condition {operator}")
    return found is not None and any(_OPERATORS[operator](found, value) for value in wanted)


def _is_like(value: str, pattern: str) -> bool:
    return _expression(pattern).fullmatch(value) is not None


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(each, re.escape(each)) for each in pattern), re.DOTALL)


def _is_like_arn(value: str, pattern: str) -> bool:
    """Compare ARNs part by part: a * in one of the first five parts does not extend into the next."""
    values, patterns = value.split(":", 5), pattern.split(":", 5)
    return len(values) == len(patterns) and all(map(_is_like, values, patterns))


_OPERATORS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "StringEquals": str.__eq__,
    "StringLike": _is_like,
    "ArnEquals": _is_like_arn,
    "ArnLike": _is_like_arn,
}


def _each(value: str | Iterable[str]) -> Iterable[str]:
    return (value,) if isinstance(value, str) else value
