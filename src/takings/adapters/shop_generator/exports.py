"""Say which files a format has, how they are called, and by whose ids they are cut into parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from takings.adapters.shop_generator.plan import ShopFormat
from takings.contracts.model import Dataset


@dataclass(frozen=True, kw_only=True)
class Export:
    """One kind of file of a format; its query is `<format>_<dataset>.sql`."""

    #: whose ids it is cut by; a file of orders may hold their items as well
    dataset: Dataset
    #: below raw-data/
    folder: str
    #: its name, before `_part1.csv`
    name: str


PRODUCTS = Export(dataset=Dataset.PRODUCTS, folder="products", name="products")
ORDERS = Export(dataset=Dataset.ORDERS, folder="orders", name="orders")
ORDER_ITEMS = Export(dataset=Dataset.ORDER_ITEMS, folder="order-items", name="order_items")

EXPORTS: Mapping[ShopFormat, tuple[Export, ...]] = {
    ShopFormat.PLAIN: (PRODUCTS, ORDERS, ORDER_ITEMS),
    ShopFormat.THELOOK: (PRODUCTS, ORDERS, ORDER_ITEMS),
    ShopFormat.SHOPIFY: (
        Export(dataset=Dataset.PRODUCTS, folder="shopify-products", name="products_export"),
        Export(dataset=Dataset.ORDERS, folder="shopify-orders", name="orders_export"),
    ),
    ShopFormat.WOOCOMMERCE: (
        Export(dataset=Dataset.PRODUCTS, folder="woocommerce-products", name="wc-product-export"),
        Export(dataset=Dataset.ORDERS, folder="woocommerce-orders", name="orders-export"),
    ),
    ShopFormat.OLIST: (
        Export(dataset=Dataset.PRODUCTS, folder="products", name="olist_products_dataset"),
        Export(dataset=Dataset.ORDERS, folder="orders", name="olist_orders_dataset"),
        Export(dataset=Dataset.ORDER_ITEMS, folder="order-items", name="olist_order_items_dataset"),
    ),
}
