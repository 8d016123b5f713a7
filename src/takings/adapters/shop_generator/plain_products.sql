-- Grain: one row per product.
select
    id,
    sku,
    plain_money(cost_cents) as cost,
    category,
    name,
    brand,
    plain_money(retail_cents) as retail_price,
    department
from shop_products
