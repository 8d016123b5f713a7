-- Grain: none; scalar macros. How the public data set thelook_ecommerce writes money, times and statuses: `24.5`, some
-- money with 16 decimals; ` UTC` behind each time, some with microseconds; statuses with a capital.
create macro thelook_short_money(cents) as concat(
    cents // 100,
    '.',
    case
        when cents % 10 = 0 then cast(cents % 100 // 10 as varchar)
        else lpad(cast(cents % 100 as varchar), 2, '0')
    end
);

create macro thelook_long_money(stream, record, cents) as concat(
    cents // 100,
    '.',
    lpad(cast(cents % 100 as varchar), 2, '0'),
    lpad(cast(pick(stream + 1, record, 10000000) as varchar), 7, '0'),
    lpad(cast(pick(stream + 2, record, 10000000) as varchar), 7, '0')
);

create macro thelook_money(stream, record, cents) as
    case
        when is_one_in(stream, record, 4) then thelook_long_money(stream, record, cents)
        else thelook_short_money(cents)
    end;

create macro thelook_time(stream, record, seconds) as concat(
    cast(
        make_timestamp(
            seconds * 1000000 + case when is_one_in(stream, record, 3) then pick(stream + 1, record, 1000000) else 0 end
        ) as varchar
    ),
    ' UTC'
);

create macro thelook_status(status) as
    case status
        when 'delivered' then 'Complete'
        when 'returned' then 'Returned'
        when 'shipped' then 'Shipped'
        when 'processing' then 'Processing'
        else 'Cancelled'
    end;

-- An absent value, which that data set leaves out or writes as a quoted empty string.
create macro thelook_absent(stream, record) as case when is_one_in(stream, record, 4) then '' end;
