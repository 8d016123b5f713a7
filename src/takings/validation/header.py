"""Compare a file's header with its dataset's contract, and find the names that resemble a missing one. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from takings.contracts.model import Contract
from takings.validation.mended import is_mended
from takings.validation.naming import expected_names, resolve_name, same_names, two_for_one, used_places
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


def check_header(contract: Contract, header: Sequence[str]) -> FileFault | None:
    """Return what is wrong with the header: a name that stands there twice, or the mandatory columns that it lacks."""
    line = 1 if is_mended(header) else 1 + contract.file.skip_lines
    if twice := same_names(contract, header):
        one, other = twice
        names = f"'{shown_name(one)}' and '{shown_name(other)}'"
        reason = f"the header names {names}, which are the same name in a loose header."
        return FileFault(rule="file|duplicate_header", line=line, reason=reason)
    if ambiguous := two_for_one(contract, header):
        column, one, other = ambiguous
        reason = f"the header names '{one}' and '{other}', and both mean {column}. Remove one of them or rename it."
        return FileFault(rule="file|duplicate_header", line=line, reason=reason)
    flaw = missing_names(contract, header, line=line)
    return None if flaw is None else fault_of([flaw])


def missing_names(contract: Contract, header: Sequence[str], *, line: int) -> Flaw | None:
    """Return which mandatory columns a header lacks, and what is in their place; None if it has them all."""
    missing = {
        names[0]: column
        for names, column in expected_names(contract, mandatory_alone=True).items()
        if resolve_name(contract, names, header) is None
    }
    if not missing:
        return None
    used = used_places(contract, header)
    strange = [name for place, name in enumerate(header) if place not in used]
    nearest = {name: near for name in missing if (near := _nearest(name, strange)) is not None}
    absent = [name for name in missing if name not in nearest]
    whats, remedies = [], []
    if absent:
        whats.append("lacks " + ", ".join(_named_for(name, missing[name]) for name in absent))
        remedies.append(f"add {'the column' if len(absent) == 1 else 'these columns'}")
    if nearest:
        says = [
            f"{_described(near)} where {_named_for(name, missing[name])} is expected" for name, near in nearest.items()
        ]
        how = "only case and the blanks around a name make no difference"
        how = how if contract.file.is_header_loose else "names are matched exactly"
        whats.append(f"says {', '.join(says)}: {how}")
        remedies.append(f"rename {'the other' if absent else 'the column' if len(says) == 1 else 'these columns'}")
    return Flaw(
        rule=f"{missing[(absent or list(missing))[0]]}|missing",
        line=line,
        what=f"the header {' and '.join(whats)}",
        remedy=", ".join(remedies),
    )


def simplified(name: str) -> str:
    """Return a name in lower case, without blanks, signs and invisible characters: as people read it."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", name).casefold()))


def _named_for(name: str, column: str) -> str:
    """Quote a header text, and say which column it is for where that has another name."""
    return f"'{name}'" if name == column else f"'{name}' (for {column})"


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
    before, _, after = found.partition(seen) if seen else (found, "", "")
    unseen = [f"{_named(part)} {where} it" for part, where in ((before, "before"), (after, "after")) if part]
    if inside := "".join(sign for sign in seen if _is_invisible(sign) and sign != " "):
        unseen.append(f"{_named(inside)} in it")
    return f"'{shown_name(found)}'" + (f" (with {' and '.join(unseen)})" if unseen else "")


def shown_name(name: str) -> str:
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
