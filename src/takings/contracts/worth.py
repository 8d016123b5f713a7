"""Say what the KPIs read of an item: which columns have a role in its worth, and whose status it has."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

#: the column in which staged files and the lake keep an item's amount, where a column of the contract has a role
AMOUNT: Final = "_amount"
LARGEST_QUANTITY: Final = 999_999_999


class Role(StrEnum):
    """What a column of order_items says about an item's worth."""

    #: how many pieces the item is; empty: one
    QUANTITY = "quantity"
    #: what is taken off sale_price x quantity; empty: nothing
    DISCOUNT = "discount"
    #: what was paid back; empty: unknown
    REFUND = "refund"


@dataclass(frozen=True, kw_only=True)
class Worth:
    """What an item is worth, and whether it came back; the defaults are the brief's."""

    #: the columns with these roles
    quantity: str | None = None
    discount: str | None = None
    refund: str | None = None
    #: the contract has a column `status`
    has_status: bool = True
    #: an item may have no status of its own: then it has its order's
    may_lack_status: bool = False
    #: the contract has a column `returned_at`
    has_returned_at: bool = True

    @property
    def has_roles(self) -> bool:
        """Return whether an item has its own amount, in addition to its sale_price."""
        return any((self.quantity, self.discount, self.refund))

    @property
    def is_usual(self) -> bool:
        """Return whether an item is one piece worth its sale_price, with its own status and returned_at."""
        return self == USUAL_WORTH


#: one piece, worth its sale_price
USUAL_WORTH: Final = Worth()
