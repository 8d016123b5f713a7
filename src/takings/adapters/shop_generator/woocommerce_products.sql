-- Grain: one row per variant of a product, as WooCommerce's own product export writes them: a product with variants has
-- a row of its own, without a price, to which theirs refer.
with rows_of as (
    select
        *,
        unnest(case when product_has_variants(id) then [0, 1, 2] else [3] end) as place
    from shop_products
)

select
    case when place in (1, 2) then 1000000 + id * 2 + place else id end as "ID",
    case when place = 0 then 'variable' when place = 3 then 'simple' else 'variation' end as "Type",
    case
        when place = 0 then product_sku(id)
        when place = 3 then woocommerce_sku(id, 0)
        else woocommerce_sku(id, place - 1)
    end as "SKU",
    name as "Name",
    1 as "Published",
    case when place > 0 then woocommerce_money(retail_cents) end as "Regular price",
    case
        when place in (0, 3)
            then replace(department || ' > ' || category, ',', '\,') || case when id % 6 = 0 then ', Sale' else '' end
    end as "Categories",
    case when place in (1, 2) then 'id:' || id end as "Parent"
from rows_of
