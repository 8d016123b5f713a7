-- Grain: one row per product.
select
    id,
    thelook_money(60, id, cost_cents) as cost,
    category,
    name,
    coalesce(brand, thelook_absent(63, id)) as brand,
    thelook_money(64, id, retail_cents) as retail_price,
    department,
    sku,
    1 + pick(67, id, 10) as distribution_center_id
from shop_products
