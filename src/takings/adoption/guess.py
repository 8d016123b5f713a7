"""Guess which file is which dataset, and which column is which: from names, values and references between files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import permutations
from typing import Final

from takings.adoption.forms import IDENTIFIER, INTEGER, MONEY, TIMES
from takings.adoption.looks import ColumnLook, Containments, FileLook
from takings.adoption.words import LINES, NAMES, SHARES, fit, has_word, stored_status
from takings.contracts.model import Dataset
from takings.validation.header import simplified

#: so much of a foreign key's values must be found, because exports of different days differ
_CONTAINED: Final = 0.5
#: columns whose words alone decide, because their values look like many others
_BY_NAME_ONLY: Final = frozenset(
    {
        "name",
        "brand",
        "cost",
        "retail_price",
        "department",
        "num_of_item",
        "quantity",
        "discount",
        "refund",
        "returned_at",
    }
)
#: a column with more different values is neither a status nor a category
_MOST_STATUSES, _MOST_CATEGORIES = 20, 2_000
#: what a foreign key that holds, and a key that is unique, count in addition to names
_REFERS, _IS_KEY = 150, 20


@dataclass(frozen=True, kw_only=True)
class Matched:
    """One column of a contract, and the column of the files that it is read from."""

    #: its place in the file's header
    place: int
    #: why it was chosen, as a phrase
    because: str


@dataclass(frozen=True, kw_only=True)
class Guess:
    """What the files of one dataset are."""

    dataset: Dataset
    file: FileLook
    #: contract's column -> the file's
    columns: Mapping[str, Matched] = field(default_factory=dict)

    def look(self, column: str) -> ColumnLook | None:
        """Return the file's column of a contract's column; None if it has none."""
        matched = self.columns.get(column)
        return None if matched is None else self.file.columns[matched.place]


def guess(files: Sequence[FileLook], contained: Containments) -> Mapping[Dataset, Guess]:
    """Return the best guess for every dataset that some file may be of; files beyond three are left out."""
    best: tuple[int, dict[Dataset, Guess]] = (-1, {})
    datasets = list(Dataset)
    for order in permutations(range(len(files)), min(len(files), len(datasets))):
        for chosen in permutations(datasets, len(order)):
            assigned = dict(zip(chosen, order, strict=True))
            score, guesses = _assigned(assigned, files, contained)
            if score > best[0]:
                best = (score, guesses)
    return best[1]


def _assigned(
    assigned: Mapping[Dataset, int], files: Sequence[FileLook], contained: Containments
) -> tuple[int, dict[Dataset, Guess]]:
    """Match columns where each dataset is in this file; return how well all of it fits."""
    keys = _references(assigned, files, contained)
    score, guesses = 0, {}
    for dataset, at in assigned.items():
        known = {column: place for (owner, column), place in keys.items() if owner is dataset}
        points, columns = _match(dataset, files[at], known)
        score += points
        guesses[dataset] = Guess(dataset=dataset, file=files[at], columns=columns)
    return score + _REFERS * len([1 for owner, _ in keys if owner is Dataset.ORDER_ITEMS]), guesses


def _references(
    assigned: Mapping[Dataset, int], files: Sequence[FileLook], contained: Containments
) -> dict[tuple[Dataset, str], int]:
    """Return the keys and foreign keys that values show: columns of items whose values are another file's unique ones."""
    found: dict[tuple[Dataset, str], int] = {}
    items = assigned.get(Dataset.ORDER_ITEMS)
    for parent, key, column in ((Dataset.ORDERS, "order_id", "order_id"), (Dataset.PRODUCTS, "id", "product_id")):
        other = assigned.get(parent)
        if items is None or other is None:
            continue
        pairs = [
            (
                share * 100
                + fit(Dataset.ORDER_ITEMS, column, files[items].columns[place].header)
                + fit(parent, key, files[other].columns[target].header),
                place,
                target,
            )
            for (file, place, of, target), share in contained.items()
            if (file, of) == (items, other) and share >= _CONTAINED and files[other].is_unique(target)
        ]
        if pairs:
            _, place, target = max(pairs)
            if place not in found.values() or (Dataset.ORDER_ITEMS, "order_id") not in found:
                found[Dataset.ORDER_ITEMS, column] = place
                found[parent, key] = target
    return found


def _match(dataset: Dataset, file: FileLook, known: Mapping[str, int]) -> tuple[int, dict[str, Matched]]:
    """Match the columns of a contract with a file's, the surest first; each of the file's is used once."""
    matched = {
        column: Matched(
            place=place,
            because="its values are those of a key" if dataset is Dataset.ORDER_ITEMS else "items refer to it",
        )
        for column, place in known.items()
    }
    points = _IS_KEY * len(matched)
    candidates = sorted(
        (-_points(dataset, column, file, place), list(NAMES[dataset]).index(column), place, column)
        for column in NAMES[dataset]
        if column not in matched
        for place in range(len(file.columns))
    )
    for negative, _, place, column in candidates:
        taken = {each.place for each in matched.values()}
        if negative < 0 and column not in matched and place not in taken:
            by_name = fit(dataset, column, file.columns[place].header) > 0
            matched[column] = Matched(place=place, because="its name" if by_name else "its values")
            points -= negative
    return points, matched


