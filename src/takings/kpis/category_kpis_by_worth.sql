-- Grain: one row per category and order_date with a counted item. Measures only: sums and counts.
-- For contracts in which an item has a role or its order's status; the measures of category_kpis.sql.
-- Reads the views orders, order_items (counted items only: both parents are in the lake) and products of one commit.
with items as (
$items)
select
    p.category as category,
    i.order_date as order_date,
    cast(count(distinct i.order_id) as bigint) as orders,
    cast(count(distinct case when i.is_returned = 1 then i.order_id end) as bigint) as returned_orders,
    cast(sum(i.pieces) as bigint) as items,
    cast(sum(i.amount) as decimal(38, 16)) as revenue,
    cast(sum(i.returned_value) as decimal(38, 16)) as returned_value,
    cast(sum(i.cancelled_value) as decimal(38, 16)) as cancelled_value
from items i
join products p on p.id = i.product_id
group by p.category, i.order_date
