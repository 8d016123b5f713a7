"""Build a source from literals, like a shop system's export: one file for orders, items and products.

An order's own fields are only on its first line, a line has a quantity but no id, and offsets have no colon.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

import takings.contracts

#: two orders on two days in Asia/Karachi: 30.00 for three pieces in two lines, and a cancelled 10.00
EXPORT: Final = b"""\
Name,Financial Status,Created at,Lineitem quantity,Lineitem name,Lineitem price,Vendor
#1001,paid,2026-04-05 23:30:00 +0500,2,Mug - Blue,10.00,Acme
#1001,,,1,Tray,10.00,Acme
#1002,voided,2026-04-06 00:10:00 +0500,1,Mug - Blue,10.00,Acme
"""
ZONE: Final = "Asia/Karachi"

SOURCE: Final = """\
description: Orders as the shop system exports them.
rawData: till
columns: [Name, Financial Status, Created at, Lineitem quantity, Lineitem name, Lineitem price]
datasets:
  orders: orders.sql
  order_items: order_items.sql
  products: products.sql
standIns: [products]
"""
ORDERS_SQL: Final = """\
-- Grain: one row per order, from its first line.
select
    _record,
    _line,
    substr("Name", 2) as order_id,
    '1' as user_id,
    case "Financial Status" when 'paid' then 'shipped' when 'voided' then 'cancelled' else "Financial Status" end as status,
    regexp_replace("Created at", ' ([+-][0-9]{2})([0-9]{2})$', '\\1:\\2') as created_at,
    count(*) over (partition by "Name") as num_of_item
from rows
qualify row_number() over (partition by "Name" order by _record) = 1
"""
ITEMS_SQL: Final = """\
-- Grain: one row per line of an order.
with numbered as (
    select
        *,
        row_number() over (partition by "Name" order by _record) as place,
        max("Financial Status") over (partition by "Name") as paid
    from rows
)
select
    _record,
    _line,
    substr("Name", 2) || lpad(cast(place as varchar), 4, '0') as id,
    substr("Name", 2) as order_id,
    cast('0x' || substr(md5("Lineitem name"), 1, 12) as bigint) as product_id,
    '1' as user_id,
    case paid when 'paid' then 'shipped' when 'voided' then 'cancelled' else paid end as status,
    coalesce(
        cast(try_cast("Lineitem price" as decimal(28, 2)) * try_cast("Lineitem quantity" as decimal(9, 0)) as varchar),
        "Lineitem price"
    ) as sale_price
from numbered
"""
PRODUCTS_SQL: Final = """\
-- Grain: one row per product that an order names.
select
    min(_record) as _record,
    min(_line) as _line,
    cast('0x' || substr(md5("Lineitem name"), 1, 12) as bigint) as id,
    "Lineitem name" as sku,
    '0.01' as cost,
    'Unknown' as category,
    "Lineitem name" as name,
    null as brand,
    '0.01' as retail_price,
    'Unknown' as department
from rows
where "Lineitem name" is not null
group by "Lineitem name"
"""


def contracts_with(folder: Path, **sources: dict[str, str]) -> Path:
    """Make a folder with the shipped contracts and these sources: the files of each, by name."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in Path(takings.contracts.__file__).parent.glob("*.odcs.yaml"):
        shutil.copy(file, folder)
    for name, files in sources.items():
        place = folder / "sources" / name
        place.mkdir(parents=True, exist_ok=True)
        for file_name, text in files.items():
            (place / file_name).write_text(text, encoding="utf-8")
    return folder


def till(**changed: str | None) -> dict[str, str]:
    """Return the files of the source, with some changed or left out (named without their endings)."""
    files = {"source": SOURCE, "orders": ORDERS_SQL, "order_items": ITEMS_SQL, "products": PRODUCTS_SQL}
    texts = {**files, **changed}
    return {f"{name}.{'yaml' if name == 'source' else 'sql'}": text for name, text in texts.items() if text is not None}
