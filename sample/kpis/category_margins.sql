-- Grain: one row per category and order_date with an item. Measures only: sums and counts.
select
    category,
    order_date,
    sum(pieces) as items,
    sum(amount) as revenue,
    sum(cost * pieces) as cost
from items
group by category, order_date
