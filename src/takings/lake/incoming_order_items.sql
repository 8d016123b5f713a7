-- Grain: one row per item that a batch writes: changed ones on their order's day, and moving ones.
create or replace temp view incoming_order_items as
select $changed_columns, case when p.id is not null then o.order_date end as order_date
from changed_order_items c
left join lake_orders o on o.order_id = c.order_id
left join lake_products p on p.id = c.product_id
union all
select $moving_columns, m.new_day as order_date
from lake_order_items i
join moving_items m on m.id = i.id$and_order
