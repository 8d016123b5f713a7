-- Grain: one row per published key of a KPI table of the shop's own; a ratio without a value as null.
-- The export holds the rows of all such tables, and a row of a key that has no rows any more.
create or replace view ${view} as
select
    ${columns}
from ${table}
where
    item.kpi_table.s = '${name}'
    and item.row_count.n <> '0'
