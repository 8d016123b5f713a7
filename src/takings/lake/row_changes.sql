-- Grain: one row per file with a newest row of some key: how many of these rows are new, changed, unchanged or older.
with compared as (
    select
        s._source as source,
        p.$key is null as is_new,
        (${instant_of_s}s._version, s._source, s._line) < (${instant_of_p}p._version, p._source, p._line) as is_older,
        $content = p._content as is_same
    from staged_$table s
    left join prior_$table p on p.$key = s.$key
)
select
    source,
    count(*) filter (where is_new) as new,
    count(*) filter (where not is_new and not is_older and not is_same) as changed,
    count(*) filter (where not is_new and not is_older and is_same) as unchanged,
    count(*) filter (where not is_new and is_older) as older
from compared
group by source
