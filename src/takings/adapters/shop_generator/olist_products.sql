-- Grain: one row per product; some have no category. The misspelt names are that data set's own.
select
    olist_id('product', id) as product_id,
    case when id % 60 <> 0 then olist_category(category) end as product_category_name,
    length(name) as product_name_lenght,
    length(name) * 9 as product_description_lenght,
    1 + pick(67, id, 5) as product_photos_qty,
    100 * (1 + pick(68, id, 200)) as product_weight_g
from shop_products
