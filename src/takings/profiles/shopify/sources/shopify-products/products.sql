-- Grain: one row per article of Shopify's products export: a variant of a product. The product's own fields stand in its
-- first row, so the first one that is filled counts for all of its rows; rows of further pictures have no price and are
-- left out. An article is known by its SKU, or by its name where it has none, as in the orders export. Where two articles
-- have the same SKU, the first one counts.
with read as (
    select
        _record,
        _line,
        coalesce(nullif(trim("Handle"), ''), nullif(trim("URL handle"), '')) as handle,
        nullif(trim("Title"), '') as title,
        nullif(trim("Vendor"), '') as vendor,
        nullif(trim("Type"), '') as type,
        nullif(trim("Product Category"), '') as taxonomy,
        nullif(
            concat_ws(
                ' / ',
                nullif(nullif(trim("Option1 Value"), ''), 'Default Title'),
                nullif(trim("Option2 Value"), ''),
                nullif(trim("Option3 Value"), '')
            ),
            ''
        ) as variant,
        coalesce(nullif(trim("Variant SKU"), ''), nullif(trim("SKU"), '')) as sku,
        coalesce(nullif(trim("Variant Price"), ''), nullif(trim("Price"), '')) as price,
        nullif(trim("Cost per item"), '') as cost
    from rows
),

products as (
    select
        handle,
        first(title order by _record) filter (where title is not null) as title,
        first(vendor order by _record) filter (where vendor is not null) as vendor,
        first(type order by _record) filter (where type is not null) as type,
        first(taxonomy order by _record) filter (where taxonomy is not null) as taxonomy
    from read
    group by handle
),

articles as (
    select
        read._record,
        read._line,
        coalesce(read.sku, concat_ws(' - ', products.title, read.variant)) as id,
        read.sku,
        concat_ws(' - ', products.title, read.variant) as name,
        products.vendor as brand,
        coalesce(products.type, products.taxonomy, 'Uncategorized') as category,
        read.price as retail_price,
        read.cost
    from read
    inner join products on read.handle is not distinct from products.handle
    where read.price is not null or read.sku is not null
)

select *
from articles
qualify row_number() over (partition by id order by _record) = 1
