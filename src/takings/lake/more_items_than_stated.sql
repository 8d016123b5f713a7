-- Grain: one row per order of a part that a batch touches and that will have more items, waiting ones included, than it says.
with items as (
    select order_id from changed_order_items where abs(hash(order_id) % $parts) = $part
    union all
    select i.order_id
    from lake_order_items i
    where abs(hash(i.order_id) % $parts) = $part
      and i.order_id in (select order_id from stated_items)
      and not exists (select 1 from changed_order_items c where c.id = i.id)
),
counted as (
    select order_id, count(*) as items from items group by order_id
)
select s.order_id as id, s._source as key, s._line as line, s.num_of_item as stated, c.items as items
from stated_items s
join counted c on c.order_id = s.order_id
where abs(hash(s.order_id) % $parts) = $part
  and c.items > s.num_of_item
