-- Grain: one row per order of which a batch holds other deliveries that are hardly older.
with repeated as (
    select
        s.$unit as id,
        s._source as key,
        min(s._line) as line,
        s._version as version,
        bit_xor($content) as content$instant
    from every_$table s
    where s.$unit in (select r.$unit from every_$table r group by r.$unit having min(r._source) <> max(r._source))
    group by s.$unit, s._source, s._version$and_column
),
followed as (
    select
        *,
        lag(content) over (partition by id$and_instant order by version, key, line) as content_before,
        lag(version) over (partition by id$and_instant order by version, key, line) as version_before
    from repeated
)
select id, max_by(key, version) as key, max_by(line, version) as line
from followed
where content <> content_before and version - version_before <= interval '$seconds seconds'
group by id
