-- Grain: one row per day on which an order arrives, changes or leaves.
select order_date from changed_orders
union
select p.order_date from prior_orders p where p.order_id in (select order_id from changed_orders)
