-- Grain: one row per staged line of an order whose staged delivery is new or newer than the lake's; ties go by key.
create or replace temp view changed_$table as
select s.*
from staged_$table s
anti join (
    select s.$unit
    from (select distinct $unit, ${instant}_version, _source from staged_$table) s
    join (select distinct $unit, ${instant}_version, _source from prior_$table) p on p.$unit = s.$unit
    where (${instant_of_s}s._version, s._source) <= (${instant_of_p}p._version, p._source)
) stale on stale.$unit = s.$unit
