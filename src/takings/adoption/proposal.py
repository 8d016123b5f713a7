"""Propose contracts for what was guessed, and say what is missing for the KPIs and what stands in for it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from takings.adoption.columns import Columns, ProposedColumn, largest_parts
from takings.adoption.forms import IDENTIFIER
from takings.adoption.guess import Guess, is_time, line_pair, money_form
from takings.adoption.looks import ColumnLook, FileLook
from takings.adoption.words import STATUSES, TOTALS, fit, has_word, stored_status
from takings.contracts.model import Dataset

#: columns without which there are no KPIs, and no column stands in for another
_NEEDED: Final = {
    Dataset.PRODUCTS: ("id",),
    Dataset.ORDERS: ("order_id", "created_at"),
    Dataset.ORDER_ITEMS: ("order_id", "product_id", "sale_price"),
}
_MONEY: Final = ("sale_price", "cost", "retail_price", "discount", "refund")
_TARGETS: Final = {
    (Dataset.ORDER_ITEMS, "order_id"): "orders.order_id",
    (Dataset.ORDER_ITEMS, "product_id"): "products.id",
}
_NO_CATEGORY: Final = "Uncategorized"


@dataclass(frozen=True, kw_only=True)
class ProposedContract:
    """A proposed contract of one dataset."""

    guess: Guess
    #: the value of takingsFile; empty for the usual format
    file: Mapping[str, Any]
    columns: tuple[ProposedColumn, ...]


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What could be made of the files."""

    contracts: Mapping[Dataset, ProposedContract]
    #: what nothing stands in for, as sentences; with any of it there is nothing to try
    missing: tuple[str, ...]
    #: what stands in for something that the files lack, as sentences
    stand_ins: tuple[str, ...]
    #: what somebody should look at before agreeing, as sentences
    notes: tuple[str, ...] = ()
    #: names of files that are of no dataset
    left_out: tuple[str, ...] = ()


def propose(guesses: Mapping[Dataset, Guess], files: Sequence[FileLook] = ()) -> Proposal:
    """Propose a contract for every dataset, as far as its files were found; `files` are all that were looked at."""
    missing: list[str] = []
    stand_ins: list[str] = []
    notes: list[str] = []
    largest, text_keys = largest_parts(guesses.values()), set(_text_keys(guesses))
    taken = {name for one in guesses.values() for name in one.file.names}
    left_out = tuple(name for file in files for name in file.names if name not in taken)
    contracts = {}
    for dataset in Dataset:
        if dataset not in guesses:
            missing.append(f"no file looks like {dataset.replace('_', ' ')}. Name one as well.")
            continue
        one = guesses[dataset]
        missing += [
            f"{', '.join(one.file.names)} ({dataset.replace('_', ' ')}): no column looks like {column}."
            for column in _NEEDED[dataset]
            if column not in one.columns
        ]
        made = _Made(
            guess=one,
            stand_ins=stand_ins,
            notes=notes,
            made=Columns(guess=one, largest_parts=largest),
            text_keys=text_keys,
        )
        columns = tuple(made.columns())
        contracts[dataset] = ProposedContract(guess=one, file=made.file_format(), columns=columns)
        if dataset is Dataset.ORDER_ITEMS and "id" not in {column.name for column in columns}:
            missing.append(f"{', '.join(one.file.names)} (order items): nothing distinguishes the lines of an order.")
    return Proposal(
        contracts=contracts, missing=tuple(missing), stand_ins=tuple(stand_ins), notes=tuple(notes), left_out=left_out
    )


