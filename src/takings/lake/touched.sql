-- The items through which a batch may change KPIs, seen from the lake before its first merge.
-- Items of the lake that are about to count elsewhere: replaced, or following their order or product.
create or replace temp table items_before as
select p.id, p.order_id, p.product_id, p.order_date
from prior_order_items p
where p.$unit in (select $unit from changed_order_items)
union
select i.id, i.order_id, i.product_id, i.order_date
from lake_order_items i
where i.order_id in (select order_id from arriving_orders)
   or i.product_id in (select id from arriving_products);

-- The same items, and new ones, as they will be.
create or replace temp table items_after as
select c.id, c.order_id, c.product_id
from changed_order_items c
union all
select b.id, b.order_id, b.product_id
from items_before b
where not exists (select 1 from changed_order_items c where c.$unit = b.$unit);

create or replace temp view touched_items as
select order_id, product_id from items_before
union all
select order_id, product_id from items_after;
