-- Grain: one row per order of [first_order, past_order), by id; times in seconds since 1970. Sixteen orders in a row
-- hold 48 items in one of 64 arrangements, so an order knows its items' ids without counting the orders before it.
create view shop_orders as
with numbered as (
    select
        order_id,
        1 + pick(20, (order_id - 1) // 16, 64) * 16 + (order_id - 1) % 16 as place,
        case
            when getvariable('is_numbered_by_time') then order_id - 1
            else pick(21, order_id, getvariable('orders'))
        end * 1000 + pick(22, order_id, 1000) as position
    from range(getvariable('first_order')::bigint, getvariable('past_order')::bigint) as numbers(order_id)
),

placed as (
    select
        order_id,
        getvariable('item_counts')[place] as item_count,
        (order_id - 1) // 16 * 48 + 1 + getvariable('items_before')[place] as first_item,
        1 + position * getvariable('slots')::bigint // (getvariable('orders')::bigint * 1000) as slot,
        position * getvariable('slots')::bigint % (getvariable('orders')::bigint * 1000) as within_slot
    from numbered
),

timed as (
    select
        order_id,
        item_count,
        first_item,
        1 + pick_popular(23, order_id, getvariable('users')) as user_id,
        pick(24, order_id, 100) as fate,
        getvariable('curve')[slot]::bigint
        + (getvariable('curve')[slot + 1] - getvariable('curve')[slot])::bigint * within_slot
        // (getvariable('orders')::bigint * 1000) as created
    from placed
)

select
    order_id,
    item_count,
    first_item,
    user_id,
    case
        when fate < 58 then 'delivered'
        when fate < 70 then 'returned'
        when fate < 80 then 'shipped'
        when fate < 88 then 'processing'
        else 'cancelled'
    end as status,
    created,
    created + 7200 + pick(25, order_id, 93600) as shipped,
    created + 187200 + pick(26, order_id, 259200) as delivered,
    created + 532800 + pick(27, order_id, 691200) as returned,
    is_one_in(28, order_id, 30) as lacks_delivery,
    pick(29, user_id, 2) as gender
from timed;
