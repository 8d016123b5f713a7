"""Write the SQL that reads typed columns with DuckDB.

Its casts are lax ('7.6' becomes 8, '1e3' becomes 1000), so every cast is guarded by the exact form that the contract's
type allows. A field that is empty or unreadable is NULL.
"""

from __future__ import annotations

from collections.abc import Mapping
from string import ascii_lowercase, ascii_uppercase
from typing import assert_never

from takings.adapters.duckdb.sql import SQL_TYPES, literal
from takings.adapters.merging.days import offset_micros, wall_clock_micros
from takings.contracts.forms import BLANKS, INTEGER_PATTERN, LOCAL_TIME_PATTERN, MONEY_PATTERN, ZONED_TIME_PATTERN
from takings.contracts.model import MAX_TEXT_BYTES, Column, ColumnType, Contract
from takings.time_zones import BusinessTime
from takings.time_zones import business_time as zone_of


def blank(raw: str) -> str:
    """Return the condition under which a raw field is empty or all blanks."""
    return f"({raw} is null or ({raw} < '!' and ltrim({raw}, {_characters(BLANKS)}) = ''))"


def _characters(text: str) -> str:
    return " || ".join(f"chr({ord(character)})" for character in text)


def typed_field(column: Column, raw: dict[str, str], business_time: BusinessTime) -> str:
    """Return the value of a raw field as its column's type."""
    sql_type = SQL_TYPES[column.type]
    if column.name not in raw:
        return f"cast(null as {sql_type})"
    field = raw[column.name]
    match column.type:
        case ColumnType.IDENTIFIER:
            number = f"{field}_number"
            return f"case when cast({number} as varchar) = {field} and {number} >= 0 then {number} end"
        case ColumnType.INTEGER:
            return f"case when regexp_full_match({field}, '{INTEGER_PATTERN}') then try_cast({field} as bigint) end"
        case ColumnType.MONEY:
            # Most prices are like 12.50 or 12.5. Read with two digits and written back, such a price begins with its field:
            # that proves it exact, and is cheaper than a pattern.
            cents = f"{field}_cents"
            return (
                f"case when starts_with(cast({cents} as varchar), {field}) and not ends_with({field}, '.')"
                f" then cast({cents} as {sql_type})"
                f" when regexp_full_match({field}, '{MONEY_PATTERN}') then try_cast({field} as {sql_type}) end"
            )
        case ColumnType.TIMESTAMP:
            return _instant(field, _times_of(column, business_time))
        case ColumnType.TEXT if column.values is None:
            return f"case when strlen({field}) <= {MAX_TEXT_BYTES} and not {blank(field)} then {field} end"
        case ColumnType.TEXT:
            return _stored_value(column.values, field)
        case _:
            assert_never(column.type)


def _stored_value(values: Mapping[str, str], field: str) -> str:
    """Return what to store for a spelling of a listed value; no spelling is blank or too long."""
    cases = " ".join(f"when {literal(spelling)} then {literal(stored)}" for spelling, stored in values.items())
    if all(spelling.isascii() for spelling in values):
        # A non-ASCII letter that folds to ASCII has more bytes, so with equal lengths only A-Z were folded.
        return f"case when strlen(lower({field})) = strlen({field}) then case lower({field}) {cases} end end"
    return f"case translate({field}, {literal(ascii_uppercase)}, {literal(ascii_lowercase)}) {cases} end"


