-- Grain: one row per item.
select
    id,
    order_id,
    user_id,
    product_id,
    status,
    plain_time(created) as created_at,
    case when status in ('shipped', 'delivered', 'returned') then plain_time(shipped) end as shipped_at,
    case when status in ('delivered', 'returned') and not lacks_delivery then plain_time(delivered) end as delivered_at,
    case when status = 'returned' then plain_time(returned) end as returned_at,
    plain_money(price_cents) as sale_price
from shop_order_items
