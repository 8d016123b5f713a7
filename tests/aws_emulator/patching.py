"""Replace functions of MiniStack by name, and refuse to start if one has changed."""

from __future__ import annotations

import inspect
from collections.abc import Callable, MutableMapping
from importlib.metadata import version
from types import ModuleType
from typing import Any

Function = Callable[..., Any]
Change = Callable[[Function], Function]
#: the module or class that holds a function
Owner = ModuleType | type


class PatchPointGone(Exception):
    """MiniStack's internals have changed."""


def patch(module: Owner, name: str, parameters: str, change: Change) -> None:
    """Replace a function of a module with a changed one."""
    original = _existing(module, name)
    _check(f"{module.__name__}.{name}", original, parameters)
    setattr(module, name, change(original))


def patch_entry(module: Owner, table: str, key: str, parameters: str, change: Change) -> None:
    """Replace a function in a module's table with a changed one."""
    entries: MutableMapping[str, Function] = _existing(module, table)
    if key not in entries:
        raise _gone(f"{module.__name__}.{table}[{key!r}]", "it is not there")
    _check(f"{module.__name__}.{table}[{key!r}]", entries[key], parameters)
    entries[key] = change(entries[key])


def put(module: Owner, name: str, value: object) -> None:
    """Replace a value of a module."""
    _existing(module, name)
    setattr(module, name, value)


def put_text(module: Owner, name: str, old: str, new: str) -> None:
    """Replace a part of a text in a module."""
    text = _existing(module, name)
    if not isinstance(text, str) or text.count(old) != 1:
        raise _gone(f"{module.__name__}.{name}", f"it no longer has {old!r} once")
    setattr(module, name, text.replace(old, new))


def needed(module: Owner, *names: str) -> None:
    """Refuse to start if a module lacks what a change calls."""
    for name in names:
        _existing(module, name)


def _existing(module: Owner, name: str) -> Any:
    if not hasattr(module, name):
        raise _gone(f"{module.__name__}.{name}", "it is not there")
    return getattr(module, name)


def _check(place: str, function: Function, parameters: str) -> None:
    found = ", ".join(inspect.signature(function).parameters)
    if found != parameters:
        raise _gone(place, f"it takes ({found}) instead of ({parameters})")


def _gone(place: str, why: str) -> PatchPointGone:
    return PatchPointGone(
        f"MiniStack {version('ministack')}: the patch point {place} is gone: {why}. "
        "Look at what became of it and change tests/aws_emulator accordingly, or pin the version that was known to fit."
    )
