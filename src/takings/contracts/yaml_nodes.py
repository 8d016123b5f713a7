"""Read a YAML document as nodes that know their line, so that every refusal of a contract can name it.

Nothing is constructed: `yaml.compose` stops at text and structure. Aliases, equal keys, deep nesting and huge files are
refused while composing, so a hostile document costs no more than its own length.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

import yaml

from takings.errors import ContractError

LONGEST = 64 * 1024
DEEPEST = 32

_TEXT, _FLAG, _NULL = (f"tag:yaml.org,2002:{kind}" for kind in ("str", "bool", "null"))
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,18})(\.[0-9]{1,16})?")


def read_document(text: str, source: str) -> Entry:
    """Return the root of a YAML document; raise ContractError with file and line if it is not usable YAML."""
    if len(text) > LONGEST:
        raise ContractError(f"{source}:1: the file is larger than {LONGEST:,} characters. A contract is a page or two.")
    try:
        root = yaml.compose(text, Loader=_StrictLoader)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ContractError(
            f"{source}:{line}: the file holds a character that YAML does not allow. Remove it."
        ) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise ContractError(f"{source}:{line}: not readable as YAML: {error.problem or error.context}.") from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise ContractError(f"{source}:1: not readable as YAML: {error}.") from error
    if root is None:
        raise ContractError(f"{source}:1: the file is empty. Write a contract or remove the file.")
    return Entry(source=source, name="the document", line=root.start_mark.line + 1, node=root)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One value of a document, with its key and the line of that key."""

    source: str
    #: the key, or the name of a list's item
    name: str
    #: counted from 1
    line: int
    node: yaml.Node

    def error(self, problem: str) -> ContractError:
        """Return an error that names this place; `problem` says what is wrong and what to do."""
        return ContractError(f"{self.source}:{self.line}: {problem}")

    def text(self) -> str:
        """Return the value as text, which must not be blank."""
        if not isinstance(self.node, yaml.ScalarNode) or self.node.tag != _TEXT or not self.node.value.strip():
            raise self.error(
                f"'{self.name}' must be text. Write one, in quotes where it looks like a number or a date."
            )
        return str(self.node.value)

    def sign(self) -> str:
        """Return the value as one character, which may be a blank one."""
        written = self._scalar(_TEXT) or ""
        if len(written) != 1:
            raise self.error(f"'{self.name}' must be one character, in quotes.")
        return written

    def flag(self) -> bool:
        """Return the value as a truth value."""
        if self._scalar(_FLAG) not in ("true", "false"):
            raise self.error(f"'{self.name}' must be true or false.")
        return self._scalar(_FLAG) == "true"

    def number(self) -> Decimal:
        """Return the value as the exact decimal number that is written."""
        written = self._scalar(*_NUMBERS) or ""
        if not _NUMBER.fullmatch(written):
            raise self.error(
                f"'{self.name}' must be a number such as 0 or 12.50, with at most 19 digits before the point "
                "and 16 after it."
            )
        plain = written.rstrip("0").rstrip(".") if "." in written else written
        return Decimal("0" if plain == "-0" else plain)

    def whole(self) -> int:
        """Return the value as a whole number."""
        number = self.number()
        if number != number.to_integral_value():
            raise self.error(f"'{self.name}' must be a whole number.")
        return int(number)

    def entries(self, holding: str) -> list[Entry]:
        """Return the items of a list; `holding` names one of them."""
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.error(f"'{self.name}' must be a list. Begin each {holding} with '- '.")
        return [
            Entry(source=self.source, name=holding, line=node.start_mark.line + 1, node=node)
            for node in self.node.value
        ]

    def fields(self, understood: Collection[str], described: Collection[str] = ()) -> dict[str, Entry]:
        """Return the values of the keys that are understood; refuse any other key that is not descriptive."""
        if not isinstance(self.node, yaml.MappingNode):
            raise self.error(f"'{self.name}' must hold 'key: value' lines.")
        fields = {
            str(key.value): Entry(source=self.source, name=str(key.value), line=key.start_mark.line + 1, node=value)
            for key, value in self.node.value
        }
        for name, entry in fields.items():
            if name not in understood and name not in described:
                raise entry.error(f"unknown key '{name}'.{suggestion(name, [*understood, *described])}")
        return {name: entry for name, entry in fields.items() if name in understood}

    def is_scalar(self) -> bool:
        """Return whether the value is neither a list nor holds keys."""
        return isinstance(self.node, yaml.ScalarNode)

    def is_nothing(self) -> bool:
        """Return whether the value was left out."""
        return self.node.tag == _NULL

    def _scalar(self, *tags: str) -> str | None:
        is_one = isinstance(self.node, yaml.ScalarNode) and self.node.tag in tags
        return str(self.node.value) if is_one else None


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return a sentence that offers the nearest known word, or all of them if none is near."""
    choices = sorted(set(known))
    return nearest(word, choices, likeness=0.6) or (f" Known here: {', '.join(choices)}." if choices else "")


def nearest(word: str, known: Sequence[str], *, likeness: float = 0.8) -> str:
    """Return a sentence that offers the nearest known word, or nothing if none is near."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=likeness)
    return f" Did you mean '{close[0]}'?" if close else ""


class _StrictLoader(yaml.SafeLoader):
    """Compose plain documents only."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]  # the stubs leave it untyped
        if self.check_event(yaml.AliasEvent):
            raise _refusal("aliases are not allowed here; write the value out", mark)
        if self._depth >= DEEPEST:
            raise _refusal(f"nested deeper than {DEEPEST} levels", mark)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        if isinstance(node, yaml.MappingNode):
            _check_keys(node)
        return node


def _check_keys(mapping: yaml.MappingNode) -> None:
    """Refuse equal keys: YAML forbids them, and most readers silently keep the last."""
    lines: dict[str, int] = {}
    for key, _ in mapping.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _refusal("a key must be a plain word", key.start_mark)
        if key.value in lines:
            raise _refusal(
                f"the key '{key.value}' is already on line {lines[key.value]}; keep one of them", key.start_mark
            )
        lines[key.value] = key.start_mark.line + 1


def _refusal(problem: str, mark: yaml.Mark) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)
