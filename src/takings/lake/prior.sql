-- Grain: one row per staged key that the lake already holds, with the file that holds it.
create or replace temp table prior_$table as
select $columns, _version, _source, _line, $order_date as order_date, filename
from lake_$table
where $key in (select $key from staged_$table)
