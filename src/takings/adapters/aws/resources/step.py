"""Describe what is missing or differs on AWS, each as a step that creates or corrects it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from botocore.exceptions import ClientError

from takings.adapters.aws.faults import code_of

#: a new role is known to the other services after some seconds
_PATIENCE_SECONDS: Final = 60
_PAUSE_SECONDS: Final = 3
#: the errors of services that may not take a role; a role that they do not know yet causes the same errors
_TOO_EARLY: Final = {
    "InvalidParameterValueException",
    "ValidationException",
    "AccessDeniedException",
    "ClientException",
}
#: the error of a bucket that may not call a function, or does not know yet that it may
_NOT_SEEN_YET: Final = "Unable to validate the following destination configurations"


@dataclass(frozen=True, kw_only=True)
class SetupStep:
    """Something that is missing or differs, and how to create or correct it."""

    what: str
    make: Callable[[], object]


def patiently(make: Callable[[], object], wait: Callable[[float], None] = time.sleep) -> object:
    """Create something that needs a new role or permission, with retries; raise other errors at once."""
    tries = _PATIENCE_SECONDS // _PAUSE_SECONDS
    while True:
        try:
            return make()
        except ClientError as refused:
            tries -= 1
            said = str(refused)
            is_too_early = (code_of(refused) in _TOO_EARLY and "role" in said.lower()) or _NOT_SEEN_YET in said
            if tries <= 0 or not is_too_early:
                raise
            wait(_PAUSE_SECONDS)
