-- Grain: none; scalar macros. How the plain format writes money and times: as types, which the CSV writer prints.
create macro plain_money(cents) as cents::decimal(16, 0) * 0.01::decimal(3, 2);

create macro plain_time(seconds) as make_timestamp(seconds * 1000000);
