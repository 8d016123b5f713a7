"""Know the words that shops use for what the KPIs need. Pure data and how a header is compared with it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from takings.contracts.model import Dataset
from takings.validation.header import simplified

#: column -> words that headers use for it, best first; simplified, as `simplified` does
NAMES: Final[Mapping[Dataset, Mapping[str, Sequence[str]]]] = {
    Dataset.PRODUCTS: {
        "id": ("productid", "product", "sku", "variantsku", "itemid", "productcode", "articleid", "handle", "id"),
        "category": (
            "category",
            "productcategory",
            "productcategoryname",
            "type",
            "producttype",
            "categories",
            "categoryid",
            "group",
        ),
        "name": ("productname", "name", "title", "itemname", "description"),
        "brand": ("brand", "vendor", "manufacturer", "supplier"),
        "cost": ("cost", "costperitem", "unitcost", "purchaseprice"),
        "retail_price": ("retailprice", "listprice", "price", "variantprice", "regularprice", "unitprice"),
        "department": ("department", "section"),
    },
    Dataset.ORDERS: {
        "order_id": ("orderid", "ordernumber", "order", "orderno", "ordernr", "number", "name", "id"),
        "user_id": (
            "userid",
            "customerid",
            "customer",
            "user",
            "customernumber",
            "clientid",
            "client",
            "email",
            "buyer",
        ),
        "status": ("status", "orderstatus", "state", "financialstatus", "orderstate"),
        "created_at": (
            *("createdat", "orderdate", "orderedat", "placedat", "placedon", "orderpurchasetimestamp", "ordertime"),
            *("datecreated", "purchasedate", "created", "date", "time", "timestamp", "datetime"),
        ),
        "num_of_item": ("numofitem", "numberofitems", "itemcount", "items", "itemspurchased"),
    },
    Dataset.ORDER_ITEMS: {
        "id": ("orderitemid", "itemid", "lineid", "orderlineid", "detailid", "orderdetailsid", "id"),
        "order_id": ("orderid", "ordernumber", "order", "orderno", "ordernr", "name"),
        "product_id": ("productid", "product", "sku", "lineitemsku", "productcode", "articleid", "variantid", "item"),
        "status": ("status", "itemstatus", "linestatus", "state"),
        "sale_price": (
            *("saleprice", "unitprice", "price", "lineitemprice", "priceusd", "itemprice", "soldfor", "amount"),
            *("total", "linetotal"),
        ),
        "quantity": (
            *("quantity", "qty", "lineitemquantity", "pieces", "units", "count", "itemquantity", "orderqty"),
            *("menge", "anzahl", "stuck", "stuckzahl", "quantite", "qte", "cantidad", "quantidade", "qtde", "quantita"),
            *("aantal", "antal", "ilosc", "ποσοτητα", "количество", "кол", "数量", "数量個", "수량"),
        ),
        "discount": (
            *("discount", "discountamount", "lineitemdiscount", "rebate", "rabatt", "nachlass", "remise", "descuento"),
            *("desconto", "sconto", "korting", "εκπτωση", "скидка"),
        ),
        "refund": ("refund", "refundamount", "refundedamount", "refundamountusd", "refunded"),
        "returned_at": ("returnedat", "returndate", "returned", "refundedat", "refunddate"),
    },
}
#: numbers of a line within its order
LINES: Final = ("line", "lineno", "linenumber", "orderitemid", "position", "pos", "itemno", "row")
#: parts of a header that say a price is of the whole line, whatever its quantity
TOTALS: Final = ("total", "amount", "sum", "subtotal", "summe", "gesamt", "betrag", "montant", "importe")
#: parts of a header that say a number is not an amount of money
SHARES: Final = ("percent", "percentage", "pct", "rate", "prozent", "share")
#: what the KPIs know by name -> words of shops
STATUSES: Final[Mapping[str, Sequence[str]]] = {
    "returned": ("returned", "refunded", "return", "refund", "retourniert", "zuruckgegeben"),
    "cancelled": ("cancelled", "canceled", "voided", "void", "cancel", "unavailable", "failed", "storniert", "expired"),
    "complete": ("complete", "completed", "paid", "fulfilled", "closed", "done", "finished", "approved", "invoiced"),
    "delivered": ("delivered",),
    "shipped": ("shipped", "sent", "dispatched"),
    "processing": (
        "processing",
        "pending",
        "open",
        "new",
        "created",
        "authorized",
        "onhold",
        "partiallypaid",
        "partiallyrefunded",
        "unpaid",
    ),
}
_WORD: Final = re.compile(r"[^\W\d_]+|[0-9]+")
#: how much a header's exact word counts, less what comes later in the list, and a word among others
_EXACT, _AMONG_OTHERS = 100, 30


def fit(dataset: Dataset, column: str, header: str) -> int:
    """Return how well a header names a column: 0 where it does not, at most 100."""
    words = NAMES[dataset][column]
    plain = simplified(header)
    if plain == simplified(column):
        return _EXACT
    if plain in words:
        return _EXACT - 1 - words.index(plain)
    inside = set(_WORD.findall(header.casefold()))
    longest = max((len(word) for word in words if word in inside and len(word) > 2), default=0)
    return _AMONG_OTHERS + longest if longest else 0


def has_word(header: str, words: Sequence[str]) -> bool:
    """Return whether a header has one of these words, alone or as its end: `LineTotal` has total."""
    inside = _WORD.findall(header.casefold())
    return any(part.endswith(word) for part in (*inside, simplified(header)) for word in words)


def stored_status(value: str) -> str | None:
    """Return the status that a shop's word means; None for one that is not known."""
    plain = simplified(value)
    return next((status for status, words in STATUSES.items() if plain in words), None)
