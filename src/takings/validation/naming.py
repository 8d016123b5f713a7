"""Find a contract's columns in the header of a file: the one place that knows which names are the same. Pure.

With an exact header a name is matched as it is written. With a loose one, upper and lower case are the same, in any script
(Unicode's case folding), and blanks before and behind a name do not count (space, tab and the other blanks of an empty
field, and the no-break space); blanks inside it do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from takings.contracts.forms import BLANKS
from takings.contracts.model import Column, Contract, Dataset
from takings.contracts.origins import FieldPart

_AROUND_NAMES: Final = BLANKS + "\u00a0"


def resolve(contract: Contract, header: Iterable[str]) -> Mapping[str, int]:
    """Return the place in the header of each column of the contract that is read from there, in the contract's order."""
    places = _places(contract, header)
    found = {column.name: _place(contract, column.known_as, places) for column in contract.columns if not column.origin}
    return {name: place for name, place in found.items() if place is not None}


def resolve_name(contract: Contract, names: Collection[str], header: Iterable[str]) -> int | None:
    """Return the place in the header of the first of these names that is there; None if none is."""
    return _place(contract, names, _places(contract, header))


def demanded_names(contract: Contract, column: Column) -> Sequence[Sequence[str]]:
    """Return the names that a header must have for a column, each with its alternatives."""
    if column.origin is None:
        return [column.known_as]
    parts = [part.name for part in column.origin.parts if isinstance(part, FieldPart)]
    return [names_of_part(contract, column, name) for name in parts]


def expected_names(contract: Contract, *, mandatory_alone: bool = False) -> Mapping[tuple[str, ...], str]:
    """Return the names that a header may have, alternatives together, each with the first column that needs it."""
    expected: dict[tuple[str, ...], str] = {}
    for column in contract.columns:
        if column.is_mandatory or not mandatory_alone:
            for names in demanded_names(contract, column):
                expected.setdefault(tuple(names), column.name)
    return expected


def names_of_part(contract: Contract, column: Column, name: str) -> Sequence[str]:
    """Return the header texts of a part of a column: another column's own, where the part is that column's name."""
    for other in contract.columns:
        if other.name == name and other.origin is None and other.name != column.name:
            return other.known_as
    return (name,)


def used_places(contract: Contract, header: Sequence[str]) -> set[int]:
    """Return the places in the header that the contract names, be it as columns or as parts of them."""
    places = _places(contract, header)
    wanted = (names for column in contract.columns for names in demanded_names(contract, column))
    return {place for names in wanted if (place := _place(contract, names, places)) is not None}


def same_names(contract: Contract, header: Sequence[str]) -> tuple[str, str] | None:
    """Return the first two different names of the header that are the same by the contract; None if there are none."""
    known: dict[str, str] = {}
    for text in header:
        other = known.setdefault(_matched(contract, text), text)
        if other is not text:
            return other, text
    return None


def two_for_one(contract: Contract, header: Sequence[str]) -> tuple[str, str, str] | None:
    """Return a column for which the header has two names, and these names; None if there is none."""
    places = _places(contract, header)
    for column in contract.columns:
        found = [places[key] for name in column.header_names if (key := _matched(contract, name)) in places]
        if column.origin is None and len(set(found)) > 1:
            one, other = sorted(set(found))[:2]
            return column.name, header[one], header[other]
    return None


def _places(contract: Contract, header: Iterable[str]) -> Mapping[str, int]:
    places: dict[str, int] = {}
    for place, text in enumerate(header):
        places.setdefault(_matched(contract, text), place)
    return places


def _place(contract: Contract, names: Iterable[str], places: Mapping[str, int]) -> int | None:
    return next((places[key] for name in names if (key := _matched(contract, name)) in places), None)


def _matched(contract: Contract, text: str) -> str:
    """Return what is compared of a name."""
    return text.strip(_AROUND_NAMES).casefold() if contract.file.is_header_loose else text


def fullest(contracts: Iterable[Contract], header: Sequence[str]) -> Dataset | None:
    """Return, of datasets that a header fits, the one that needs all that the others need; None if there is none.

    A contract of few columns fits another dataset's header as well: items name their product.
    """
    needed = {contract.dataset: _needed(contract, header) for contract in contracts}
    best = [dataset for dataset, names in needed.items() if all(names >= others for others in needed.values())]
    return best[0] if len(best) == 1 else None


def _needed(contract: Contract, header: Sequence[str]) -> frozenset[str]:
    """Return the names of a header that a contract needs."""
    places = resolve(contract, header)
    return frozenset(header[place] for name, place in places.items() if contract.column(name).is_mandatory)
