-- Grain: one row per item of the table waiting, those that have waited longest first.
-- Reads the table waiting (items without their order or product) and the views orders and products near their keys.
select
    w.id as item_id,
    w.order_id as order_id,
    w.product_id as product_id,
    o.order_id is null as lacks_order,
    p.id is null as lacks_product,
    epoch_us(w._version) as since,
    w._source as key,
    w._line as line
from waiting w
left join orders o on o.order_id = w.order_id
left join products p on p.id = w.product_id
order by w._version, w.id
