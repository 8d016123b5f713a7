"""What a contract says about a column in the file: names, parts, defaults, formats; and what the loader refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from takings.contracts import Contract, load_contracts, parse_contract
from takings.contracts.meaning import hash_of
from takings.contracts.model import Column, Dataset
from takings.contracts.origins import ConstantPart, FieldPart, FolderPart, Origin
from takings.errors import ContractError

MINIMAL = Path(__file__).parent / "minimal"
HEAD = (MINIMAL / "products.odcs.yaml").read_text(encoding="utf-8")
#: the line of the added column
FIRST = HEAD.count("\n") + 1


def column_of(*lines: str) -> Column:
    """Return a column `extra`, added to a minimal contract of products."""
    return contract_of(*lines).column("extra")


def contract_of(*lines: str) -> Contract:
    return parse_contract(HEAD + "      - name: extra\n" + "".join(f"        {line}\n" for line in lines), "p.yaml")


def custom(name: str, value: str) -> str:
    return f"customProperties: [{{property: {name}, value: {value}}}]"


def refusal(*lines: str) -> str:
    """Return the loader's message, with the line counted from the column's first line."""
    with pytest.raises(ContractError) as caught:
        contract_of(*lines)
    _, line, text = str(caught.value).split(":", 2)
    return f"{int(line) - FIRST}:{text}"


TEXT, MONEY, TIME, DAY = ("logicalType: " + kind for kind in ("string", "number", "timestamp", "date"))


def test_a_header_text_is_anything() -> None:
    """Any script, with blanks; aliases come after it, or after the name."""
    assert column_of(TEXT, "physicalName: ' Größe (cm) '").known_as == (" Größe (cm) ",)
    assert column_of(TEXT, "physicalName: Size", custom("takingsAliases", "[size, 尺寸]")).known_as == (
        "Size",
        "size",
        "尺寸",
    )
    assert column_of(TEXT, custom("takingsAliases", "[size]")).known_as == ("extra", "size")
    assert column_of(TEXT, "physicalName: extra").header_names == ()


@pytest.mark.parametrize(
    ("value", "origin"),
    [
        (
            "{concat: [a b, {folder: 2}, {constant: x}], separator: /}",
            Origin(
                parts=(FieldPart(name="a b"), FolderPart(level=2), ConstantPart(text="x")),
                separator="/",
                is_guarded=True,
            ),
        ),
        ("{constant: shop-a}", Origin(parts=(ConstantPart(text="shop-a"),))),
        ("{folder: 1}", Origin(parts=(FolderPart(level=1),))),
    ],
)
def test_a_column_is_made_of_others(value: str, origin: Origin) -> None:
    assert column_of(TEXT, custom("takingsFrom", value)).origin == origin


def test_a_time_is_made_of_two_fields() -> None:
    column = column_of(TIME, custom("takingsFrom", "{dateTime: [date, time]}"))
    assert column.origin == Origin(parts=(FieldPart(name="date"), FieldPart(name="time")), separator=" ")


def test_a_default_stands_for_a_missing_column() -> None:
    """So the header may lack it, unless the contract says otherwise."""
    required = "required: true"
    assert column_of(TEXT, required, custom("takingsDefault", "none")).is_mandatory is False
    both = "[{property: takingsDefault, value: none}, {property: takingsMandatory, value: true}]"
    assert column_of(TEXT, required, f"customProperties: {both}").is_mandatory is True


def test_demands_name_the_format() -> None:
    """A report shows what this contract expects, not the usual format."""
    demands = {
        rule.demand
        for lines in (
            (DAY,),
            (TIME, "logicalTypeOptions: {format: M/d/yy h:mm a}"),
            (MONEY, custom("takingsCurrency", "[$, USD]")),
        )
        for rule in contract_of(*lines).rules
        if rule.id == "extra|type"
    }
    assert demands == {
        "must be a date like 2025-12-31, in the format yyyy-MM-dd",
        "must be a date and time like 12/31/25 4:14 PM, in the format M/d/yy h:mm a",
        (
            "must be a number like 1234.50, with or without $ or USD before or after it, with at most 12 digits before the ."
            " and 16 after it"
        ),
    }


REFUSED = {
    "a header text twice": (
        (TEXT, "physicalName: a", custom("takingsAliases", "[b, a]")),
        "3: the header text 'a' is here twice. Keep one of them.",
    ),
    "another column's name": (
        (TEXT, "physicalName: cost"),
        (
            "0: the header text 'cost' already names 'cost' on line 14, and a field of the file is one column. Give 'extra'"
            " another 'physicalName', or build it from others with 'takingsFrom'."
        ),
    ),
    "no alias": (
        (TEXT, custom("takingsAliases", "[]")),
        "2: 'takingsAliases' is empty. Name a header text, or leave it out.",
    ),
    "a header text and parts": (
        (TEXT, "physicalName: a", custom("takingsFrom", "{constant: x}")),
        "2: 'extra' is made of others ('takingsFrom'), so no header text names it. Leave 'physicalName' out.",
    ),
    "two ways": (
        (TEXT, custom("takingsFrom", "{constant: x, folder: 1}")),
        "2: 'takingsFrom' holds one of concat, dateTime, constant, folder. Write exactly one.",
    ),
    "no way": (
        (TEXT, custom("takingsFrom", "{separator: '-'}")),
        "2: 'takingsFrom' holds one of concat, dateTime, constant, folder. Write exactly one.",
    ),
    "one part": (
        (TEXT, custom("takingsFrom", "{concat: [a], separator: '-'}")),
        "2: 'concat' joins two parts or more. Name another one.",
    ),
    "no separator": (
        (TEXT, custom("takingsFrom", "{concat: [a, b]}")),
        "2: 'concat' needs a 'separator', or 1 and 23 would look like 12 and 3. Add one, such as '-'.",
    ),
    "an empty separator": (
        (TEXT, custom("takingsFrom", "{concat: [a, b], separator: ''}")),
        "2: 'separator' must be one character, in quotes.",
    ),
    "a letter that separates": (
        (TEXT, custom("takingsFrom", "{concat: [a, b], separator: x}")),
        "2: 'separator' must be a sign, such as '-' or '/': most texts contain letters and digits.",
    ),
    "a separator of its own": (
        (TEXT, custom("takingsFrom", "{folder: 1, separator: '-'}")),
        "2: 'separator' goes with 'concat'. Leave it out.",
    ),
    "a constant with the separator": (
        (TEXT, custom("takingsFrom", "{concat: [a, {constant: shop-a}], separator: '-'}")),
        "2: the constant 'shop-a' contains the separator, which only the first part may. Choose another separator.",
    ),
    "a part that is two": (
        (TEXT, custom("takingsFrom", "{concat: [a, {constant: x, folder: 1}], separator: '-'}")),
        "2: a part is a header text, {folder: 1} or {constant: text}. Write exactly one.",
    ),
    "folder 0": (
        (TEXT, custom("takingsFrom", "{folder: 0}")),
        "2: 'folder' counts from 1, the first folder below the dataset's own, to 20. Write such a number.",
    ),
    "a text of date and time": (
        (TEXT, custom("takingsFrom", "{dateTime: [a, b]}")),
        "2: 'dateTime' makes a timestamp. Write 'logicalType: timestamp' for 'extra'.",
    ),
    "a date alone": (
        (TIME, custom("takingsFrom", "{dateTime: [a]}")),
        "2: 'dateTime' joins a date and a time. Name two header texts.",
    ),
    "a constant that does not fit": (
        (MONEY, custom("takingsFrom", "{constant: cheap}")),
        (
            "2: 'cheap' does not fit 'extra': it must be a number like 12.50, with at most 12 digits before the point and 16"
            " after it."
        ),
    ),
    "a default that does not fit": (
        (DAY, custom("takingsDefault", "'31.12.2025'")),
        "2: '31.12.2025' does not fit 'extra': it must be a date like 2025-12-31, in the format yyyy-MM-dd.",
    ),
    "a day that does not exist": (
        (DAY, custom("takingsDefault", "'2025-02-29'")),
        "2: '2025-02-29' does not fit 'extra': it must be a date like 2025-12-31, in the format yyyy-MM-dd.",
    ),
    "a default that is not listed": (
        (TEXT, "enum: [{value: small}, {value: large}]", custom("takingsDefault", "huge")),
        "3: 'huge' does not fit 'extra': it must be one of small, large.",
    ),
    "a currency of text": (
        (TEXT, custom("takingsCurrency", "$")),
        "2: 'takingsCurrency' goes with money. Write 'logicalType: number' for 'extra'.",
    ),
    "a currency that ends like a number": (
        (MONEY, custom("takingsCurrency", "Fr.")),
        "2: the currency 'Fr.' begins or ends with a sign that also occurs in numbers. Write another one.",
    ),
    "a currency with a blank": (
        (MONEY, custom("takingsCurrency", "' $'")),
        "2: a currency is a sign or a code of at most 10 characters, without blanks around it.",
    ),
    "no currency": (
        (MONEY, custom("takingsCurrency", "[]")),
        "2: 'takingsCurrency' is empty. Name a sign or a code, such as '$' or EUR, or leave it out.",
    ),
    "no time zone": (
        (TIME, "logicalTypeOptions: {defaultTimezone: CEST}"),
        "2: 'CEST' is not a time zone. Use an IANA name such as 'UTC' or 'Europe/Berlin'.",
    ),
}


@pytest.mark.parametrize(("lines", "expected"), REFUSED.values(), ids=REFUSED)
def test_refuses_with_line_and_remedy(lines: tuple[str, ...], expected: str) -> None:
    assert refusal(*lines) == expected


#: format -> what is wrong with it
FORMATS = {
    "MM/dd HH": "it has no year. Add yyyy.",
    "yyyy-dd HH": "it has no month. Add MM.",
    "yyyy-MM HH": "it has no day. Add dd.",
    "yyyy-MM-dd": "it has no hour. Add HH, or write 'logicalType: date' where a day is enough.",
    "yyyy-MM-dd HH:ss": "it has the second without the minute. Add mm.",
    "yyyy-MM-dd HH:mm.SSS": "it has the fraction without the second. Add ss.",
    "yyyy-MM-dd hh:mm": "it has the hour of 12 without the half of the day. Add a.",
    "yyyy-MM-dd HH:mm a": "H is the hour of 24, h with a is the hour of 12. Keep one of them.",
    "yyyy-MM-dd HH dd": "'dd' repeats the day. Keep one of them.",
    "yyyyMd HH": "'M' may be one digit or two, and more digits follow directly. Write it twice.",
    "yyyy-MM-dd [HH]": "'[' at character 12 has no meaning. Put text in '…'.",
    "yyyy-MM-dd HH 'Uhr": "''' at character 15 has no meaning. Put text in '…'.",
}


@pytest.mark.parametrize(("pattern", "fault"), FORMATS.items(), ids=FORMATS)
def test_refuses_a_format_that_cannot_be_read(pattern: str, fault: str) -> None:
    quoted = pattern.replace("'", "''")
    said = refusal(TIME, f"logicalTypeOptions: {{format: '{quoted}'}}")
    assert said == f"2: the format '{pattern}' of 'extra' cannot be read: {fault}"


def test_a_word_of_another_standard_is_no_format() -> None:
    """The message lists what is understood."""
    said = refusal(TIME, "logicalTypeOptions: {format: yyyy-MM-DD HH}")
    assert said.startswith(
        "2: the format 'yyyy-MM-DD HH' of 'extra' cannot be read: 'DD' is not understood. Write yyyy, yy,"
    )
    said = refusal(DAY, "logicalTypeOptions: {format: yyyy-MM-dd HH}")
    assert said.endswith("a date has no hour. Leave it out, or write 'logicalType: timestamp'.")


def test_the_shipped_contracts_keep_their_hash() -> None:
    """Stores use it to decide whether every day has to be restated."""
    assert load_contracts().hash == "c62847daa41842170468aa868acc30768a81deaa81d05fabb5ca1da3e5979cbe"


@pytest.mark.parametrize(
    "lines",
    [
        ("physicalName: Extra",),
        (custom("takingsAliases", "[Extra]"),),
        (custom("takingsDefault", "x"),),
        (custom("takingsFrom", "{folder: 1}"),),
        (custom("takingsFrom", "{constant: a}"),),
        (custom("takingsFrom", "{constant: b}"),),
        (custom("takingsFrom", "{concat: [a, b], separator: '-'}"),),
        (custom("takingsFrom", "{concat: [a, b], separator: '/'}"),),
    ],
)
def test_every_mapping_changes_the_meaning(lines: tuple[str, ...]) -> None:
    """A file is then read differently, so every day is restated."""
    plain, mapped = contract_of(TEXT), contract_of(TEXT, *lines)
    assert hash_of({Dataset.PRODUCTS: plain}) != hash_of({Dataset.PRODUCTS: mapped})
