"""A test's lifetime: nothing started before the last reset may affect the next test's AWS.

Every request, and every thread that MiniStack starts for one, carries the number of the lifetime in which it began.
"""

from __future__ import annotations

from contextvars import ContextVar

_born: ContextVar[int | None] = ContextVar("born", default=None)
_ended = 0


def begin() -> None:
    """Make what follows in this context belong to the current lifetime."""
    _born.set(_ended)


def end() -> None:
    """End the current lifetime; the next one begins."""
    global _ended
    _ended += 1


def is_over() -> bool:
    """Return whether the running code was started before the last reset."""
    born = _born.get()
    return born is not None and born != _ended


def leave_if_over() -> None:
    """End this thread silently if its lifetime is over."""
    if is_over():
        raise SystemExit
