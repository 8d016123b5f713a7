-- Grain: one row per order_date, for every day with an order. Measures only: sums and counts.
-- For contracts in which an item has a role or its order's status; the measures of order_kpis.sql.
-- Reads the views orders, order_items (counted items only: both parents are in the lake) of one commit.
with items as (
$items),
item_sums as (
    select
        order_date,
        cast(sum(amount) as decimal(38, 16)) as revenue,
        sum(pieces) as pieces,
        cast(sum(returned_value) as decimal(38, 16)) as returned_value,
        cast(sum(cancelled_value) as decimal(38, 16)) as cancelled_value
    from items
    group by order_date
),
order_counts as (
    select
        order_date,
        count(*) as orders,
        sum(case when status = 'returned' then 1 else 0 end) as returned_orders,
        count(distinct user_id) as customers
    from orders
    group by order_date
)
select
    o.order_date as order_date,
    cast(o.orders as bigint) as orders,
    cast(o.returned_orders as bigint) as returned_orders,
    cast(o.customers as bigint) as customers,
    cast(coalesce(i.pieces, 0) as bigint) as items,
    coalesce(i.revenue, cast(0 as decimal(38, 16))) as revenue,
    coalesce(i.returned_value, cast(0 as decimal(38, 16))) as returned_value,
    coalesce(i.cancelled_value, cast(0 as decimal(38, 16))) as cancelled_value
from order_counts o
left join item_sums i on i.order_date = o.order_date
