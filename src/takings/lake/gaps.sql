-- Grain: one row per day that lacks something; the row without a day is of items whose order is not in the lake.
-- Reads the views waiting (items without their order or product), parents (orders near their keys), and, of the days that
-- are looked at, orders and order_items (counted items only).
with waiting_by_day as (
    select
        p.order_date as order_date,
        count(*) as waiting_items,
        cast(sum($amount) as decimal(38, 16)) as waiting_worth
    from waiting w
    left join parents p on p.order_id = w.order_id
    group by p.order_date
),
bare_by_day as (
    select o.order_date as order_date, count(*) as orders_without_items
    from orders o
    anti join order_items i on i.order_id = o.order_id
    anti join waiting w on w.order_id = o.order_id
    group by o.order_date
)
select
    coalesce(w.order_date, b.order_date) as order_date,
    coalesce(w.waiting_items, 0) as waiting_items,
    coalesce(w.waiting_worth, 0) as waiting_worth,
    coalesce(b.orders_without_items, 0) as orders_without_items
from waiting_by_day w
full join bare_by_day b on b.order_date = w.order_date
order by order_date nulls first
