-- Grain: one row per order, from the lines of Shopify's orders export; an order's fields stand in its first line, so the
-- first one that is filled counts. A status that Shopify does not have is handed on, for the contract to refuse.
with orders as (
    select
        "Name" as order_id,
        first("Created at" order by _record) filter (where trim("Created at") <> '') as created_at,
        first("Cancelled at" order by _record) filter (where trim("Cancelled at") <> '') as cancelled_at,
        first(lower(trim("Email")) order by _record) filter (where trim("Email") <> '') as email,
        first(lower("Financial Status") order by _record) filter (where trim("Financial Status") <> '') as paid,
        first(lower("Fulfillment Status") order by _record) filter (where trim("Fulfillment Status") <> '') as sent,
        min(_record) as _record,
        min(_line) as _line
    from rows
    group by "Name"
)

select
    _record,
    _line,
    order_id,
    coalesce(sha256(email), 'guest of ' || order_id) as user_id,
    case
        when cancelled_at is not null then 'cancelled'
        when paid in ('voided', 'expired') then 'cancelled'
        when paid = 'refunded' then 'returned'
        when paid not in ('pending', 'authorized', 'partially_paid', 'paid', 'partially_refunded') then paid
        when sent = 'fulfilled' then 'shipped'
        else 'processing'
    end as status,
    created_at,
    cancelled_at
from orders
