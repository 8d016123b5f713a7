"""Say what IAM says of a call: a second opinion beside MiniStack's, which knows only what the pipeline's policies use.

Of https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html the part for one account and one
identity: an explicit Deny wins, else one Allow is enough, else the answer is no. What is not known here is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final


@dataclass(frozen=True, kw_only=True)
class Call:
    """What somebody asks AWS for."""

    action: str
    resource: str
    #: the condition keys that the call has
    conditions: Mapping[str, str] = field(default_factory=dict)


def allows(policy: Mapping[str, Any], call: Call) -> bool:
    """Return whether an identity with this policy may do it."""
    effects = {statement["Effect"] for statement in policy["Statement"] if _applies(statement, call)}
    return "Allow" in effects and "Deny" not in effects


def _applies(statement: Mapping[str, Any], call: Call) -> bool:
    unknown = statement.keys() - {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
    if unknown:
        raise NotImplementedError(f"statements with {sorted(unknown)}")
    return (
        # Names of actions are the same in any case, ARNs are not.
        any(_is_like(call.action.lower(), action.lower()) for action in _each(statement["Action"]))
        and any(_is_like(call.resource, resource) for resource in _each(statement.get("Resource", "*")))
        and all(
            _holds(operator, call.conditions.get(key), list(_each(wanted)))
            for operator, conditions in statement.get("Condition", {}).items()
            for key, wanted in conditions.items()
        )
    )


def _holds(operator: str, found: str | None, wanted: list[str]) -> bool:
    """Return whether one of the wanted values is met; of a key that the call does not have only `Null` says anything."""
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
    """Compare ARNs part by part: a * of the first five parts does not reach into the next one."""
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
