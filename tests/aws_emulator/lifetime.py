"""A test's lifetime: whatever was set going before the last reset must not act on the next test's AWS.

Every request, and every thread that MiniStack starts for one, carries the number of the lifetime it was born in.
"""

from __future__ import annotations

from contextvars import ContextVar

_born: ContextVar[int | None] = ContextVar("born", default=None)
_ended = 0


def begin() -> None:
    """Let what follows in this context belong to the current lifetime."""
    _born.set(_ended)


def end() -> None:
    """End the current lifetime; the next one begins."""
    global _ended
    _ended += 1


def is_over() -> bool:
    """Return whether what runs here was set going before the last reset."""
    born = _born.get()
    return born is not None and born != _ended


def leave_if_over() -> None:
    """End this thread without a word if its lifetime is over."""
    if is_over():
        raise SystemExit
