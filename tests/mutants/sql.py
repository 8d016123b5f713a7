"""Change SQL in one place: another comparison, a condition less, another join, another aggregate, a sort key less.

The text is changed, not parsed: the files are templates ($key, $columns), and whatever else stands in them stays as it is.
A mutant that is no SQL any more fails its first test.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.mutants.change import Change


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One change of one file."""

    #: the changed lines, as they were and as they are now
    before: str
    after: str
    #: the whole file
    text: str


@dataclass(frozen=True, kw_only=True)
class Token:
    """A word, sign or literal, with its place and how many parentheses it stands in."""

    text: str
    start: int
    end: int
    depth: int


_TOKEN: Final = re.compile(r"--[^\n]*|'[^']*'|\d+|\$?\{?\w[\w.$]*\}?|<=|>=|<>|[-+*/=<>(),;]")
#: what ends a condition; of these, `and` and `or` begin the next one
_AFTER_A_CONDITION: Final = frozenset(
    [
        "and",
        "or",
        "where",
        "group",
        "order",
        "union",
        "then",
        "else",
        "end",
        "left",
        "join",
        "anti",
        "semi",
        "inner",
        "limit",
        "having",
        "window",
        ";",
    ]
)
#: words that become others; a word may be the first of several
_WORDS: Final = {
    "<": ("<=",),
    "<=": ("<", ">"),
    ">": (">=",),
    ">=": (">", "<"),
    "=": ("<>",),
    "<>": ("=",),
    "+": ("-",),
    "-": ("+",),
    "and": ("or",),
    "or": ("and",),
    "left join": ("join",),
    "anti join": ("semi join",),
    "join": ("left join",),
    "union all": ("union",),
    "union": ("union all",),
    "min": ("max",),
    "max": ("min",),
    "sum": ("max",),
    "max_by": ("min_by",),
    "distinct": ("",),
    "is null": ("is not null",),
    "is not null": ("is null",),
    "is distinct from": ("is not distinct from",),
    "is not distinct from": ("is distinct from",),
    "not exists": ("exists",),
    "exists": ("not exists",),
    "in": ("not in",),
    "not in": ("in",),
    "not": ("",),
    "desc": ("",),
}
_LONGEST_FIRST: Final = sorted(_WORDS, key=lambda words: -len(words.split()))


def sql_changes(file: str) -> list[Change]:
    """Return every mutant of an SQL file as a change of it."""
    path = Path(file)
    original = path.read_text(encoding="utf-8")

    def change(mutant: Mutant) -> Change:
        return Change(
            file=file,
            before=mutant.before,
            after=mutant.after,
            function=None,
            make=lambda: path.write_text(mutant.text, encoding="utf-8"),
            undo=lambda: path.write_text(original, encoding="utf-8"),
        )

    return [change(mutant) for mutant in mutants(original)]


def mutants(text: str) -> list[Mutant]:
    """Return every mutant of an SQL file, in the order of their places."""
    tokens = [token for token in _tokens(text) if not token.text.startswith("--")]
    edits = sorted({*_words(tokens), *_literals(tokens), *_conditions(tokens), *_lists(tokens), *_tuples(text, tokens)})
    made = []
    for start, end, new in edits:
        changed = text[:start] + new + text[end:]
        first, last = text.rfind("\n", 0, start) + 1, text.find("\n", end)
        last = len(text) if last < 0 else last
        before, after = text[first:last], changed[first : last + len(changed) - len(text)]
        made.append(Mutant(before=" ".join(before.split()), after=" ".join(after.split()), text=changed))
    return made


Edit = tuple[int, int, str]


def _tokens(text: str) -> Iterator[Token]:
    depth = 0
    for found in _TOKEN.finditer(text):
        depth -= found[0] == ")"
        yield Token(text=found[0], start=found.start(), end=found.end(), depth=depth)
        depth += found[0] == "("


def _words(tokens: Sequence[Token]) -> Iterator[Edit]:
    """Yield other comparisons, joins, aggregates and set operations."""
    place = 0
    while place < len(tokens):
        for words in _LONGEST_FIRST:
            length = len(words.split())
            here = tokens[place : place + length]
            if " ".join(token.text for token in here) == words and not _is_left_alone(tokens, place, words):
                yield from ((here[0].start, here[-1].end, new) for new in _WORDS[words])
                place += length - 1
                break
        place += 1


