-- Grain: one row per category and order_date with a counted item. Measures only: sums and counts.
-- Reads the views order_items (counted items only: both parents are in the lake) and products of one commit.
with counted as (
    select
        p.category,
        i.order_date,
        i.order_id,
        i.sale_price,
        case when i.status = 'returned' or i.returned_at is not null then 1 else 0 end as is_returned,
        case when i.status = 'cancelled' and i.returned_at is null then 1 else 0 end as is_cancelled
    from order_items i
    join products p on p.id = i.product_id
)
select
    category,
    order_date,
    cast(count(distinct order_id) as bigint) as orders,
    cast(count(distinct case when is_returned = 1 then order_id end) as bigint) as returned_orders,
    cast(count(*) as bigint) as items,
    cast(sum(sale_price) as decimal(38, 16)) as revenue,
    cast(sum(case when is_returned = 1 then sale_price else cast(0 as decimal(28, 16)) end) as decimal(38, 16))
        as returned_value,
    cast(sum(case when is_cancelled = 1 then sale_price else cast(0 as decimal(28, 16)) end) as decimal(38, 16))
        as cancelled_value
from counted
group by category, order_date
