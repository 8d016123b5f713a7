-- The rows through which a batch may change KPIs, seen from the lake before its first merge.
-- Orders that arrive or move to another day.
create or replace temp table arriving_orders as
select c.order_id, c.order_date as new_day, p.order_date as old_day
from changed_orders c
left join prior_orders p on p.order_id = c.order_id
where p.order_id is null or p.order_date <> c.order_date;

-- Products that arrive or change their category.
create or replace temp table arriving_products as
select c.id, c.category as new_category, p.category as old_category
from changed_products c
left join prior_products p on p.id = c.id
where p.id is null or p.category <> c.category;

-- Items of the lake that are about to count elsewhere: replaced, or following their order or product.
create or replace temp table items_before as
select i.id, i.order_id, i.product_id, i.order_date
from lake_order_items i
where i.id in (select id from changed_order_items)
   or i.order_id in (select order_id from arriving_orders)
   or i.product_id in (select id from arriving_products);

-- The same items, and new ones, as they will be.
create or replace temp table items_after as
select c.id, c.order_id, c.product_id
from changed_order_items c
union all
select b.id, b.order_id, b.product_id
from items_before b
where b.id not in (select id from changed_order_items);
