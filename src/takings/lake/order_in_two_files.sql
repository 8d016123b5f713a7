-- Grain: one row per order with lines in several files of a batch: only the newest of these deliveries counts.
select order_id as id, max(_source) as key, max_by(_line, _source) as line
from (select order_id, _source, min(_line) as _line from every_order_items group by order_id, _source)
group by order_id
having count(*) > 1
