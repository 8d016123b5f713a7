    -- One row per item: what it is worth, and what of that came back or was cancelled.
    select
        id,
        order_id,
        product_id,
        order_date,
        status,
        sale_price,
        pieces,
        amount,
        is_returned,
        returned_value,
        case when status = 'cancelled' then amount - returned_value else cast(0 as decimal(29, 16)) end as cancelled_value,
        _source,
        _batch,
        _line
    from (
        select
            *,
            case when status = 'returned' or returned_at is not null or refund > 0 then 1 else 0 end as is_returned,
            case
                when refund is not null then refund
                when status = 'returned' or returned_at is not null then amount
                else cast(0 as decimal(28, 16))
            end as returned_value
        from (
            select
                i.id as id,
                i.order_id as order_id,
                i.product_id as product_id,
                i.order_date as order_date,
                $status as status,
                $returned_at as returned_at,
                i.sale_price as sale_price,
                $pieces as pieces,
                $amount as amount,
                $refund as refund,
                i._source as _source,
                i._batch as _batch,
                i._line as _line
            from $order_items i$join
        ) as read_items
    ) as valued_items
