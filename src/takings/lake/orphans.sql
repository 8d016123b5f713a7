-- Grain: one row per staged item whose order or product is neither in the batch nor in the lake.
with known_orders as (
    select order_id from staged_orders
    union
    select order_id from lake_orders
),
known_products as (
    select id from staged_products
    union
    select id from lake_products
)
select
    i._source,
    i._line,
    case when o.order_id is not null then 'product_id' else 'order_id' end as parent
from staged_order_items i
left join known_orders o on o.order_id = i.order_id
left join known_products p on p.id = i.product_id
where o.order_id is null or p.id is null
order by i._source, i._line
limit 1
