-- Grain: one row per article that was sold, tips aside, as far as an order tells: it stands in for the product until the products
-- export names it. Its category is not known there; the vendor stands in for it.
with sold as (
    select
        _record,
        _line,
        nullif(trim("Lineitem sku"), '') as sku,
        nullif(trim("Lineitem name"), '') as name,
        nullif(trim("Vendor"), '') as vendor
    from rows
    where
        ("Lineitem name" is not null or "Lineitem price" is not null or "Lineitem quantity" is not null)
        and not coalesce("Lineitem name" = 'Tip' and "Lineitem sku" is null and "Vendor" is null, false)
)

select
    min(_record) as _record,
    min(_line) as _line,
    coalesce(sku, name) as id,
    first(sku order by _record) as sku,
    first(name order by _record) as name,
    first(vendor order by _record) filter (where vendor is not null) as brand,
    coalesce(first(vendor order by _record) filter (where vendor is not null), 'Uncategorized') as category
from sold
group by coalesce(sku, name)
