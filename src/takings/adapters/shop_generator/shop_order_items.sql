-- Grain: one row per item of the orders [first_order, past_order) whose id lies in [first_record, past_record), by id.
-- An item has a status and times of its own: some of a returned order are kept, some of a delivered one come back.
-- What an item is, is a function of its id and its order's first item, so that an order knows its items without a join.
create macro item_product(id, first_item) as
    1 + pick_popular(42, case when is_one_in(41, id, 30) then first_item else id end, getvariable('products'))
    * getvariable('product_stride')::bigint % getvariable('products')::bigint;

create macro item_status(id, order_status) as
    case
        when order_status = 'delivered' and pick(43, id, 100) < 4 then 'returned'
        when order_status = 'delivered' and pick(43, id, 100) < 5 then 'cancelled'
        when order_status = 'returned' and pick(43, id, 100) < 30 then 'delivered'
        else order_status
    end;

create macro item_cents(id, product) as
    greatest(
        retail_cents(product)
        * case when pick(44, id, 1000) < 20 then 30 else 68 + pick(44, id, 1000) % 71 end // 100,
        1
    );

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

chosen as (
    select
        *,
        order_created + getvariable('item_delay')::bigint + pick(40, id, getvariable('item_spread')) as created,
        item_product(id, first_item) as product_id
    from listed
    where id >= getvariable('first_record')::bigint and id < getvariable('past_record')::bigint
)

select
    id,
    order_id,
    user_id,
    product_id,
    item_status(id, order_status) as status,
    first_item,
    created,
    created + 7200 + pick(45, id, 93600) as shipped,
    created + 187200 + pick(46, id, 259200) as delivered,
    created + 532800 + pick(47, id, 691200) as returned,
    is_one_in(48, id, 30) as lacks_delivery,
    item_cents(id, product_id) as price_cents
from chosen;
