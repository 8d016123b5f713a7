-- Grain: one row per file with the newest delivery of some order: how many of its lines are new, changed, unchanged or older.
with deliveries as (
    select distinct $unit, ${instant}_version, _source from prior_$table
),
compared as (
    select
        s._source as source,
        p.$key is null as is_new,
        -- A comparison with NULLs is true in DuckDB, so an order without a delivery in the lake is asked for by name.
        d.$unit is not null
            and (${instant_of_s}s._version, s._source) < (${instant_of_d}d._version, d._source) as is_older,
        $content = p._content as is_same
    from staged_$table s
    left join deliveries d on d.$unit = s.$unit
    left join prior_$table p on p.$unit = s.$unit and p.$key = s.$key
)
select
    source,
    count(*) filter (where is_new and not is_older) as new,
    count(*) filter (where not is_new and not is_older and not is_same) as changed,
    count(*) filter (where not is_new and not is_older and is_same) as unchanged,
    count(*) filter (where is_older) as older
from compared
group by source
