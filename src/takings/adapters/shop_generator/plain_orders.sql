-- Grain: one row per order.
select
    order_id,
    user_id,
    status,
    plain_time(created) as created_at,
    case when status = 'returned' then plain_time(returned) end as returned_at,
    case when status in ('shipped', 'delivered', 'returned') then plain_time(shipped) end as shipped_at,
    case when status in ('delivered', 'returned') and not lacks_delivery then plain_time(delivered) end as delivered_at,
    item_count as num_of_item
from shop_orders
