-- Grain: one row per line of Shopify's orders export; a tip is no goods, and a row without a line, of an order that lost them
-- all, is none here. Money is counted in ten-thousandths, as whole numbers. What comes off the whole order, a discount or a
-- refund, is shared out to its lines by their worth: of the sum, all up to a line less all before it, in whole cents, and
-- the line that completes the order takes what is left. So no cent is lost. An amount that cannot be read is handed on, for
-- the contract to refuse.
with lines as (
    select
        _record,
        _line,
        "Name" as order_id,
        "Lineitem quantity" as quantity,
        "Lineitem price" as sale_price,
        coalesce(nullif(trim("Lineitem sku"), ''), nullif(trim("Lineitem name"), '')) as product_id,
        nullif(trim("Lineitem discount"), '') as line_discount,
        cast(cast(try_cast("Lineitem price" as decimal(16, 4)) as decimal(38, 4)) * 10000 as hugeint)
        * try_cast("Lineitem quantity" as integer) as gross,
        coalesce(cast(cast(try_cast("Lineitem discount" as decimal(16, 4)) as decimal(38, 4)) * 10000 as hugeint), 0)
            as line_off
    from rows
    where
        ("Lineitem name" is not null or "Lineitem price" is not null or "Lineitem quantity" is not null)
        and not coalesce("Lineitem name" = 'Tip' and "Lineitem sku" is null and "Vendor" is null, false)
),

orders as (
    select
        "Name" as order_id,
        first(lower(trim("Financial Status")) order by _record) filter (where trim("Financial Status") <> '') as paid,
        first("Cancelled at" order by _record) filter (where trim("Cancelled at") <> '') as cancelled_at,
        first(trim("Subtotal") order by _record) filter (where trim("Subtotal") <> '') as subtotal,
        first(trim("Discount Amount") order by _record) filter (where trim("Discount Amount") <> '') as discount,
        first(trim("Refunded Amount") order by _record) filter (where trim("Refunded Amount") <> '') as refund
    from rows
    group by "Name"
),

joined as (
    select
        lines.*,
        orders.* exclude (order_id),
        cast(cast(try_cast(orders.subtotal as decimal(16, 4)) as decimal(38, 4)) * 10000 as hugeint) as subtotal_units,
        coalesce(cast(cast(try_cast(orders.discount as decimal(16, 4)) as decimal(38, 4)) * 10000 as hugeint), 0) as discount_units,
        cast(cast(try_cast(orders.refund as decimal(16, 4)) as decimal(38, 4)) * 10000 as hugeint) as refund_units,
        sum(lines.gross) over (partition by lines.order_id) as all_gross,
        sum(lines.line_off) over (partition by lines.order_id) as all_line_off
    from lines
    inner join orders on lines.order_id is not distinct from orders.order_id
),

-- The subtotal is what the goods were sold for: a discount of the shipping is no part of it.
discounted as (
    select
        *,
        case
            when subtotal_units between 0 and all_gross then all_gross - subtotal_units
            else least(greatest(discount_units, all_line_off), all_gross)
        end as all_off
    from joined
),

-- The lines' own discounts come first, where they are a part of that.
weighed as (
    select
        * exclude (line_off),
        case when all_line_off <= all_off then line_off else 0 end as line_off,
        case when all_line_off <= all_off then all_off - all_line_off else all_off end as order_off
    from discounted
),

reached as (
    select
        *,
        gross - line_off as weight,
        sum(gross - line_off) over (partition by order_id order by _record rows unbounded preceding) as upto,
        sum(gross - line_off) over (partition by order_id) as whole
    from weighed
),

reduced as (
    select
        *,
        line_off
        + case when upto = whole then order_off else order_off * upto // whole // 100 * 100 end
        - case when upto - weight = whole then order_off else order_off * (upto - weight) // whole // 100 * 100 end as off
    from reached
),

priced as (
    select
        *,
        gross - off as amount,
        sum(gross - off) over (partition by order_id order by _record rows unbounded preceding) as amount_upto,
        sum(gross - off) over (partition by order_id) as all_amount,
        row_number() over (partition by order_id order by _record) as number
    from reduced
),

-- What was refunded of shipping and taxes is no part of what came back.
refunded as (
    select
        *,
        case when amount_upto = all_amount then least(refund_units, all_amount)
            else least(refund_units, all_amount) * amount_upto // all_amount // 100 * 100 end
        - case when amount_upto - amount = all_amount then least(refund_units, all_amount)
            else least(refund_units, all_amount) * (amount_upto - amount) // all_amount // 100 * 100 end as back
    from priced
)

select
    _record,
    _line,
    order_id || '-' || number as id,
    order_id,
    product_id,
    quantity,
    sale_price,
    case
        when try_cast(line_discount as decimal(16, 4)) is null and line_discount is not null then line_discount
        when try_cast(subtotal as decimal(16, 4)) is null and subtotal is not null then subtotal
        when try_cast(discount as decimal(16, 4)) is null and discount is not null then discount
        else cast(cast(off as decimal(28, 0)) * cast(0.0001 as decimal(4, 4)) as varchar)
    end as discount,
    case
        when cancelled_at is not null or paid in ('voided', 'expired') then null
        when refund is null or (refund_units = 0 and paid = 'refunded') then null
        when refund_units is null then refund
        else cast(cast(back as decimal(28, 0)) * cast(0.0001 as decimal(4, 4)) as varchar)
    end as refund
from refunded
