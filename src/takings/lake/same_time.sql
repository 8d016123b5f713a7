-- Grain: one row per key of which a batch holds other contents that are hardly older.
with repeated as (
    select s.$key as id, s._source as key, s._line as line, s._version as version, $content as content$instant
    from every_$table s
    where s.$key in (select r.$key from every_$table r group by r.$key having count(*) > 1)
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
