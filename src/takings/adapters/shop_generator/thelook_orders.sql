-- Grain: one row per order.
select
    order_id,
    user_id,
    thelook_status(status) as status,
    ['F', 'M'][1 + gender] as gender,
    thelook_time(70, order_id, created) as created_at,
    case
        when status = 'returned' then thelook_time(72, order_id, returned)
        else thelook_absent(74, order_id)
    end as returned_at,
    case
        when status in ('shipped', 'delivered', 'returned') then thelook_time(75, order_id, shipped)
        else thelook_absent(77, order_id)
    end as shipped_at,
    case
        when status in ('delivered', 'returned') and not lacks_delivery then thelook_time(78, order_id, delivered)
        else thelook_absent(80, order_id)
    end as delivered_at,
    item_count as num_of_item
from shop_orders
