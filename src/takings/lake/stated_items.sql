-- Grain: one row per order that a batch touches, as it will be: how many items it says it has.
create or replace temp table stated_items as
select order_id, num_of_item, _source, _line
from changed_orders
union all
select l.order_id, l.num_of_item, l._source, l._line
from lake_orders l
where (
    l.order_id in (select order_id from staged_orders)
    or l.order_id in (select order_id from staged_order_items)
)
and not exists (select 1 from changed_orders c where c.order_id = l.order_id)
