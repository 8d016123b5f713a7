-- Grain: one row per product that was sold, as far as an order tells: it stands in for the product until the product
-- export names it. An order knows no category; WooCommerce's own word for none stands in for it.
with sold as (
    select
        _record,
        _line,
        coalesce(nullif(nullif(trim(item_product_id), ''), '0'), nullif(trim(item_sku), ''), nullif(trim(item_name), ''))
            as id,
        nullif(trim(item_sku), '') as sku,
        nullif(trim(item_name), '') as name
    from rows
    where item_name is not null or item_total is not null or item_quantity is not null
)

select
    min(_record) as _record,
    min(_line) as _line,
    id,
    first(sku order by _record) as sku,
    first(name order by _record) as name,
    'Uncategorized' as category
from sold
group by id
