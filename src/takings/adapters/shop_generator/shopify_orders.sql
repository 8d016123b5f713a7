-- Grain: one row per line of an order; what is known of the whole order stands in its first row alone. The order's
-- discount holds those of its lines, as in real exports.
with money as (
    select
        *,
        line = 1 as is_first,
        goods_cents - discount_cents as subtotal_cents,
        goods_cents - discount_cents + shopify_shipping(goods_cents) as total_cents,
        status = 'cancelled' as is_cancelled,
        lost_cents = goods_cents as is_lost
    from shop_lines
),

refunded as (
    select
        *,
        case
            when is_cancelled then case when is_one_in(51, order_id, 2) then total_cents else 0 end
            when is_lost then total_cents
            else lost_cents * subtotal_cents // goods_cents
        end as refund_cents
    from money
)

select
    '#' || (1000 + order_id) as "Name",
    case
        when is_guest then null
        when is_one_in(54, order_id, 8) then 'Customer' || user_id || '@Example.com'
        else 'customer' || user_id || '@example.com'
    end as "Email",
    case
        when not is_first then null
        when is_cancelled and refund_cents = 0 then 'voided'
        when refund_cents = total_cents then 'refunded'
        when refund_cents > 0 then 'partially_refunded'
        when status = 'processing' and is_one_in(55, order_id, 4) then 'pending'
        else 'paid'
    end as "Financial Status",
    case when is_first then case when status in ('shipped', 'delivered', 'returned') then 'fulfilled' else 'unfulfilled' end end
        as "Fulfillment Status",
    case when is_first then 'USD' end as "Currency",
    case when is_first then shopify_money(subtotal_cents) end as "Subtotal",
    case when is_first then shopify_money(shopify_shipping(goods_cents)) end as "Shipping",
    case when is_first then shopify_money(0) end as "Taxes",
    case when is_first then shopify_money(total_cents) end as "Total",
    case when is_first and discount_cents > 0 then 'TEN' end as "Discount Code",
    case when is_first then shopify_money(listed_cents - goods_cents + discount_cents) end as "Discount Amount",
    shopify_time(created) as "Created at",
    quantity as "Lineitem quantity",
    shopify_name(product_id, variant) as "Lineitem name",
    shopify_money(price_cents) as "Lineitem price",
    shopify_sku(product_id, variant) as "Lineitem sku",
    case when is_first and is_cancelled then shopify_time(created + 3600 + pick(56, order_id, 7200)) end as "Cancelled at",
    case when is_first then shopify_money(refund_cents) end as "Refunded Amount",
    product_brand(product_id) as "Vendor",
    case when is_first then 5000000000000 + order_id end as "Id",
    shopify_money(price_cents * quantity - line_cents) as "Lineitem discount"
from refunded
