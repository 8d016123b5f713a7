-- Grain: one row per item that a batch writes and of which another order has the id as well, in the batch or in the lake.
select s.id as id, s._source as key, s._line as line
from changed_order_items s
where s.id in (select c.id from changed_order_items c group by c.id having count(*) > 1)
   or s.id in (
        select i.id
        from lake_order_items i
        where i.id in (select id from changed_order_items)
          and not exists (select 1 from changed_order_items c where c.order_id = i.order_id)
    )
