"""Compare a file's header with its dataset's contract, and find the names that resemble a missing one. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from takings.contracts.model import Contract
from takings.validation.structure.values import FileFault

#: names as similar as 'user_id' and 'usr_id', ignoring case and signs
_ALIKE: Final = 0.8
_LONGEST_NAME: Final = 60
_SIGNS: Final = {
    " ": "a space",
    "\t": "a tab",
    "\u00a0": "a no-break space",
    "\u00ad": "a soft hyphen",
    "\u200b": "a zero-width space",
    "\u200c": "a zero-width non-joiner",
    "\u200d": "a zero-width joiner",
    "\u2060": "a word joiner",
    "\ufeff": "a byte order mark",
}


@dataclass(frozen=True, kw_only=True)
class Flaw:
    """One thing that is wrong with the header of a dataset."""

    #: e.g. `user_id|missing`
    rule: str
    #: physical line, from 1, if there is one to look at
    line: int | None
    #: what is there, as a sentence without its full stop
    what: str
    #: what to do about it, as an imperative phrase
    remedy: str


def fault_of(flaws: Sequence[Flaw], *, last_step: str = "drop the file again") -> FileFault:
    """Combine all flaws into one fault; the first gives rule and line."""
    steps = ", ".join(flaw.remedy for flaw in flaws if flaw.remedy)
    todo = f"{steps} and {last_step}" if steps else last_step
    return FileFault(
        rule=flaws[0].rule,
        line=flaws[0].line,
        reason=f"{'; '.join(flaw.what for flaw in flaws)}. {todo[0].upper()}{todo[1:]}; it will be a new arrival.",
    )


def check_header(contract: Contract, header: Collection[str]) -> FileFault | None:
    """Return what is wrong with the header: the mandatory columns that it lacks. Names are matched exactly."""
    flaw = missing_names(contract, header, line=1)
    return None if flaw is None else fault_of([flaw])


def missing_names(contract: Contract, header: Collection[str], *, line: int) -> Flaw | None:
    """Return which mandatory columns a header lacks, and what is in their place; None if it has them all."""
    missing = [column.name for column in contract.columns if column.is_mandatory and column.name not in header]
    if not missing:
        return None
    strange = [name for name in header if name not in {column.name for column in contract.columns}]
    nearest = {name: found for name in missing if (found := _nearest(name, strange)) is not None}
    absent = [name for name in missing if name not in nearest]
    whats, remedies = [], []
    if absent:
        whats.append("lacks " + ", ".join(f"'{name}'" for name in absent))
        remedies.append(f"add {'the column' if len(absent) == 1 else 'these columns'}")
    if nearest:
        says = [f"{_described(found)} where '{name}' is expected" for name, found in nearest.items()]
        whats.append(f"says {', '.join(says)}: names are matched exactly")
        remedies.append(f"rename {'the other' if absent else 'the column' if len(says) == 1 else 'these columns'}")
    return Flaw(
        rule=f"{(absent or missing)[0]}|missing",
        line=line,
        what=f"the header {' and '.join(whats)}",
        remedy=", ".join(remedies),
    )


def simplified(name: str) -> str:
    """Return a name in lower case, without blanks, signs and invisible characters: as people read it."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", name).casefold()))


def _nearest(name: str, others: Sequence[str]) -> str | None:
    """Return the name that reads the same, or nearly the same, if there is one."""
    read = {simplified(other): other for other in reversed(others) if simplified(other)}
    if (same := read.get(simplified(name))) is not None:
        return same
    alike = get_close_matches(simplified(name), read, n=1, cutoff=_ALIKE)
    return read[alike[0]] if alike else None


def _described(found: str) -> str:
    """Quote a name, and mention its invisible characters."""
    seen = found.strip("".join(filter(_is_invisible, found)))
    before, _, behind = found.partition(seen) if seen else (found, "", "")
    unseen = [f"{_named(part)} {where} it" for part, where in ((before, "before"), (behind, "behind")) if part]
    if inside := "".join(sign for sign in seen if _is_invisible(sign) and sign != " "):
        unseen.append(f"{_named(inside)} in it")
    return f"'{_shown(found)}'" + (f" (with {' and '.join(unseen)})" if unseen else "")


def _shown(name: str) -> str:
    """Return a name, shortened, with its invisible characters spelt out, except plain spaces."""
    visible = "".join(
        f"<U+{ord(sign):04X}>" if _is_invisible(sign) and sign != " " else sign for sign in name[:_LONGEST_NAME]
    )
    return visible if len(name) <= _LONGEST_NAME else f"{visible}…"


def _is_invisible(sign: str) -> bool:
    return unicodedata.category(sign)[0] in "CZ"


def _named(signs: str) -> str:
    """Return the name of one or more invisible characters."""
    name = _SIGNS.get(signs[0], f"the character U+{ord(signs[0]):04X}")
    return name if len(signs) == 1 else f"{name} and {len(signs) - 1} more invisible characters"
