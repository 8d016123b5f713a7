-- Grain: one row per order, from WooCommerce's order export with one row per item, whose rows repeat the order's fields.
-- A status that WooCommerce does not have is handed on, for the contract to refuse.
with orders as (
    select
        order_id,
        first(coalesce(nullif(trim("date"), ''), nullif(trim(order_date), '')) order by _record) as created_at,
        first(regexp_replace(lower(trim(status)), '^wc-', '') order by _record) as status,
        first(nullif(nullif(trim(customer_id), ''), '0') order by _record) as customer,
        first(nullif(lower(trim(billing_email)), '') order by _record) as email,
        min(_record) as _record,
        min(_line) as _line
    from rows
    group by order_id
)

select
    _record,
    _line,
    order_id,
    coalesce(customer, sha256(email), 'guest of ' || order_id) as user_id,
    status,
    created_at
from orders
