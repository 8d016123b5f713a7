-- Grain: one row per counted item, with its order's and its product's columns, and what it is worth.
select
    order_date,
    $names,
    status,
    pieces,
    amount,
    is_returned,
    returned_value,
    case when status = 'cancelled' then amount - returned_value else cast(0 as decimal(29, 16)) end as cancelled_value
from (
    select
        *,
        case when status = 'returned' or _takings_returned_at is not null or _takings_refund > 0 then 1 else 0 end
            as is_returned,
        case
            when _takings_refund is not null then _takings_refund
            when status = 'returned' or _takings_returned_at is not null then amount
            else cast(0 as decimal(28, 16))
        end as returned_value
    from (
        select
            i.order_date as order_date,
            $carried,
            $status as status,
            $returned_at as _takings_returned_at,
            $pieces as pieces,
            $amount as amount,
            $refund as _takings_refund
        from $order_items i
        join $orders o on o.order_id = i.order_id
        join $products p on p.id = i.product_id
    ) as read_items
) as valued_items
