-- Grain: one row per order that a batch replaces by one of another customer and another time.
select s.order_id as id, s._source as key, s._line as line
from changed_orders s
join prior_orders p on p.order_id = s.order_id
where s.user_id is distinct from p.user_id and s.created_at is distinct from p.created_at
