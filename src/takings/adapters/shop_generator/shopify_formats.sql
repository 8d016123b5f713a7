-- Grain: none; scalar macros. How Shopify's exports write money and times: `12.00`, and a shop five hours behind UTC
-- whose offset has no colon. An order of 50.00 or more is sent free of charge.
create macro shopify_money(cents) as cents::decimal(16, 0) * 0.01::decimal(3, 2);

create macro shopify_time(seconds) as
    strftime(make_timestamp((seconds - 18000) * 1000000), '%Y-%m-%d %H:%M:%S') || ' -0500';

create macro shopify_shipping(cents) as case when cents < 5000 then 495 else 0 end;

create macro shopify_sku(product, variant) as
    case
        when product % 9 <> 0
            then product_sku(product) || case when product_has_variants(product) then ['-S', '-L'][1 + variant] else '' end
    end;

create macro shopify_name(product, variant) as
    product_name(product) || case when product_has_variants(product) then [' - S', ' - L'][1 + variant] else '' end;
