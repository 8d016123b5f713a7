r"""Accept only regular expressions that mean the same to every engine.

DuckDB reads RE2 syntax, pandas reads Python's. They differ in look-around, back references, possessive repeats, `\s`,
Unicode classes and limits, so a pattern may use only what both share.
"""

from __future__ import annotations

import re

LONGEST = 256
MOST_REPEATS = 1000

_TOKEN = re.compile(
    r"""
      (?P<escape>\\(?:[dDwWtnrf]|x[0-9a-fA-F]{2}|[!-/:-@\[-`{-~]))
    | (?P<set>\[\^?(?:\\(?:[dDwWtnrf]|x[0-9a-fA-F]{2}|[!-/:-@\[-`{-~])|[^\\\[\]&~|])+\])
    | (?P<repeat>\{[0-9]{1,4}(?:,[0-9]{0,4})?\})
    | (?P<open>\((?:\?:)?)(?!\?)
    | (?P<close>\))
    | (?P<wide>[*+?])
    | (?P<anchor>\A\^|\$\Z)
    | (?P<plain>[^\\\[\]{}()*+?^$])
    """,
    re.VERBOSE | re.DOTALL,
)


def pattern_fault(pattern: str) -> str | None:
    """Return what makes a pattern unusable; None if every engine can use it."""
    if len(pattern) > LONGEST:
        return f"it is longer than {LONGEST} characters"
    fault = _unshared_syntax(pattern)
    if fault:
        return fault
    try:
        re.compile(pattern, re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        return f"it is not a regular expression ({error})"
    return None


def _unshared_syntax(pattern: str) -> str | None:
    """Return the first thing that RE2 and Python read differently."""
    position, previous, holds_repeat, closed_holds_repeat = 0, "", [False], False
    while position < len(pattern):
        token = _TOKEN.match(pattern, position)
        if token is None or "--" in token[0]:
            return f"'{pattern[position : position + 3]}' at character {position + 1} is not understood by every engine"
        kind = token.lastgroup or ""
        if kind == "open":
            holds_repeat.append(False)
        elif kind == "close" and len(holds_repeat) > 1:
            closed_holds_repeat = holds_repeat.pop()
            holds_repeat[-1] |= closed_holds_repeat
        elif kind == "repeat":
            if max(int(count) for count in re.findall("[0-9]+", token[0])) > MOST_REPEATS:
                return f"'{token[0]}' repeats more than {MOST_REPEATS} times"
            if previous == "close" and closed_holds_repeat:
                return f"'{token[0]}' repeats a group that itself contains such a repeat"
            holds_repeat[-1] = True
        elif token[0] == "+" and previous in ("repeat", "wide"):
            return f"'+' at character {position + 1} makes a possessive repeat"
        position, previous = token.end(), kind
    return None
