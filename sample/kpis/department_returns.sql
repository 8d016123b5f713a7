-- Grain: one row per department and order_date with an item. Measures only: sums and counts.
select
    department,
    order_date,
    count(*) as items,
    sum(is_returned) as returned_items,
    sum(returned_value) as returned_value
from items
group by department, order_date
