-- Grain: one row per item of the lake that has to change its day, because its order moved or its last parent arrived.
create or replace temp table moving_items as
select ${order}i.id, i.filename, o.order_date as new_day
from lake_order_items i
join lake_orders o on o.order_id = i.order_id
where (i.order_id in (select order_id from staged_orders) or i.product_id in (select id from staged_products))
  and i.order_date is distinct from o.order_date
  and (i.order_date is not null or i.product_id in (select id from lake_products))
  and not exists (select 1 from changed_order_items c where c.$unit = i.$unit)
