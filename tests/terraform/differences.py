"""Compare two descriptions, and explain which differences do not matter, each with its reason."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tests.terraform.description import Description


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One place where two descriptions differ."""

    #: the resource, and the keys that lead to the place
    place: str
    terraform: object
    bootstrap: object

    @property
    def reason(self) -> str | None:
        """Return why it does not matter; None if it does."""
        return next((why for pattern, why in EXPECTED.items() if re.fullmatch(pattern, self.place)), None)

    def __str__(self) -> str:
        """Return it as one line."""
        return f"{self.place}: terraform {self.terraform!r}, bootstrap {self.bootstrap!r}"


#: places that may differ, as regular expressions, and why
EXPECTED: Final = {
    r"queue .* / MaximumMessageSize": "the provider writes down what was SQS's default; a dead letter is smaller",
    r"task definition .* / volumes / 0 / configuredAtLaunch": "the provider writes down what ECS takes for granted",
    r"topic .* / \w+SuccessFeedbackSampleRate": "the provider writes down what SNS takes for granted",
    r"(role|security group|identity provider) .* / Tags": "the example's default_tags also tag what costs nothing",
    r"state machine .* / loggingConfiguration / includeExecutionData": "the provider leaves out what is false",
}
#: what a plan may want to change right after applying, as `address name`, and why
PLANNED_AGAIN: Final[dict[str, str]] = {
    r"module\.takings\.aws_sfn_state_machine\.pipeline tracing_configuration": "the emulator forgets that nothing is traced",
}
#: what the bootstrap's removal leaves, because somebody else may use it
LEFT: Final = r"identity provider .*"
#: what `terraform destroy` leaves, because terraform does not know of it
LEFT_BY_TERRAFORM: Final = r"task definition .*"
#: there is nothing
_NOTHING: Final = "nothing"


def differences(terraform: Description, bootstrap: Description) -> list[Difference]:
    """Return every difference."""
    return [
        each
        for name in sorted({*terraform, *bootstrap})
        for each in _compared(name, terraform.get(name, _NOTHING), bootstrap.get(name, _NOTHING))
    ]


def _compared(place: str, one: object, other: object) -> Iterator[Difference]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}):
            yield from _compared(f"{place} / {key}", one.get(key, _NOTHING), other.get(key, _NOTHING))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from _compared(f"{place} / {number}", left, right)
    elif one != other:
        yield Difference(place=place, terraform=one, bootstrap=other)
