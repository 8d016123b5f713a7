-- Grain: one row per item that a batch moves to another order.
select s.id as id, s._source as key, s._line as line
from changed_order_items s
join prior_order_items p on p.id = s.id
where s.order_id <> p.order_id
