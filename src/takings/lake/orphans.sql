-- Grain: one row per staged item whose order or product is neither in the batch nor in the lake.
select
    i._source,
    i._line,
    case when i.order_id in (select order_id from staged_orders)
           or i.order_id in (select order_id from lake_orders) then 'product_id' else 'order_id' end as parent
from staged_order_items i
where not (
    (i.order_id in (select order_id from staged_orders) or i.order_id in (select order_id from lake_orders))
    and (i.product_id in (select id from staged_products) or i.product_id in (select id from lake_products))
)
order by i._source, i._line
limit 1
