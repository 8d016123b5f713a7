-- Grain: one row per staged file of items and day of the orders that its items belong to, in the batch or in the lake.
select distinct i._source, o.order_date
from every_order_items i
join (
    select order_id, order_date from staged_orders
    union all
    select order_id, order_date from lake_orders
) o on o.order_id = i.order_id
