-- Grain: one row per order; a customer's id there is another one with every order.
select
    olist_id('order', order_id) as order_id,
    olist_id('customer', order_id) as customer_id,
    olist_status(order_id, status) as order_status,
    olist_time(created) as order_purchase_timestamp,
    case when status <> 'cancelled' then olist_time(created + 600) end as order_approved_at,
    case when status in ('shipped', 'delivered', 'returned') then olist_time(shipped) end
        as order_delivered_carrier_date,
    case when status in ('delivered', 'returned') and not lacks_delivery then olist_time(delivered) end
        as order_delivered_customer_date,
    strftime(make_timestamp((created + 1814400) * 1000000), '%Y-%m-%d 00:00:00') as order_estimated_delivery_date
from shop_orders
