-- Grain: one row per item, numbered within its order; it has no status of its own.
select
    olist_id('order', order_id) as order_id,
    id - first_item + 1 as order_item_id,
    olist_id('product', product_id) as product_id,
    olist_id('seller', product_id % 17) as seller_id,
    olist_time(shipped) as shipping_limit_date,
    olist_money(price_cents) as price,
    olist_money(495 + product_id % 900) as freight_value
from shop_order_items
