-- Grain: one row per key of a batch whose files share keys: its newest version.
select $columns
from (
    select *, row_number() over (partition by $key order by ${instant}_version desc, _source desc, _line desc) as _place
    from ($rows)
)
where _place = 1
