"""How a command ends, as a shell sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


Takings = Callable[..., Ended]


def unwrapped(text: str) -> str:
    """Return a text in one line."""
    return " ".join(text.split())
