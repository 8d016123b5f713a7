-- Orders that arrive or move to another day, or whose items may count otherwise under their new status.
create or replace temp table arriving_orders as
select c.order_id, c.order_date as new_day, p.order_date as old_day
from changed_orders c
left join prior_orders p on p.order_id = c.order_id
where p.order_id is null or p.order_date <> c.order_date$of_order;

-- Products that arrive, or change a column by which the KPIs count their items.
create or replace temp table arriving_products as
select c.id, c.category as new_category, p.category as old_category
from changed_products c
left join prior_products p on p.id = c.id
where p.id is null$of_product;
