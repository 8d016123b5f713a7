-- Grain: one row per line of an order in a batch whose files share orders: the lines of its newest delivery.
select $columns
from (
    select *, rank() over (partition by $unit order by ${instant}_version desc, _source desc) as _place
    from ($rows)
)
where _place = 1
