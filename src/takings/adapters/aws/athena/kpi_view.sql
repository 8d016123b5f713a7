-- Grain: one row per published key; the columns of `takings kpis`, a ratio without a value as null.
-- A key that has no rows any more keeps a row of zeros, which no reader shows: a row is shown if anything in it is not zero.
create or replace view ${view} as
select
    ${columns}
from ${table}
where
    ${shown}