@dataclass(kw_only=True)
class _Made:
    """The contract of one dataset in the making."""

    guess: Guess
    stand_ins: list[str]
    notes: list[str]
    made: Columns
    #: keys that are text, because a key that refers to them, or that they refer to, is
    text_keys: Collection[tuple[Dataset, str]]

    def columns(self) -> Iterator[ProposedColumn]:
        """Yield what the KPIs need, then what else the files have."""
        match self.guess.dataset:
            case Dataset.PRODUCTS:
                yield from self._products()
            case Dataset.ORDERS:
                yield from self._orders()
            case Dataset.ORDER_ITEMS:
                yield from self._items()
        yield from self.made.others()

    def file_format(self) -> dict[str, Any]:
        """Return takingsFile: what is unusual about the files, and how their amounts are written."""
        seen = self.guess.file.format
        found: dict[str, Any] = {}
        if seen.delimiter != ",":
            found["delimiter"] = seen.delimiter
        if seen.encoding != "utf-8":
            found["encoding"] = seen.encoding
        if seen.skip_lines:
            found["skipLines"] = seen.skip_lines
        amounts = {form for name in _MONEY if (look := self.guess.look(name)) and (form := money_form(look))}
        if any(decimal == "," for _, decimal, _ in amounts):
            found["decimal"] = ","
        if thousands := next((sign for _, _, sign in amounts if sign), None):
            found["thousands"] = thousands
        return found

    def _products(self) -> Iterator[ProposedColumn]:
        yield from self._key("id")
        if "category" in self.guess.columns:
            yield self._category()
        else:
            self.stand_ins.append("products have no category: every product is in the category 'all'.")
            yield ProposedColumn(
                name="category",
                fields={"logicalType": "string", "required": True},
                custom={"takingsDefault": "all"},
                comment="no column looks like a category",
            )
        for name in ("name", "brand", "department"):
            if name in self.guess.columns:
                yield self.made.column(name, "string")
        for name in ("cost", "retail_price"):
            if name in self.guess.columns:
                yield self.made.money(name, required=False)

    def _category(self) -> ProposedColumn:
        look = self.guess.look("category")
        if look is None or look.filled == self.guess.file.sound:
            return self.made.column("category", "string", required=True)
        self.stand_ins.append(f"some products have no category: they are in the category '{_NO_CATEGORY}'.")
        return self.made.column("category", "string", required=True, custom={"takingsDefault": _NO_CATEGORY})

    def _orders(self) -> Iterator[ProposedColumn]:
        yield from self._key("order_id")
        yield from self._customer()
        yield from self._status()
        if "created_at" in self.guess.columns:
            yield self.made.time("created_at", required=True)
        if "num_of_item" in self.guess.columns:
            yield self.made.column("num_of_item", "integer")

    def _items(self) -> Iterator[ProposedColumn]:
        yield from self._line_key()
        for name in ("order_id", "product_id"):
            yield from self._key(name)
        yield from self._status()
        if "sale_price" in self.guess.columns:
            yield self.made.money("sale_price", required=True)
        yield from self._quantity()
        for name in ("discount", "refund"):
            if name in self.guess.columns:
                yield self.made.money(name, required=False, custom={"takingsRole": name})
        for role in ("discount", "refund"):
            for look in self.guess.file.columns:
                if look.filled and fit(Dataset.ORDER_ITEMS, role, look.header) and role not in self.guess.columns:
                    self.stand_ins.append(
                        f"nothing for '{look.header}', which holds no amounts of money above zero: nothing is taken off."
                    )
        yield self._returned_at()

    def _quantity(self) -> Iterator[ProposedColumn]:
        """Yield the pieces of a line, unless its price is that of all of them; say what is counted where there is none."""
        file = self.guess.file
        price = self.guess.columns.get("sale_price")
        if "quantity" in self.guess.columns:
            pieces = file.header[self.guess.columns["quantity"].place]
            if price is None or not has_word(file.header[price.place], TOTALS):
                yield self.made.column("quantity", "integer", custom={"takingsRole": "quantity"})
                return
            self.stand_ins.append(
                f"'{file.header[price.place]}' is taken as the price of the whole line, so '{pieces}' is not multiplied by"
                " it, and every line counts as one piece. If it is the price of one, name that column's role: quantity."
            )
            return
        named = [look.header for look in file.columns if fit(Dataset.ORDER_ITEMS, "quantity", look.header)]
        why = (
            f"'{named[0]}' holds values other than whole numbers from 0 up" if named else "order items have no quantity"
        )
        self.stand_ins.append(f"{why}: every line counts as one piece.")

    def _returned_at(self) -> ProposedColumn:
        look = self.guess.look("returned_at")
        if look is not None and is_time(look):
            return self.made.time("returned_at", required=False)
        if look is not None:
            return self.made.column("returned_at", "timestamp")
        return ProposedColumn(
            name="returned_at", fields={"logicalType": "timestamp"}, comment="no column looks like it"
        )

    def _key(self, name: str) -> Iterator[ProposedColumn]:
        if name not in self.guess.columns:
            return
        look = self.guess.look(name)
        target = _TARGETS.get((self.guess.dataset, name))
        fields: dict[str, Any] = {"required": True}
        if target is None:
            fields |= {"primaryKey": True, "unique": True}
        else:
            fields |= {"relationships": [{"type": "foreignKey", "to": target}]}
        is_number = look is not None and look.is_all(IDENTIFIER) and (self.guess.dataset, name) not in self.text_keys
        yield self.made.column(name, "integer" if is_number else "string", fields=fields)

    def _line_key(self) -> Iterator[ProposedColumn]:
        """Yield the key of an item: a column of its own, or the order's number and another column together."""
        if "id" in self.guess.columns:
            yield from self._own_line_key()
            return
        order = self.guess.columns.get("order_id")
        line = None if order is None else line_pair(self.guess.file, order.place)
        if order is None or line is None:
            return
        header = self.guess.file.header
        self.stand_ins.append(
            f"order items have no number of their own: '{header[order.place]}' and '{header[line]}' together stand in."
        )
        yield ProposedColumn(
            name="id",
            fields={"logicalType": "string", "primaryKey": True, "required": True, "unique": True},
            custom={"takingsFrom": {"concat": [header[order.place], header[line]], "separator": "|"}},
            comment="together these are different in every record",
        )

    def _own_line_key(self) -> Iterator[ProposedColumn]:
        look = self.guess.look("id")
        kind = "integer" if look is not None and look.is_all(IDENTIFIER) else "string"
        yield self.made.column("id", kind, fields={"primaryKey": True, "required": True, "unique": True})

    def _customer(self) -> Iterator[ProposedColumn]:
        look = self.guess.look("user_id")
        if look is not None:
            is_number = look.is_all(IDENTIFIER)
            kept = {"takingsIdentifier": True} if is_number else {}
            default = {} if look.filled == self.guess.file.sound else {"takingsDefault": "0" if is_number else "guest"}
            yield self.made.column(
                "user_id", "integer" if is_number else "string", fields={"required": True}, custom=kept | default
            )
            return
        self.stand_ins.append("orders have no customer: all count as one, so unique_customers means nothing.")
        yield ProposedColumn(
            name="user_id",
            fields={"logicalType": "string", "required": True},
            custom={"takingsDefault": "unknown"},
            comment="no column looks like a customer",
        )

    def _status(self) -> Iterator[ProposedColumn]:
        look = self.guess.look("status")
        if look is not None:
            self._note_statuses(look)
            yield self.made.column("status", "string", fields={"required": True, "enum": _statuses(look)})
        elif self.guess.dataset is Dataset.ORDER_ITEMS:
            self.stand_ins.append("order items have no status: each has its order's.")
        else:
            self.stand_ins.append("orders have no status: all count as complete, so nothing is returned or cancelled.")
            yield ProposedColumn(
                name="status",
                fields={"logicalType": "string", "required": True, "enum": _statuses(None)},
                custom={"takingsDefault": "complete"},
                comment="no column looks like a status",
            )

    def _note_statuses(self, look: ColumnLook) -> None:
        """Say which words of a status count as returned or cancelled, and which are not known."""
        meant = {value: stored_status(value) for value in look.values}
        changed = [f"'{value}' as {stored}" for value, stored in meant.items() if stored in ("returned", "cancelled")]
        unknown = [f"'{value}'" for value, stored in meant.items() if stored is None]
        if changed:
            self.notes.append(
                f"'{look.header}' of {self.guess.dataset}: {', '.join(changed)}, all others count as sold."
            )
        if unknown:
            self.notes.append(
                f"'{look.header}' of {self.guess.dataset}: {', '.join(unknown)} is not known, and counts as sold."
            )


