"""Describe what is missing on AWS: one step each, which makes or mends it."""

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
#: how services say that they may not take a role, which is also how they say that they do not know it yet
_TOO_EARLY: Final = {
    "InvalidParameterValueException",
    "ValidationException",
    "AccessDeniedException",
    "ClientException",
}
#: how a bucket says that it may not call a function, or does not know yet that it may
_NOT_SEEN_YET: Final = "Unable to validate the following destination configurations"


@dataclass(frozen=True, kw_only=True)
class SetupStep:
    """Something that is missing or differs, and how it is made."""

    what: str
    make: Callable[[], object]


def patiently(make: Callable[[], object], wait: Callable[[float], None] = time.sleep) -> object:
    """Make something that rests on a role or permission as new as a moment; other refusals are raised at once."""
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
