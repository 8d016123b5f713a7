-- Grain: one row per (category, day) whose KPIs the batch may change.
with days_after as (
    select order_id, order_date from changed_orders where order_id in (select order_id from items_after)
    union all
    select l.order_id, l.order_date from lake_orders l
    where l.order_id in (select order_id from items_after)
      and not exists (select 1 from changed_orders c where c.order_id = l.order_id)
),
categories_after as (
    select id, category from changed_products where id in (select product_id from items_after)
    union all
    select l.id, l.category from lake_products l
    where l.id in (select product_id from items_after)
      and not exists (select 1 from changed_products c where c.id = l.id)
)
select p.category, b.order_date
from items_before b
join lake_products p on p.id = b.product_id
where b.order_date is not null
union
select c.category, d.order_date
from items_after a
join days_after d on d.order_id = a.order_id
join categories_after c on c.id = a.product_id
