"""Read how a file says a column: its header texts, what it is made of, its default and how its texts are written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from takings.contracts.date_formats import UnusableFormat, read_date_format
from takings.contracts.file_format import FileFormat
from takings.contracts.fits import fits
from takings.contracts.model import Column, ColumnType
from takings.contracts.number_formats import number_format
from takings.contracts.origins import ConstantPart, FieldPart, FolderPart, Origin, Part
from takings.contracts.rules import type_demand
from takings.contracts.yaml_nodes import Entry
from takings.errors import SettingsError
from takings.time_zones import business_time

#: a day alone, where the contract has no format of its own
ISO_DAY: Final = "yyyy-MM-dd"
#: no drop lies deeper
DEEPEST: Final = 20
_LONGEST_CURRENCY: Final = 10
_KINDS: Final = ("concat", "dateTime", "constant", "folder")


def read_mapping(column: Column, fields: Mapping[str, Entry], custom: Mapping[str, Entry], file: FileFormat) -> Column:
    """Return the column with what its keys say about the file; raise ContractError if they are not usable."""
    options = fields.get("logicalTypeOptions", None)
    currencies = _currencies(column, custom["takingsCurrency"], file) if "takingsCurrency" in custom else ()
    mapped = replace(column, header_names=_header_names(column, fields, custom), currencies=currencies)
    if column.type is ColumnType.TIMESTAMP:
        mapped = _with_time_format(mapped, fields["logicalType"], options)
    elif column.type in (ColumnType.MONEY, ColumnType.INTEGER):
        is_money = column.type is ColumnType.MONEY
        mapped = replace(mapped, written=number_format(file, currencies, is_money=is_money))
    if "takingsFrom" in custom:
        mapped = replace(mapped, origin=_read_origin(mapped, custom["takingsFrom"]))
    if "takingsDefault" in custom:
        mapped = replace(mapped, default=_fitting(mapped, custom["takingsDefault"]))
    return mapped


def check_header_names(columns: Iterable[tuple[Column, Entry]], file: FileFormat) -> None:
    """Refuse two columns that one header text would name; the entries say where the columns stand."""
    taken: dict[str, tuple[Column, Entry]] = {}
    for column, place in columns:
        if column.origin is not None:
            continue
        for name in column.known_as:
            key = name.strip().casefold() if file.is_header_loose else name
            other, line = taken.setdefault(key, (column, place))
            if other is not column:
                raise place.error(
                    f"the header text '{name}' already names '{other.name}' on line {line.line}, and a field of the file is"
                    f" one column. Give '{column.name}' another 'physicalName', or build it from others with 'takingsFrom'."
                )


def _header_names(column: Column, fields: Mapping[str, Entry], custom: Mapping[str, Entry]) -> tuple[str, ...]:
    """Return the header texts of a column; nothing where its name is the only one."""
    places = [fields["physicalName"]] if "physicalName" in fields else []
    if "takingsAliases" in custom:
        aliases = custom["takingsAliases"].entries("header text")
        if not aliases:
            raise custom["takingsAliases"].error("'takingsAliases' is empty. Name a header text, or leave it out.")
        places += aliases
    if places and "takingsFrom" in custom:
        raise places[0].error(
            f"'{column.name}' is made of others ('takingsFrom'), so no header text names it. Leave '{places[0].name}' out."
        )
    names = [] if "physicalName" in fields else [column.name]
    for place in places:
        if (name := place.text()) in names:
            raise place.error(f"the header text '{name}' is here twice. Keep one of them.")
        names.append(name)
    return () if names == [column.name] else tuple(names)


def _with_time_format(column: Column, logical_type: Entry, options: Entry | None) -> Column:
    is_day = logical_type.text() == "date"
    written = read_date_format(ISO_DAY, is_day=True) if is_day else None
    column = replace(column, is_day=is_day, written=written)
    fields = options.fields(("format", "defaultTimezone")) if options else {}
    if "format" in fields:
        pattern = fields["format"].text()
        try:
            column = replace(column, format=pattern, written=read_date_format(pattern, is_day=is_day))
        except UnusableFormat as fault:
            raise fields["format"].error(f"the format '{pattern}' of '{column.name}' cannot be read: {fault}") from None
    if "defaultTimezone" in fields:
        zone = fields["defaultTimezone"].text()
        try:
            column = replace(column, time_zone=business_time(zone).name)
        except SettingsError:
            raise fields["defaultTimezone"].error(
                f"'{zone}' is not a time zone. Use an IANA name such as 'UTC' or 'Europe/Berlin'."
            ) from None
    return column


def _currencies(column: Column, entry: Entry, file: FileFormat) -> tuple[str, ...]:
    if column.type is not ColumnType.MONEY:
        raise entry.error(f"'takingsCurrency' goes with money. Write 'logicalType: number' for '{column.name}'.")
    places = [entry] if entry.is_scalar() else entry.entries("currency")
    currencies = tuple(place.text() for place in places)
    if not currencies:
        raise entry.error("'takingsCurrency' is empty. Name a sign or a code, such as '$' or EUR, or leave it out.")
    for place, currency in zip(places, currencies, strict=True):
        if len(currency) > _LONGEST_CURRENCY or currency.strip() != currency:
            raise place.error(
                f"a currency is a sign or a code of at most {_LONGEST_CURRENCY} characters, without blanks around it."
            )
        if any(sign.isdigit() or sign in ("-", file.decimal, file.thousands) for sign in (currency[0], currency[-1])):
            raise place.error(
                f"the currency '{currency}' begins or ends with a sign that also occurs in numbers. Write another one."
            )
    return currencies


def _read_origin(column: Column, entry: Entry) -> Origin:
    fields = entry.fields((*_KINDS, "separator"))
    kinds = [kind for kind in _KINDS if kind in fields]
    if len(kinds) != 1:
        raise entry.error(f"'takingsFrom' holds one of {', '.join(_KINDS)}. Write exactly one.")
    kind, place = kinds[0], fields[kinds[0]]
    if "separator" in fields and kind != "concat":
        raise fields["separator"].error("'separator' goes with 'concat'. Leave it out.")
    match kind:
        case "concat":
            return _concat(entry, place, fields.get("separator"))
        case "dateTime":
            return _date_time(column, place)
        case "constant":
            return Origin(parts=(ConstantPart(text=_fitting(column, place)),))
        case _:
            return Origin(parts=(_folder(place),))


def _concat(entry: Entry, place: Entry, separator: Entry | None) -> Origin:
    parts = tuple(_part(item) for item in place.entries("part"))
    if len(parts) < 2:
        raise place.error("'concat' joins two parts or more. Name another one.")
    if separator is None:
        raise entry.error("'concat' needs a 'separator', or 1 and 23 would look like 12 and 3. Add one, such as '-'.")
    sign = separator.sign()
    if sign.isalnum() or not sign.isprintable():
        raise separator.error("'separator' must be a sign, such as '-' or '/': most texts contain letters and digits.")
    for part in parts[1:]:
        if isinstance(part, ConstantPart) and sign in part.text:
            raise place.error(
                f"the constant '{part.text}' contains the separator, which only the first part may. Choose another separator."
            )
    return Origin(parts=parts, separator=sign, is_guarded=True)


def _part(item: Entry) -> Part:
    if item.is_scalar():
        return FieldPart(name=item.text())
    fields = item.fields(("folder", "constant"))
    if len(fields) != 1:
        raise item.error("a part is a header text, {folder: 1} or {constant: text}. Write exactly one.")
    return _folder(fields["folder"]) if "folder" in fields else ConstantPart(text=fields["constant"].text())


def _date_time(column: Column, place: Entry) -> Origin:
    if column.type is not ColumnType.TIMESTAMP or column.is_day:
        raise place.error(f"'dateTime' makes a timestamp. Write 'logicalType: timestamp' for '{column.name}'.")
    items = place.entries("header text")
    if len(items) != 2:
        raise place.error("'dateTime' joins a date and a time. Name two header texts.")
    return Origin(parts=tuple(FieldPart(name=item.text()) for item in items), separator=" ")


def _folder(place: Entry) -> FolderPart:
    level = place.whole()
    if not 1 <= level <= DEEPEST:
        raise place.error(
            f"'folder' counts from 1, the first folder below the dataset's own, to {DEEPEST}. Write such a number."
        )
    return FolderPart(level=level)


def _fitting(column: Column, entry: Entry) -> str:
    """Return a text of the contract that replaces a field; the column must be able to hold it."""
    text = entry.text()
    if not fits(column, text):
        demand = f"must be one of {', '.join(column.values)}" if column.values else type_demand(column)
        raise entry.error(f"'{text}' does not fit '{column.name}': it {demand}.")
    return text
