"""Name what a dropped file is of: one of the three datasets, or a source that yields rows of several."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

#: a name is part of keys, paths and reports
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,62}")


class Dataset(StrEnum):
    """The three kinds of file that a shop drops."""

    PRODUCTS = "products"
    ORDERS = "orders"
    ORDER_ITEMS = "order_items"


class SourceName(str):
    """The name of a source; it stands wherever a dataset's name does for a file of one dataset."""

    __slots__ = ()

    @property
    def value(self) -> str:
        """Return the name as plain text, as `Dataset.value` does."""
        return str.__str__(self)


#: what a dropped file is of
DropKind = Dataset | SourceName


def is_source_name(text: str) -> bool:
    """Return whether a source may be called so: lower-case letters, digits, - and _, and no dataset's name."""
    return _NAME.fullmatch(text) is not None and text not in {*Dataset, "order-items"}


def kind_of(text: str) -> DropKind:
    """Return the dataset or source with this name; ValueError for any other text."""
    if text in list(Dataset):
        return Dataset(text)
    if not is_source_name(text):
        raise ValueError(f"'{text}' is not the name of a dataset or a source")
    return SourceName(text)