def _instant(field: str, business_time: BusinessTime) -> str:
    """Return the instant of a field, from its UTC clock or wall clock in other columns, or with another zone.

    A lax reading that converts back to the same text is exact; this test is cheaper than a pattern.
    """
    # The cast reads every offset, but not `z`, and no blank before an offset.
    plain = f"upper(regexp_replace({field}, ' ([-+Zz])', '\\1'))"
    zoned = f"coalesce(try_cast({field} as timestamptz), try_cast({plain} as timestamptz))"
    local = f"make_timestamptz({field}_wall_clock)"
    utc = f"make_timestamptz(epoch_us({field}_utc_clock))"
    years = f"{field}_utc_clock between timestamp '0001-01-01' and timestamp '9999-12-31 23:59:59.999999'"
    if not business_time.is_utc:
        shifted = f"make_timestamptz({field}_wall_clock - {field}_offset)"
        local = f"case when {_in_calendar(shifted)} then {shifted} end"
    return f"""case
            when {field} is null then null
            when {field}_wall_clock is not null then {local}
            when cast({field}_utc_clock as varchar) || ' UTC' = {field} and {years} then {utc}
            when {field} < '0001' then null
            when not regexp_full_match({field}, '{ZONED_TIME_PATTERN}') then null
            when {field}_utc_clock is not null then case when {_in_calendar(utc)} then {utc} end
            when {_in_calendar(zoned)} then {zoned}
            end"""


def _utc_clock(field: str) -> str:
    """Read a time in UTC laxly, as a timestamp: a cast to an instant calls the time zone library for every row."""
    is_utc = f"strlen({field}) > 19 and (ends_with({field}, ' UTC') or ends_with({field}, 'Z'))"
    return f"case when {is_utc} then try_cast({field} as timestamp) end"


def _wall_clock(field: str) -> str:
    """Read a time without a zone as microseconds; the most common form is read by a fixed format, twice as fast as a pattern.

    A fixed format allows blanks around the time. The first character is not a blank because it is at least '0'; the last one
    is tested.
    """
    usual = f"try_strptime({field}, '%Y-%m-%dT%H:%M:%S')"
    return f"""case when {field}_utc_clock is null then epoch_us(coalesce(
            case when strlen({field}) = 19 and substr({field}, 19, 1) >= '0' and {field} >= '0001' then {usual} end,
            case
                when ends_with({field}, ' UTC') or {field} < '0001' or ends_with({field}, 'Z') then null
                when regexp_full_match({field}, '{LOCAL_TIME_PATTERN}') then try_cast({field} as timestamp)
            end)) end"""


def with_first_readings(contract: Contract, raw: dict[str, str], source: str, business_time: BusinessTime) -> str:
    """Return the source with a first reading next to each field, so that no field is read twice.

    This is `_number` for an identifier, `_cents` for an amount, and `_utc_clock` for a time, or its `_wall_clock` with its
    `_offset` if it is not in UTC.
    """
    readings: list[str] = []
    times: dict[str, BusinessTime] = {}
    for column in contract.columns:
        field = raw.get(column.name)
        match column.type:
            case _ if field is None:
                continue
            case ColumnType.IDENTIFIER:
                readings.append(f"try_cast({field} as bigint) as {field}_number")
            case ColumnType.MONEY:
                readings.append(f"try_cast({field} as decimal(12, 2)) as {field}_cents")
            case ColumnType.TIMESTAMP:
                readings.append(f"{_utc_clock(field)} as {field}_utc_clock")
                times[field] = _times_of(column, business_time)
            case ColumnType.INTEGER | ColumnType.TEXT:
                pass
            case _:
                assert_never(column.type)
    layers = [readings, [f"{_wall_clock(field)} as {field}_wall_clock" for field in times]]
    layers.append(
        [
            f"{offset_micros(f'{field}_wall_clock', zone.by_wall_clock, zone.first_offset)} as {field}_offset"
            for field, zone in times.items()
            if not zone.is_utc
        ]
    )
    for layer in layers:
        if layer:
            source = f"(select *, {', '.join(layer)} from {source})"
    return source


def _times_of(column: Column, business_time: BusinessTime) -> BusinessTime:
    """Return the zone of a column's times that name none."""
    return zone_of(column.time_zone) if column.time_zone else business_time


def _in_calendar(instant: str) -> str:
    """Return the condition under which an instant has a year of four digits in UTC."""
    return f"{instant} between timestamptz '0001-01-01 00:00:00+00' and timestamptz '9999-12-31 23:59:59.999999+00'"


def business_day(instant: str, business_time: BusinessTime) -> str:
    """Return the SQL of the business day of a timestamptz."""
    return f"cast(make_timestamp({wall_clock_micros(f'epoch_us({instant})', business_time)}) as date)"