def _is_left_alone(tokens: Sequence[Token], place: int, words: str) -> bool:
    """Return whether a word is part of something that another edit changes, or means something else here."""
    before = tokens[place - 1].text if place else ""
    after = tokens[place + len(words.split())].text if place + len(words.split()) < len(tokens) else ""
    if words in {"min", "max", "sum"}:
        return after != "("
    return words == "join" and before in {"cross", "inner", "semi", "full"}


def _literals(tokens: Sequence[Token]) -> Iterator[Edit]:
    """Yield other numbers and texts; the digits of a type stay."""
    in_type = False
    for before, token in zip([None, *tokens], tokens, strict=False):
        in_type = (token.text == "(" and before is not None and before.text == "decimal") or (
            in_type and token.text != ")"
        )
        if token.text.isdigit() and not in_type:
            yield token.start, token.end, str(int(token.text) + 1)
        elif token.text.startswith("'") and "$" not in token.text:
            yield token.start, token.end, f"'another {token.text[1:]}"


def _conditions(tokens: Sequence[Token]) -> Iterator[Edit]:
    """Yield one condition less: what follows where, on, and, or."""
    for place, token in enumerate(tokens):
        if token.text not in {"where", "on", "and", "or"}:
            continue
        end = next(
            (
                later
                for later in range(place + 1, len(tokens))
                if tokens[later].depth < token.depth
                or (tokens[later].depth == token.depth and tokens[later].text in _AFTER_A_CONDITION)
            ),
            len(tokens),
        )
        follows = tokens[end].text if end < len(tokens) and tokens[end].depth == token.depth else ""
        neutral = "false" if "or" in {token.text, follows} and "and" not in {token.text, follows} else "true"
        if end > place + 1:
            yield tokens[place + 1].start, tokens[end - 1].end, neutral


def _lists(tokens: Sequence[Token]) -> Iterator[Edit]:
    """Yield one sort key less, and no replacement for a missing value."""
    for place, token in enumerate(tokens[:-1]):
        after = tokens[place + 1]
        if (token.text, after.text) == ("order", "by"):
            keys = list(_elements(tokens, place + 2, after.depth))
            yield from _one_less(keys) if len(keys) > 1 else ()
        elif (token.text, after.text) == ("coalesce", "("):
            elements = list(_elements(tokens, place + 2, after.depth + 1))
            yield elements[0][1], elements[-1][1], ""


def _elements(tokens: Sequence[Token], place: int, depth: int) -> Iterator[tuple[int, int]]:
    """Yield start and end of each element of a list that begins at a token."""
    start = tokens[place].start
    for token, last in zip(tokens[place:], [None, *tokens[place:]], strict=False):
        is_over = token.depth < depth or (
            token.depth == depth and token.text in {"limit", "rows", "range", *_AFTER_A_CONDITION}
        )
        if last is not None and (is_over or (token.text == "," and token.depth == depth)):
            yield start, last.end
            start = token.end
        if is_over:
            return
    yield start, tokens[-1].end


def _one_less(elements: Sequence[tuple[int, int]]) -> Iterator[Edit]:
    for number, (start, end) in enumerate(elements):
        yield (start, elements[1][0], "") if number == 0 else (elements[number - 1][1], end, "")


def _tuples(text: str, tokens: Sequence[Token]) -> Iterator[Edit]:
    """Yield comparisons of one element less: `(a, b) < (c, d)`."""
    for place, token in enumerate(tokens):
        if token.text not in {"<", "<=", ">", ">="} or tokens[place - 1].text != ")" or tokens[place + 1].text != "(":
            continue
        opens = max(at for at in range(place) if tokens[at].text == "(" and tokens[at].depth == token.depth)
        left = list(_elements(tokens, opens + 1, token.depth + 1))
        right = list(_elements(tokens, place + 2, token.depth + 1))
        for gone in range(len(left) if len(left) > 1 else 0):
            sides = [
                ", ".join(text[start:end] for number, (start, end) in enumerate(side) if number != gone)
                for side in (left, right)
            ]
            yield tokens[opens].start, right[-1][1] + 1, f"({sides[0]}) {token.text} ({sides[1]})"
