-- Grain: one row per line of an order; what is known of the whole order stands in each of its rows.
with money as (
    select
        *,
        line_cents - discount_share as total_cents,
        case
            when status = 'cancelled' then 0
            when lost_pieces = quantity then line_cents - discount_share
            else lost_line_cents * (line_cents - discount_share) // line_cents
        end as refund_cents
    from shop_lines
)

select
    order_id,
    1000 + order_id as order_number,
    woocommerce_time(created) as "date",
    case
        when status <> 'cancelled' and lost_cents = goods_cents then 'refunded'
        else woocommerce_status(order_id, status)
    end as status,
    woocommerce_money(discount_cents) as discount_total,
    woocommerce_money(goods_cents - discount_cents) as order_total,
    'EUR' as order_currency,
    case when is_guest then 0 else user_id end as customer_id,
    case when is_guest then 'guest' || user_id else 'customer' || user_id end || '@example.com' as billing_email,
    order_id * 8 + line as item_id,
    product_id as item_product_id,
    product_name(product_id) as item_name,
    woocommerce_sku(product_id, variant) as item_sku,
    quantity as item_quantity,
    woocommerce_money(line_cents) as item_subtotal,
    woocommerce_money(total_cents) as item_total,
    woocommerce_money(refund_cents) as item_refunded,
    case when status = 'cancelled' then 0 else lost_pieces end as item_refunded_qty
from money
