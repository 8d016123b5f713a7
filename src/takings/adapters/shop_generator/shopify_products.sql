-- Grain: one row per variant of a product, and one for a second picture of some; the product's own fields stand in its
-- first row alone.
with rows_of as (
    select
        *,
        unnest(
            case
                when product_has_variants(id) then [0, 1]
                when id % 5 = 0 then [0, 2]
                else [0]
            end
        ) as place
    from shop_products
)

select
    'product-' || id as "Handle",
    case when place = 0 then name end as "Title",
    case when place = 0 then '<p>' || name || ', in our ' || category || '.</p>' end as "Body (HTML)",
    case when place = 0 then brand end as "Vendor",
    case when place = 0 then category end as "Type",
    case when place = 0 then department end as "Tags",
    case when place = 0 then 'true' end as "Published",
    case when place = 0 then case when product_has_variants(id) then 'Size' else 'Title' end end as "Option1 Name",
    case
        when place < 2 then case when product_has_variants(id) then ['S', 'L'][1 + place] else 'Default Title' end
    end as "Option1 Value",
    case when place < 2 then shopify_sku(id, place) end as "Variant SKU",
    case when place < 2 then shopify_money(retail_cents) end as "Variant Price",
    case when place < 2 then shopify_money(cost_cents) end as "Cost per item",
    case when place = 2 then 'https://example.com/' || id || '-2.jpg' else 'https://example.com/' || id || '.jpg' end
        as "Image Src",
    case when place = 0 then 'active' end as "Status"
from rows_of
