-- Grain: one row per day with an item of a product of which a watched column changes, with a flag for each column.
select i.order_date, $flags
from lake_order_items i
join changed_values c on c.id = i.product_id
group by i.order_date
