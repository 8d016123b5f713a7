-- Grain: one row per product and order_date with an item. Measures only: sums and counts.
select
    product_id,
    order_date,
    count(distinct order_id) as orders,
    sum(pieces) as items,
    sum(amount) as revenue
from items
group by product_id, order_date
