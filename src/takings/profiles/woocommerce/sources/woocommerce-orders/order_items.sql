-- Grain: one row per item of WooCommerce's order export with one row per item. The export has what all pieces of a line
-- cost together, before and after its discounts. The price of one is that of all before them, divided and rounded up to
-- the cent; what that is too much is a part of the discount, so that the amount is the item_total exactly. Money is counted
-- in hundred-millionths, as whole numbers. An amount that cannot be read is handed on, for the contract to refuse.
with read as (
    select
        _record,
        _line,
        order_id,
        regexp_replace(lower(trim(status)), '^wc-', '') as status,
        nullif(trim(item_id), '') as item_id,
        coalesce(nullif(nullif(trim(item_product_id), ''), '0'), nullif(trim(item_sku), ''), nullif(trim(item_name), ''))
            as product_id,
        item_quantity as quantity,
        try_cast(item_quantity as integer) as pieces,
        nullif(trim(item_subtotal), '') as subtotal,
        nullif(trim(item_total), '') as total,
        nullif(trim(item_refunded), '') as refund
    from rows
    where item_name is not null or item_total is not null or item_quantity is not null
),

counted as (
    select
        *,
        cast(cast(try_cast(subtotal as decimal(20, 8)) as decimal(38, 8)) * 100000000 as hugeint) as subtotal_units,
        cast(cast(try_cast(total as decimal(20, 8)) as decimal(38, 8)) * 100000000 as hugeint) as total_units,
        row_number() over (partition by order_id order by _record) as number
    from read
),

priced as (
    select
        *,
        case
            when pieces > 0
                then (greatest(coalesce(subtotal_units, 0), total_units) + pieces * 1000000 - 1)
                    // (pieces * 1000000) * 1000000
            else 0
        end as price_units
    from counted
)

select
    _record,
    _line,
    coalesce(item_id, order_id || '-' || number) as id,
    order_id,
    product_id,
    quantity,
    case
        when total_units is null then total
        else cast(cast(price_units as decimal(30, 0)) * cast(0.00000001 as decimal(8, 8)) as varchar)
    end as sale_price,
    case
        when subtotal_units is null and subtotal is not null then subtotal
        else cast(
            cast(price_units * pieces - total_units as decimal(30, 0)) * cast(0.00000001 as decimal(8, 8)) as varchar
        )
    end as discount,
    case
        when status in ('cancelled', 'failed', 'trash') then null
        when try_cast(refund as decimal(20, 8)) = 0 and status = 'refunded' then null
        else refund
    end as refund
from priced
