-- Grain: none; scalar macros. How the public data set of the Brazilian shop Olist writes ids, money, times, statuses:
-- ids of 32 hexadecimal digits, `12.9`, local times without an offset, more statuses than we count.
create macro olist_id(kind, number) as md5(kind || '-' || number);

create macro olist_money(cents) as concat(
    cents // 100,
    '.',
    case
        when cents % 10 = 0 then cast(cents % 100 // 10 as varchar)
        else lpad(cast(cents % 100 as varchar), 2, '0')
    end
);

create macro olist_time(seconds) as strftime(make_timestamp(seconds * 1000000), '%Y-%m-%d %H:%M:%S');

create macro olist_status(order_id, status) as
    case
        when status = 'cancelled' then ['canceled', 'unavailable'][1 + pick(59, order_id, 2)]
        when status = 'processing' then ['processing', 'created', 'approved', 'invoiced'][1 + pick(59, order_id, 4)]
        when status = 'shipped' then 'shipped'
        else 'delivered'
    end;

create macro olist_category(category) as lower(replace(replace(replace(category, ' & ', '_'), ', ', '_'), ' ', '_'));
