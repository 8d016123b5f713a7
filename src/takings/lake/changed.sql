-- Grain: one row per staged key that is new or newer than the lake's; the newest version wins, ties go by key and line.
create or replace temp view changed_$table as
select s.*
from staged_$table s
anti join (
    select s.$key
    from staged_$table s
    join prior_$table p on p.$key = s.$key
    where (${instant_of_s}s._version, s._source, s._line) <= (${instant_of_p}p._version, p._source, p._line)
) stale on stale.$key = s.$key
