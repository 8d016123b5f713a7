-- Grain: one row per item.
select
    id,
    order_id,
    user_id,
    product_id,
    id * 2 + pick(90, id, 2) as inventory_item_id,
    thelook_status(status) as status,
    thelook_time(91, id, created) as created_at,
    case
        when status in ('shipped', 'delivered', 'returned') then thelook_time(93, id, shipped)
        else thelook_absent(95, id)
    end as shipped_at,
    case
        when status in ('delivered', 'returned') and not lacks_delivery then thelook_time(96, id, delivered)
        else thelook_absent(98, id)
    end as delivered_at,
    case
        when status = 'returned' then thelook_time(99, id, returned)
        else thelook_absent(101, id)
    end as returned_at,
    thelook_money(102, id, price_cents) as sale_price
from shop_order_items
