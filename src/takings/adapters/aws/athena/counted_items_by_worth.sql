-- Grain: one row per counted item: its order and its product are in the lake. What the sums of the KPIs are made of, for
-- contracts in which an item has a role or its order's status.
-- Reads the newest version of each table, not those of one commit.
create or replace view ${database}.counted_items as
with items as (
${items}
)
select
    i.order_date as order_date,
    p.category as category,
    i.order_id as order_id,
    i.id as item_id,
    i.product_id as product_id,
    o.user_id as user_id,
    i.status as status,
    i.sale_price as sale_price,
    case
        when i.is_returned = 1 then 'returned'
        when i.status = 'cancelled' then 'cancelled'
        else 'net'
    end as counted_as,
    i.pieces as pieces,
    i.amount as amount,
    i.returned_value as returned_value,
    i.cancelled_value as cancelled_value
from items i
join ${database}.orders o on o.order_id = i.order_id
join ${database}.products p on p.id = i.product_id
where i.order_date is not null
