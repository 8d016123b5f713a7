-- Grain: one row per product of which a watched column changes, with a flag for each column.
create or replace temp table changed_values as
select *
from (
    select c.id, $changed
    from changed_products c
    join prior_products p on p.id = c.id
)
where $columns
