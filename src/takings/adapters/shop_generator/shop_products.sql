-- Grain: one row per product of [first_record, past_record), by id. All it is is a function of its id alone, so
-- that items know their product's price, and lines of an export its name, without a join.
create macro category_number(product) as
    case
        when product <= 28 then product
        else 1 + (pick(10, product, 2800) + pick_popular(10, product, 2800)) // 200
    end;

create macro retail_cents_before_ending(product) as
    [
        6900, 2400, 3800, 3200, 5800, 4200, 1200, 2900, 3900, 4500, 3600, 7400, 4900, 18900, 12900, 14500, 5900, 2600,
        5400, 6800, 2200, 5200, 5600, 16900, 3500, 1500, 4100, 3300
    ][category_number(product)]
    * (50 + pick(11, product, 120)) // 10000 * 100;

create macro retail_cents(product) as
    retail_cents_before_ending(product) + [99, 99, 95, 50, 0][1 + pick(12, product, 5)];

create macro cost_cents(product) as retail_cents(product) * (35 + pick(13, product, 31)) // 100;

create macro product_category(product) as
    [
        'Jeans', 'Swim', 'Shorts', 'Tops & Tees', 'Sweaters', 'Active', 'Socks', 'Intimates', 'Sleep & Lounge',
        'Accessories', 'Plus', 'Dresses', 'Skirts', 'Suits', 'Blazers & Jackets', 'Outerwear & Coats', 'Pants',
        'Leggings', 'Maternity', 'Jumpsuits & Rompers', 'Underwear', 'Pants & Capris', 'Fashion Hoodies & Sweatshirts',
        'Suits & Sport Coats', 'Clothing Sets', 'Socks & Hosiery', 'Bags, Belts & Scarves', 'Home'
    ][category_number(product)];

create macro product_name(product) as
    concat(
        ['Slim', 'Relaxed', 'Classic', 'Light', 'Warm', 'Everyday', 'Vintage', 'Soft', 'Crème', 'Sporty']
            [1 + pick(14, product, 10)],
        ' ',
        ['Cotton', 'Wool', 'Linen', 'Denim', 'Silk', 'Fleece', 'Jersey'][1 + pick(15, product, 7)],
        ' ',
        [
            'Jeans', 'Swim Trunks', 'Shorts', 'Tee', 'Sweater', 'Track Top', 'Socks', 'Slip', 'Pyjamas', 'Cap',
            'Blouse', 'Dress', 'Skirt', 'Suit', 'Blazer', 'Coat', 'Chinos', 'Leggings', 'Maternity Top', 'Romper',
            'Boxers', 'Capris', 'Hoodie', 'Sport Coat', 'Set', 'Tights', 'Scarf', 'Throw'
        ][category_number(product)],
        case pick(16, product, 12)
            when 0 then ', "deluxe"'
            when 1 then ', pack of ' || (2 + pick(17, product, 4))
            when 2 then ' 12" cut'
            else ''
        end
    );

create macro product_brand(product) as
    case
        when is_one_in(18, product, 40) then null
        else ['North', 'Globex', 'Umbrella', 'Fern & Co', 'Halden', 'Initech', 'Lark', 'Mori', 'Otis, Sons', 'Pike']
            [1 + pick(19, product, 10)] || ' ' || (1 + pick_popular(110, product, 40))
    end;

create macro product_sku(product) as
    concat(
        ['TKG', 'nor', 'Glx', 'UMB', 'Fen'][1 + pick(112, product, 5)],
        '-',
        lpad(cast(pick(113, product, 100000000) as varchar), 8, '0')
    );

create view shop_products as
select
    product as id,
    cost_cents(product) as cost_cents,
    product_category(product) as category,
    product_name(product) as name,
    product_brand(product) as brand,
    retail_cents(product) as retail_cents,
    ['Women', 'Women', 'Men', 'Men', 'Kids'][1 + pick(111, product, 5)] as department,
    product_sku(product) as sku
from range(getvariable('first_record')::bigint, getvariable('past_record')::bigint) as numbers(product);
