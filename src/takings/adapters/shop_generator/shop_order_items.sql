-- Grain: one row per item of the orders [first_order, past_order) whose id lies in [first_record, past_record), by id.
-- An item has a status and times of its own: some of a returned order are kept, some of a delivered one come back.
create view shop_order_items as
with listed as (
    select
        order_id,
        user_id,
        status as order_status,
        created as order_created,
        first_item,
        first_item + unnest(range(item_count)) as id
    from shop_orders
),

named as (
    select
        id,
        order_id,
        user_id,
        order_status,
        order_created + getvariable('item_delay')::bigint + pick(40, id, getvariable('item_spread')) as created,
        case when is_one_in(41, id, 30) then first_item else id end as choice
    from listed
    where id >= getvariable('first_record')::bigint and id < getvariable('past_record')::bigint
),

chosen as (
    select
        *,
        1 + pick_popular(42, choice, getvariable('products')) * getvariable('product_stride')::bigint
        % getvariable('products')::bigint as product_id,
        pick(43, id, 100) as fate,
        pick(44, id, 1000) as price
    from named
)

select
    id,
    order_id,
    user_id,
    product_id,
    case
        when order_status = 'delivered' and fate < 4 then 'returned'
        when order_status = 'delivered' and fate < 5 then 'cancelled'
        when order_status = 'returned' and fate < 30 then 'delivered'
        else order_status
    end as status,
    created,
    created + 7200 + pick(45, id, 93600) as shipped,
    created + 187200 + pick(46, id, 259200) as delivered,
    created + 532800 + pick(47, id, 691200) as returned,
    is_one_in(48, id, 30) as lacks_delivery,
    greatest(retail_cents(product_id) * case when price < 20 then 30 else 68 + price % 71 end // 100, 1) as price_cents
from chosen;
