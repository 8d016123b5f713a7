-- Grain: one row per order of [first_order, past_order) and article in it, by order. What exports of shop systems hold:
-- the items of one article as one line with a quantity, at the highest of their prices, and the difference as the line's
-- own discount; some orders have a discount code of 10 %; some were placed without an account.
create macro product_has_variants(product) as product % 4 = 0;

-- An article is a product, or one of its two variants: 2 * product, 2 * product + 1.
create macro item_article(id, product) as
    product * 2 + case when product_has_variants(product) then pick(52, id, 2) else 0 end;

create macro shop_item(id, product, order_status) as
    {
        'article': item_article(id, product),
        'cents': item_cents(id, product),
        'is_kept': item_status(id, order_status) not in ('returned', 'cancelled')
    };

create view shop_lines as
with filled as (
    select
        *,
        list_transform(
            range(first_item, first_item + item_count),
            lambda id: shop_item(id, item_product(id, first_item), status)
        ) as items
    from shop_orders
),

articled as (
    select
        *,
        list_transform(items, lambda item: item.article) as articles,
        list_sum(list_transform(items, lambda item: item.cents))::bigint as goods_cents,
        coalesce(list_sum(list_transform(
            list_filter(items, lambda item: not item.is_kept), lambda item: item.cents
        )), 0)::bigint as lost_cents
    from filled
),

lined as (
    select
        *,
        case when is_one_in(50, order_id, 6) then goods_cents // 10 else 0 end as discount_cents,
        list_transform(
            list_filter(items, lambda item, place: list_position(articles, item.article) = place),
            lambda head: list_filter(items, lambda item: item.article = head.article)
        ) as lines
    from articled
),

numbered as (
    select
        * exclude (items, articles, lines),
        list_sum(list_transform(
            lines, lambda line: len(line) * list_max(list_transform(line, lambda item: item.cents))
        ))::bigint as listed_cents,
        unnest(lines) as pieces,
        unnest(range(1, len(lines) + 1)) as line,
        unnest(list_transform(
            range(len(lines)),
            lambda before: coalesce(list_sum(list_transform(
                flatten(list_slice(lines, 1, before)), lambda item: item.cents
            )), 0)::bigint
        )) as cents_before
    from lined
),

summed as (
    select
        * exclude (pieces),
        pieces[1].article // 2 as product_id,
        pieces[1].article % 2 as variant,
        len(pieces) as quantity,
        list_max(list_transform(pieces, lambda item: item.cents)) as price_cents,
        list_sum(list_transform(pieces, lambda item: item.cents))::bigint as line_cents,
        len(list_filter(pieces, lambda item: not item.is_kept)) as lost_pieces,
        coalesce(list_sum(list_transform(
            list_filter(pieces, lambda item: not item.is_kept), lambda item: item.cents
        )), 0)::bigint as lost_line_cents
    from numbered
)

select
    *,
    -- of the order's discount, all up to this line less all before it: no cent is lost
    discount_cents * (cents_before + line_cents) // goods_cents - discount_cents * cents_before // goods_cents
        as discount_share,
    is_one_in(53, order_id, 20) as is_guest
from summed;
