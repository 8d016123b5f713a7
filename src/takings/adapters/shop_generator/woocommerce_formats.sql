-- Grain: none; scalar macros. How WooCommerce's order export, one row per item, writes money, times and statuses: times
-- are the site's own, without an offset.
create macro woocommerce_money(cents) as cents::decimal(16, 0) * 0.01::decimal(3, 2);

create macro woocommerce_time(seconds) as strftime(make_timestamp(seconds * 1000000), '%Y-%m-%d %H:%M:%S');

create macro woocommerce_status(order_id, status) as
    case
        when status = 'cancelled' then case when is_one_in(57, order_id, 4) then 'failed' else 'cancelled' end
        when status = 'processing' then case when is_one_in(58, order_id, 4) then 'on-hold' else 'processing' end
        else 'completed'
    end;

create macro woocommerce_sku(product, variant) as
    product_sku(product) || case when product_has_variants(product) then ['-S', '-L'][1 + variant] else '' end;