def _points(dataset: Dataset, column: str, file: FileLook, place: int) -> int:
    """Return how well a column of a file suits a contract's column: 0 where its values forbid it."""
    look = file.columns[place]
    by_name = fit(dataset, column, look.header)
    if (dataset, column) == (Dataset.ORDERS, "order_id") and not file.is_unique(place):
        return 0
    if not _SUITS.get(column, _anything)(file, place) or (column in _BY_NAME_ONLY and not by_name):
        return 0
    by_values = _VALUES.get(column, _nothing)(look)
    return by_name + by_values


def _anything(_: FileLook, __: int) -> bool:
    return True


def _nothing(_: ColumnLook) -> int:
    return 0


def is_time(look: ColumnLook) -> bool:
    """Return whether every value is a date or time of one form."""
    return any(look.is_all(form.name) for form in TIMES)


def is_money(look: ColumnLook) -> bool:
    """Return whether every value is an amount of one form."""
    return money_form(look) is not None


def is_discount(look: ColumnLook) -> bool:
    """Return whether a column may be an amount taken off: no share of the price, no percentage, nothing below zero."""
    if not look.filled:
        return not is_no_amount(look)
    is_negative = any(value.startswith("-") for value in look.values)
    return is_money(look) and not (is_share(look) or is_no_amount(look) or is_negative)


def is_no_amount(look: ColumnLook) -> bool:
    """Return whether a header says that a number is a share or a percentage."""
    return "%" in look.header or has_word(look.header, SHARES)


def is_share(look: ColumnLook) -> bool:
    """Return whether every value is between 0 and 1, and some is neither."""
    if not look.values or not look.is_all(MONEY[0].name):
        return False
    values = [Decimal(value) for value in look.values]
    return all(0 <= value <= 1 for value in values) and any(0 < value < 1 for value in values)


def money_form(look: ColumnLook) -> tuple[str | None, str, str | None] | None:
    """Return currency, decimal sign and thousands sign of a column's amounts; None if they have no common form."""
    for form in look.forms:
        currency, _, rest = form.rpartition("money ")
        if look.is_all(form) and rest in {money.name.removeprefix("money ") for money in MONEY} and "money" in form:
            return currency.strip() or None, rest[0], rest[1:] or None
    return _mixed_money(look)


def _mixed_money(look: ColumnLook) -> tuple[str | None, str, str | None] | None:
    """Return the form of amounts if only the large ones have a thousands sign."""
    for currency in sorted({form.rpartition("money ")[0].strip() for form in look.forms if "money " in form}):
        for money in MONEY:
            if money.thousands is None:
                continue
            prefix = f"{currency} " if currency else ""
            plain = f"{prefix}money {money.decimal}"
            grouped = f"{prefix}{money.name}"
            if look.filled and look.forms.get(plain, 0) + look.forms.get(grouped, 0) == look.compared:
                return currency or None, money.decimal, money.thousands
    return None


def _is_filled(file: FileLook, place: int) -> bool:
    return file.columns[place].filled == file.sound


_SUITS: Final[Mapping[str, Callable[[FileLook, int], bool]]] = {
    "id": lambda file, place: file.is_unique(place),
    "order_id": _is_filled,
    "product_id": _is_filled,
    "created_at": lambda file, place: is_time(file.columns[place]) and _is_filled(file, place),
    "returned_at": lambda file, place: is_time(file.columns[place]) or not file.columns[place].filled,
    "sale_price": lambda file, place: is_money(file.columns[place]),
    "cost": lambda file, place: is_money(file.columns[place]),
    "retail_price": lambda file, place: is_money(file.columns[place]),
    "quantity": lambda file, place: file.columns[place].is_all(IDENTIFIER),
    "num_of_item": lambda file, place: file.columns[place].is_all(IDENTIFIER, INTEGER),
    "discount": lambda file, place: is_discount(file.columns[place]),
    "refund": lambda file, place: is_discount(file.columns[place]),
    "status": lambda file, place: 0 < file.columns[place].distinct <= _MOST_STATUSES,
    "category": lambda file, place: 0 < file.columns[place].distinct <= _MOST_CATEGORIES,
}


def _looks_like_statuses(look: ColumnLook) -> int:
    known = sum(stored_status(value) is not None for value in look.values)
    return 60 * known // len(look.values) if look.values and known * 2 >= len(look.values) else 0


def _looks_like_prices(look: ColumnLook) -> int:
    return 10 if is_money(look) and not look.is_all(IDENTIFIER) else 0


def _looks_like_categories(look: ColumnLook) -> int:
    is_text = not (is_money(look) or is_time(look))
    return 8 if is_text and 1 < look.distinct <= max(2, look.filled // 2) else 0


#: how much the values of a column speak for it, whatever its name
_VALUES: Final[Mapping[str, Callable[[ColumnLook], int]]] = {
    "status": _looks_like_statuses,
    "created_at": lambda look: 10 if is_time(look) else 0,
    "sale_price": _looks_like_prices,
    "category": _looks_like_categories,
    "id": lambda _: 5,
    "user_id": lambda look: 3 if look.is_all(IDENTIFIER) else 0,
}


def line_pair(file: FileLook, order: int) -> int | None:
    """Return the column that, together with the order's number, is different in every record; a line number if there is one."""
    partners = [second if first == order else first for first, second in file.unique_pairs if order in (first, second)]
    numbers = [place for place in partners if simplified(file.columns[place].header) in LINES]
    whole = [place for place in partners if file.columns[place].is_all(IDENTIFIER)]
    return next(_each(numbers, whole, partners), None)


def _each(*lists: Sequence[int]) -> Iterator[int]:
    for each in lists:
        yield from each
