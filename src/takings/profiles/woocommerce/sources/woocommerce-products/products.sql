-- Grain: one row per product of WooCommerce's own product export. Variations are left out: an order names their product.
-- A product's category is the first that it lists, with the categories above it; a comma within a name has a backslash.
select
    _record,
    _line,
    "ID" as id,
    nullif(trim("SKU"), '') as sku,
    "Name" as name,
    nullif(trim("Regular price"), '') as retail_price,
    coalesce(
        nullif(trim(replace(regexp_extract("Categories", '^((?:[^,\\]|\\.)*)', 1), '\,', ',')), ''),
        'Uncategorized'
    ) as category
from rows
where not starts_with(lower(trim("Type")), 'variation')
