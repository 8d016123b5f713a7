-- Grain: one row per counted item of the day, and one per order without counted items; what the day's KPIs are made of.
-- Reads the views orders, order_items (counted items only) and products of one commit, limited to the day.
with items as (
$items)
select
    o.order_date as order_date,
    p.category as category,
    o.order_id as order_id,
    i.id as item_id,
    i.product_id as product_id,
    coalesce(i.status, o.status) as status,
    i.sale_price as sale_price,
    case
        when i.id is null then 'order without items'
        when i.is_returned = 1 then 'returned'
        when i.status = 'cancelled' then 'cancelled'
        else 'net'
    end as counted_as,
    coalesce(i._source, o._source) as key,
    coalesce(i._batch, o._batch) as batch_id,
    coalesce(i._line, o._line) as line,
    i.pieces as pieces,
    i.amount as amount,
    i.returned_value as returned_value,
    i.cancelled_value as cancelled_value
from orders o
left join items i on i.order_id = o.order_id
left join products p on p.id = i.product_id