def _text_keys(guesses: Mapping[Dataset, Guess]) -> Iterator[tuple[Dataset, str]]:
    """Yield the keys with an end that is not a whole number, so that both ends have to be text."""
    for parent, key, column in ((Dataset.ORDERS, "order_id", "order_id"), (Dataset.PRODUCTS, "id", "product_id")):
        ends = [(parent, key), (Dataset.ORDER_ITEMS, column)]
        looks = [guesses[dataset].look(name) for dataset, name in ends if dataset in guesses]
        if any(look is not None and not look.is_all(IDENTIFIER) for look in looks):
            yield from ends


def _statuses(look: ColumnLook | None) -> list[dict[str, Any]]:
    """Return the `enum` of a status: the words of the files, then those that the KPIs know."""
    entries: dict[str, dict[str, Any]] = {}
    for value in look.values if look is not None else ():
        stored = stored_status(value)
        if stored is None:
            entries[value.lower()] = {"value": value}
        elif value.lower() == stored:
            entries[stored] = {"value": stored}
        else:
            entries[value.lower()] = {
                "value": value,
                "customProperties": [{"property": "takingsStoredAs", "value": stored}],
            }
    for status in STATUSES:
        entries.setdefault(status, {"value": status})
    return sorted(entries.values(), key=lambda entry: "customProperties" in entry)
