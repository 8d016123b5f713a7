-- Grain: one row per country and order_date with an order. Measures only: sums and counts.
-- `country` is a column of the shop's own, in its contract of orders.
select
    country,
    order_date,
    count(*) as orders,
    count(distinct user_id) as customers
from orders
group by country, order_date
