"""What the loader refuses, each with file, line and remedy. Every case changes one thing in a minimal contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from takings.contracts import load_contracts, parse_contract
from takings.errors import ContractError

MINIMAL = Path(__file__).parent / "minimal"

COST = "      - name: cost\n        logicalType: number\n"
CREATED = "      - name: created_at\n        logicalType: timestamp\n        required: true\n"
RETURNED = "      - name: returned_at\n        logicalType: timestamp\n"


def quality(column: str, *lines: str) -> str:
    """Return a column's lines with one entry under `quality`."""
    return column + "        quality:\n          - " + "\n            ".join(lines) + "\n"


def rule(column: str, expression: str) -> str:
    """Return a column's lines with a row expression."""
    value = f"customProperties: [{{property: takingsRule, value: {expression}}}]"
    return quality(column, "type: text", value)


def custom(column: str, name: str, value: str) -> str:
    """Return a column's lines with a custom property."""
    return f"{column}        customProperties:\n          - property: {name}\n            value: {value}\n"


def refusal(dataset: str, old: str, new: str) -> str:
    """Return the loader's message about a minimal contract in which `old` was replaced."""
    text = (MINIMAL / f"{dataset}.odcs.yaml").read_text(encoding="utf-8")
    assert old in text
    with pytest.raises(ContractError) as caught:
        parse_contract(text.replace(old, new, 1), f"{dataset}.odcs.yaml")
    return str(caught.value).removeprefix(f"{dataset}.odcs.yaml:")


DOCUMENT = [
    ("kind: DataContract", "kind: DataContrat", "2: unknown kind 'DataContrat'. Write 'kind: DataContract'."),
    (
        "apiVersion: v3.2.0",
        "apiVersion: v2.2.2",
        "1: unknown apiVersion 'v2.2.2'. Write one of v3.0.0, v3.0.1, v3.0.2, v3.1.0, v3.2.0.",
    ),
    ("kind: DataContract\n", "", "1: the standard requires 'kind'. Add it."),
    ("version: 1.0.0\n", "verson: 1.0.0\n", "4: unknown key 'verson'. Did you mean 'version'?"),
    (
        "version: 1.0.0",
        "version: 1.0",
        "4: 'version' must be text. Write one, in quotes where it looks like a number or a date.",
    ),
    ("  - name: products\n", "  - name: product\n", "6: unknown dataset 'product'. Did you mean 'products'?"),
    (
        "  - name: products\n    properties:",
        "  - properties:",
        "6: the table has no 'name'. Write products, orders or order_items.",
    ),
    ("    properties:", "    logicalType: array\n    properties:", "7: the 'logicalType' of a table must be 'object'."),
    ("schema:\n", "schema:\n  - name: orders\n", "5: 'schema' holds 2 tables. Write one file per dataset."),
    ("    properties:", "    fields:", "7: unknown key 'fields'. Known here: "),
    (
        "    properties:",
        "    relationships: [{from: products.id, to: orders.order_id}]\n    properties:",
        "7: a relationship belongs to its column. Move it there, without 'from'.",
    ),
    (
        "    properties:",
        "    quality: [{type: sql, query: SELECT 0, mustBe: 0}]\n    properties:",
        "7: a rule belongs under the 'quality' of a column. Move it to the column it is about.",
    ),
    (
        "schema:",
        "customProperties: [{property: takingsMandatory, value: true}]\nschema:",
        "5: 'takingsMandatory' belongs to a column, not to a contract. Move it there.",
    ),
    (
        "schema:",
        "customProperties: [{property: owner}]\nschema:",
        "5: a custom property needs 'property' and 'value'. Add what is missing.",
    ),
]


@pytest.mark.parametrize(("old", "new", "message"), DOCUMENT)
def test_refuses_a_document_that_is_no_contract_of_one_dataset(old: str, new: str, message: str) -> None:
    """The frame that the standard requires is checked before any column."""
    said = refusal("products", old, new)
    assert said == message if not message.endswith(": ") else said.startswith(message)


YAML = [
    ("kind: DataContract", "kind: [DataContract", "3: not readable as YAML: expected ',' or ']', but got ':'."),
    (
        "kind: DataContract",
        "kind: DataContract\nkind: DataContract",
        "3: not readable as YAML: the key 'kind' is already on line 2; keep one of them.",
    ),
    (
        "kind: DataContract",
        "name: &x [a, b]\ntags: [*x, *x]\nkind: DataContract",
        "3: not readable as YAML: aliases are not allowed here; write the value out.",
    ),
    ("kind: DataContract", "tags: " + "[" * 40 + "]" * 40, "2: not readable as YAML: nested deeper than 32 levels."),
    ("kind: DataContract", "? [a]\n: b", "2: not readable as YAML: a key must be a plain word."),
    (
        "kind: DataContract",
        "kind: Data\0Contract",
        "2: the file holds a character that YAML does not allow. Remove it.",
    ),
    ("kind: DataContract", 'kind: "\\UFFFFFFFF"', None),
    ("kind: DataContract", "---\nkind: DataContract", None),
    ("kind: DataContract", "kind: !!python/object:os.system x", "2: 'kind' must be text."),
    ("kind: DataContract", "kind: {a: b}", "2: 'kind' must be text."),
]


@pytest.mark.parametrize(("old", "new", "message"), YAML)
def test_refuses_yaml_that_other_readers_might_take_otherwise(old: str, new: str, message: str | None) -> None:
    """Equal keys, aliases, deep nesting and control characters are refused while the document is read."""
    said = refusal("products", old, new)
    assert said.startswith(message) if message else said[0].isdigit()


def test_refuses_an_empty_file() -> None:
    """A file of comments is no contract."""
    with pytest.raises(ContractError) as caught:
        parse_contract("# nothing yet\n", "orders.odcs.yaml")
    assert str(caught.value) == "orders.odcs.yaml:1: the file is empty. Write a contract or remove the file."


def test_refuses_a_file_of_megabytes() -> None:
    """A contract is a page or two; reading more would only cost time."""
    with pytest.raises(ContractError) as caught:
        parse_contract("#" * 70_000, "orders.odcs.yaml")
    assert str(caught.value) == (
        "orders.odcs.yaml:1: the file is larger than 65,536 characters. A contract is a page or two."
    )


def test_refuses_a_bomb_of_aliases_at_once() -> None:
    """A document that would expand to billions of values is refused at its first alias."""
    bomb = "a: &a [x, x]\n" + "".join(
        f"{b}: &{b} [*{a}, *{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    with pytest.raises(ContractError) as caught:
        parse_contract(bomb, "bomb.odcs.yaml")
    assert str(caught.value) == (
        "bomb.odcs.yaml:2: not readable as YAML: aliases are not allowed here; write the value out."
    )


COLUMN = [
    ("logicalType: number", "logicaltype: number", "15: unknown key 'logicaltype'. Did you mean 'logicalType'?"),
    ("      - name: cost\n", "      - description: x\n", "14: the column has no 'name'. Add one."),
    (
        COST,
        "      - name: cost\n",
        "14: the column 'cost' has no 'logicalType'. Known here: date, integer, number, string, timestamp.",
    ),
    (
        "logicalType: number",
        "logicalType: boolean",
        "15: the logicalType 'boolean' cannot be used. Known here: date, integer, number, string, timestamp.",
    ),
    (
        "name: cost",
        "name: _cost",
        "14: the column name '_cost' is reserved: the lake has its own order_date and '_' columns. Rename it.",
    ),
    (
        "name: cost",
        "name: order_date",
        "14: the column name 'order_date' is reserved: the lake has its own order_date and '_' columns. Rename it.",
    ),
    (
        "name: cost",
        "name: Filename",
        (
            "14: the column name 'Filename' is reserved: the reader of Parquet files has its own column of that name."
            " Leave the column out: it is then reported as extra and stays out of the lake."
        ),
    ),
    (
        "name: cost",
        "name: cost price",
        "14: the column name 'cost price' must be a letter followed by at most 62 letters, digits or '_'. Rename it.",
    ),
    (
        "name: cost",
        "name: Category",
        "14: the column 'Category' is already on line 11; case makes no difference. Keep one.",
    ),
    (
        COST,
        COST + "        physicalName: category\n",
        (
            "14: the header text 'category' already names 'category' on line 11, and a field of the file is one column. Give"
            " 'cost' another 'physicalName', or build it from others with 'takingsFrom'."
        ),
    ),
    (
        COST,
        COST + "        physicalType: NUMERIC(10,2)\n",
        "16: 'cost' is stored as DECIMAL(28,16), not as NUMERIC(10,2). Write 'physicalType: DECIMAL(28,16)' or leave it out.",
    ),
    ("        primaryKey: true\n", "", "6: the table has no primary key. Write 'primaryKey: true' for one column."),
    (
        COST,
        COST + "        primaryKey: true\n",
        "15: a key cannot be a number. Write 'logicalType: integer' or 'string'.",
    ),
    (
        "        required: true\n",
        "        primaryKey: true\n",
        "11: 'id' is already the primary key. Keep 'primaryKey: true' for one column.",
    ),
    (
        "primaryKey: true",
        "primaryKey: yes",
        "10: 'primaryKey' must be true or false.",
    ),
    (
        "primaryKey: true",
        "primaryKey: true\n        required: false",
        "11: a primary key is never empty and never repeated. Write 'required: true'.",
    ),
    (
        "primaryKey: true",
        "primaryKey: true\n        primaryKeyPosition: 2",
        "11: a primary key is one column. Write 'primaryKeyPosition: 1'.",
    ),
    (
        COST,
        COST + "        enum: [{value: a}]\n",
        "16: 'enum' goes with text. Write 'logicalType: string' for 'cost'.",
    ),
    (
        COST,
        custom(COST, "takingsMandatry", "true"),
        "17: unknown custom property 'takingsMandatry'. Did you mean 'takingsMandatory'?",
    ),
    (
        COST,
        custom(COST, "takingMandatory", "true"),
        "17: unknown custom property 'takingMandatory'. Did you mean 'takingsMandatory'?",
    ),
    (
        COST,
        custom(COST, "takingsMandatory", "true") + "          - {property: takingsMandatory, value: true}\n",
        "19: 'takingsMandatory' is already on line 18. Keep one of them.",
    ),
    (
        COST,
        custom(COST, "takingsIdentifier", "true"),
        "18: 'takingsIdentifier' goes with 'logicalType: integer'. Leave it out: text is kept as it is.",
    ),
    (
        "        primaryKey: true\n",
        custom("        primaryKey: true\n", "takingsIdentifier", "false"),
        "13: a primary or foreign key is always an identifier. Leave 'takingsIdentifier' out.",
    ),
    (
        COST,
        custom(COST, "takingsWarnings", "[at_most]"),
        "18: the column has no rule 'at_most'. Known here: type.",
    ),
]


@pytest.mark.parametrize(("old", "new", "message"), COLUMN)
def test_refuses_a_column_that_cannot_be_meant(old: str, new: str, message: str) -> None:
    """Names, types, keys and custom properties are taken literally, or refused."""
    assert refusal("products", old, new) == message


OPTION = [
    ("{minimun: 0}", "16: unknown key 'minimun'. Did you mean 'minimum'?"),
    (
        "{multipleOf: 5}",
        "16: unknown key 'multipleOf'. Known here: exclusiveMaximum, exclusiveMinimum, maximum, minimum.",
    ),
    (
        "{minimum: 1e3}",
        "16: 'minimum' must be a number such as 0 or 12.50, with at most 19 digits before the point and 16 after it.",
    ),
    (
        "{minimum: '0'}",
        "16: 'minimum' must be a number such as 0 or 12.50, with at most 19 digits before the point and 16 after it.",
    ),
    ("{maximum: 1000000000000}", "16: 'maximum' is larger than any value of 'cost'. Write a smaller number."),
    ("[minimum]", "16: 'logicalTypeOptions' must hold 'key: value' lines."),
]


@pytest.mark.parametrize(("options", "message"), OPTION)
def test_refuses_an_option_of_numbers_that_would_not_be_checked(options: str, message: str) -> None:
    """A bound is an exact number that the column could hold."""
    assert refusal("products", COST, f"{COST}        logicalTypeOptions: {options}\n") == message


TEXT_OPTION = [
    ("{maxLength: 2000}", "13: 'maxLength' must be from 1 to 1,024: text is never longer."),
    ("{maxLength: 2.5}", "13: 'maxLength' must be a whole number."),
    ("{minLength: 2}", "13: unknown key 'minLength'. Did you mean 'maxLength'?"),
    (
        "{pattern: 'a(?=b)'}",
        (
            "13: the pattern of 'category' cannot be used: '(?=' at character 2 is not understood by every engine. "
            "Write it differently."
        ),
    ),
    (
        "{pattern: '(a'}",
        (
            "13: the pattern of 'category' cannot be used: it is not a regular expression "
            "(missing ), unterminated subpattern at position 0). Write it differently."
        ),
    ),
]


@pytest.mark.parametrize(("options", "message"), TEXT_OPTION)
def test_refuses_an_option_of_text_that_would_not_be_checked(options: str, message: str) -> None:
    """Every engine checks a length or a pattern."""
    old = "      - name: category\n        logicalType: string\n"
    assert refusal("products", old, f"{old}        logicalTypeOptions: {options}\n") == message


def test_refuses_options_of_a_timestamp() -> None:
    """A moment is compared by an expression; nobody would check a bound here."""
    assert refusal("orders", CREATED, CREATED + "        logicalTypeOptions: {minimum: 0}\n") == (
        "24: unknown key 'minimum'. Known here: defaultTimezone, format."
    )


def test_refuses_a_fraction_as_the_bound_of_whole_numbers() -> None:
    """A count of at least 0.5 is a count of at least 1."""
    old = "      - name: cost\n        logicalType: number\n"
    new = "      - name: cost\n        logicalType: integer\n        logicalTypeOptions: {minimum: 0.5}\n"
    assert refusal("products", old, new) == "16: 'cost' holds whole numbers. Write 'minimum' as one."


ENUM = [
    (
        "          - value: complete\n",
        "          - label: Done\n",
        "18: an entry of 'enum' has no 'value'. Write '- value: ...'.",
    ),
    (
        "          - value: complete\n",
        "          - value: Returned\n",
        "19: the value 'returned' is listed twice; case makes no difference. Keep one.",
    ),
    (
        "          - value: complete\n",
        f"          - value: {'x' * 1025}\n",
        "18: no text is longer than 1,024 bytes. Shorten the value or leave it out.",
    ),
    (
        "          - value: complete\n",
        "          - value: retour\n            customProperties: [{property: takingsStoredAs, value: return}]\n",
        "19: 'retour' is stored as 'return', which is not a value of this enum. Did you mean 'returned'?",
    ),
    (
        "value: returned",
        "value: Returned",
        (
            "14: the KPIs need 'status' of orders to be stored as 'returned' for some spelling. "
            "Add 'enum: [{value: returned}]'."
        ),
    ),
    (
        "- value: returned",
        "- value: no",
        "19: 'value' must be text. Write one, in quotes where it looks like a number or a date.",
    ),
    (
        "apiVersion: v3.2.0",
        "apiVersion: v3.1.0",
        "14: 'enum' at 'status' is new in ODCS v3.2.0. Write 'apiVersion: v3.2.0'.",
    ),
]


@pytest.mark.parametrize(("old", "new", "message"), ENUM)
def test_refuses_a_list_of_values_that_cannot_be_stored(old: str, new: str, message: str) -> None:
    """Each spelling has one stored value, and the KPIs find the statuses they count."""
    assert refusal("orders", old, new) == message


EXPRESSION = [
    (COST, "{atMots: {column: retail_price}}", "18: unknown key 'atMots'. Did you mean 'atMost'?"),
    (
        COST,
        "{atMost: {column: price}}",
        "18: there is no other column 'price'. Known here: category, id, retail_price.",
    ),
    (COST, "{atMost: {column: cost}}", "18: there is no other column 'cost'. Known here: category, id, retail_price."),
    (
        COST,
        "{atMost: {column: category}}",
        "18: 'cost' is money and 'category' text. Compare columns of one type.",
    ),
    (COST, "{atMost: {now: 0s}}", "18: 'cost' is money. Compare it with 'column' or 'number'."),
    (
        COST,
        "{atMost: {number: 1, column: id}}",
        "18: 'atMost' holds one of column, now, day, number. Write exactly one.",
    ),
    (
        COST,
        "{}",
        "18: 'takingsRule' holds one of lessThan, atMost, greaterThan, atLeast, presentWhen. Write exactly one.",
    ),
    (COST, "{presentWhen: {column: category}}", "18: 'presentWhen' needs 'column' and 'value'. Add what is missing."),
    (COST, "{presentWhen: {column: id, value: a}}", "18: 'id' is an identifier. Name a text column."),
]


@pytest.mark.parametrize(("column", "expression", "message"), EXPRESSION)
def test_refuses_a_row_expression_that_cannot_be_evaluated(column: str, expression: str, message: str) -> None:
    """An expression names columns that exist and compares what can be compared."""
    assert refusal("products", column, rule(column, expression)) == message


def test_refuses_to_order_text() -> None:
    """The order of text depends on the locale."""
    old = "      - name: category\n        logicalType: string\n"
    assert refusal("products", old, rule(old, "{atMost: {column: id}}")) == (
        "15: 'category' is text, which has no order. Compare numbers or timestamps."
    )


TIME_EXPRESSION = [
    ("{atMost: {number: 5}}", "28: 'returned_at' is a timestamp. Compare it with 'column', 'now' or 'day'."),
    (
        "{atMost: {day: 2000-01-01}}",
        "28: 'day' must be text. Write one, in quotes where it looks like a number or a date.",
    ),
    ('{atMost: {day: "2000-02-30"}}', "28: 'day' must be a date such as 2000-01-01."),
    ('{atMost: {day: "1.1.2000"}}', "28: 'day' must be a date such as 2000-01-01."),
    ('{atMost: {day: "0001-01-01"}}', "28: 'day' must be a date such as 2000-01-01."),
    ("{atMost: {now: 5 minutes}}", "28: 'now' must be a duration to add to it, such as 0s, 5m, 2h or -1d."),
    (
        "{atMost: {now: -999999d}}",
        "28: 'now' may be moved by at most 36,525 days, because the calendar ends.",
    ),
    (
        "{presentWhen: {column: status, value: retourned}}",
        "28: 'status' is never stored as 'retourned'. Did you mean 'returned'?",
    ),
]


@pytest.mark.parametrize(("expression", "message"), TIME_EXPRESSION)
def test_refuses_a_time_compared_with_no_time(expression: str, message: str) -> None:
    """A timestamp is compared with another one or with now, a status with one of its values."""
    assert refusal("orders", RETURNED, rule(RETURNED, expression)) == message


QUALITY = [
    (
        ("type: sql", "query: SELECT 0", "mustBe: 0"),
        "17: Takings does not run SQL. Write the same as a 'takingsRule' next to it, or write 'type: text'.",
    ),
    (
        ("type: sql", "mustBe: 0", "customProperties: [{property: takingsRule, value: {atMost: {number: 9}}}]"),
        "17: an entry of 'type: sql' needs a 'query'. Add one, or write 'type: text'.",
    ),
    (
        (
            "type: sql",
            "query: x",
            "mustBe: 1",
            "customProperties: [{property: takingsRule, value: {atMost: {number: 9}}}]",
        ),
        "17: the query must count the rows that are wrong. Write 'mustBe: 0'.",
    ),
    (
        ("metric: nullValues", "mustBe: 0"),
        "17: the metric 'nullValues' is not checked row by row. Write 'required: true' at the column.",
    ),
    (("type: sqll",), "17: unknown type 'sqll'. Did you mean 'sql'?"),
    (("type: text", "mustBeLessThan: 5"), "18: unknown key 'mustBeLessThan'. Did you mean 'mustBe'?"),
    (
        ("type: custom", "engine: soda", "customProperties: [{property: takingsRule, value: {atMost: {number: 9}}}]"),
        "19: 'takingsRule' goes with 'type: sql' or 'type: text'. Change the type.",
    ),
    (
        ("type: text", "severity: fatal", "customProperties: [{property: takingsRule, value: {atMost: {number: 9}}}]"),
        "18: unknown severity 'fatal'. Known here: error, warning.",
    ),
    (
        ("type: text", "name: At Most", "customProperties: [{property: takingsRule, value: {atMost: {number: 9}}}]"),
        "18: the rule name 'At Most' must be lower-case letters, digits and '_'. Rename it.",
    ),
    (
        ("type: text", "name: at_most", "customProperties: [{property: takingsRule, value: {atMost: {number: 9}}}]"),
        "17: the rule name 'at_most' is taken. Give this one another 'name'.",
    ),
]


@pytest.mark.parametrize(("lines", "message"), QUALITY)
def test_refuses_a_rule_that_nobody_would_check(lines: tuple[str, ...], message: str) -> None:
    """Each entry under `quality` is checked for every row, marked as text, or another engine's."""
    assert refusal("products", COST, quality(COST, *lines)) == message


RELATIONSHIP = [
    (
        "to: orders.order_id",
        "to: order.order_id",
        "15: the foreign key refers to 'order.order_id', which is not a primary key. Did you mean 'orders.order_id'?",
    ),
    (
        "- to: orders.order_id",
        "- type: foreignKey",
        "15: the relationship has no 'to'. Add one, for example 'to: products.id'.",
    ),
    (
        "- to: orders.order_id",
        "- {type: parent, to: orders.order_id}",
        "15: the relationship's 'type' must be 'foreignKey', the only one of the standard.",
    ),
    (
        "          - to: orders.order_id\n",
        "          - to: orders.order_id\n          - to: products.id\n",
        "14: a column has one relationship. Keep one, or leave 'relationships' out.",
    ),
    (
        "        relationships:\n          - to: orders.order_id\n",
        "",
        "11: 'order_id' must refer to orders. Add 'relationships: [{to: orders.order_id}]'.",
    ),
    (
        "to: orders.order_id",
        "to: products.id",
        "11: 'order_id' must refer to orders. Add 'relationships: [{to: orders.order_id}]'.",
    ),
    (
        "        primaryKey: true\n",
        "        primaryKey: true\n        relationships: [{to: products.id}]\n",
        (
            "8: 'id' cannot refer to products: only order_items wait for a parent, by order_id and product_id. "
            "Leave 'relationships' out."
        ),
    ),
    (
        "      - name: order_id\n        logicalType: integer\n",
        "      - name: order_id\n        logicalType: timestamp\n",
        "12: a key cannot be a timestamp. Write 'logicalType: integer' or 'string'.",
    ),
    (
        "        required: true\n        relationships:\n",
        (
            "        required: true\n        customProperties: [{property: takingsWarnings, value: [in_orders]}]\n"
            "        relationships:\n"
        ),
        "14: 'in_orders' is always an error: the lake would have no value to keep. Remove it here.",
    ),
]


@pytest.mark.parametrize(("old", "new", "message"), RELATIONSHIP)
def test_refuses_a_relationship_to_nowhere(old: str, new: str, message: str) -> None:
    """Items wait for orders and products by primary key, and nothing else waits."""
    assert refusal("order_items", old, new) == message


NEED = [
    (
        "orders",
        "      - name: user_id\n",
        "      - name: userid\n",
        "6: the KPIs need the column 'user_id' of orders. Add it, with 'logicalType: integer'. Did you mean 'userid'?",
    ),
    (
        "orders",
        CREATED,
        "",
        "6: the KPIs need the column 'created_at' of orders. Add it, with 'logicalType: timestamp'.",
    ),
    (
        "orders",
        CREATED,
        CREATED.replace("timestamp", "string"),
        "21: the KPIs need 'created_at' of orders as timestamp, not as text. Write 'logicalType: timestamp'.",
    ),
    (
        "orders",
        CREATED,
        CREATED.replace("required: true", "required: false"),
        "21: the KPIs need 'created_at' of orders in every row. Write 'required: true'.",
    ),
    (
        "orders",
        CREATED,
        custom(CREATED, "takingsMandatory", "false"),
        "21: the KPIs need 'created_at' of orders in every file. Leave 'takingsMandatory' out.",
    ),
    (
        "orders",
        CREATED,
        custom(CREATED, "takingsWarnings", "[type]"),
        (
            "21: the KPIs need 'created_at' of orders right in every row: 'created_at|type' must be an error. "
            "Remove it from 'takingsWarnings'."
        ),
    ),
    (
        "products",
        "        primaryKey: true\n      - name: category\n        logicalType: string\n",
        "        required: true\n      - name: category\n        logicalType: string\n        primaryKey: true\n",
        "8: 'id' must be the primary key of products. Write 'primaryKey: true'.",
    ),
    (
        "order_items",
        RETURNED,
        "",
        "6: the KPIs need the column 'returned_at' of order_items. Add it, with 'logicalType: timestamp'.",
    ),
]


@pytest.mark.parametrize(("dataset", "old", "new", "message"), NEED)
def test_refuses_a_contract_that_lacks_what_the_kpis_are_made_of(
    dataset: str, old: str, new: str, message: str
) -> None:
    """A contract may say more than the KPIs need, but never less."""
    assert refusal(dataset, old, new) == message


def test_refuses_more_rules_than_a_row_has_bits() -> None:
    """A row's violations are a mask of 63 bits."""
    more = "".join(f"      - {{name: c{number}, logicalType: string}}\n" for number in range(54))
    assert refusal("products", COST, COST + more) == (
        "6: the contract has 61 rules, and 60 at most can be checked. Remove some."
    )


def copy_of_minimal(folder: Path, *, without: str = "") -> Path:
    """Copy the minimal contracts into a folder."""
    for path in MINIMAL.glob("*.odcs.yaml"):
        if path.name != f"{without}.odcs.yaml":
            (folder / path.name).write_bytes(path.read_bytes())
    return folder


def test_refuses_a_folder_without_a_dataset(tmp_path: Path) -> None:
    """The three contracts belong together; none is mixed in from elsewhere."""
    with pytest.raises(ContractError) as caught:
        load_contracts(copy_of_minimal(tmp_path, without="orders"))
    assert str(caught.value) == (
        f"{tmp_path}: no contract of 'orders'. Add a file orders.odcs.yaml; the shipped one is a start."
    )


def test_refuses_two_contracts_of_one_dataset(tmp_path: Path) -> None:
    """It would be unclear which one applies."""
    folder = copy_of_minimal(tmp_path)
    (folder / "orders-new.odcs.yaml").write_bytes((folder / "orders.odcs.yaml").read_bytes())
    with pytest.raises(ContractError) as caught:
        load_contracts(folder)
    assert str(caught.value) == (
        f"{folder / 'orders.odcs.yaml'}:6: the contract of 'orders' is already in {folder / 'orders-new.odcs.yaml'}. "
        "Keep one of them."
    )


def test_refuses_a_foreign_key_of_another_type(tmp_path: Path) -> None:
    """An id that is text in one contract is text in all of them."""
    folder = copy_of_minimal(tmp_path)
    items = folder / "order_items.odcs.yaml"
    named = "      - name: product_id\n        logicalType: "
    items.write_text(items.read_text(encoding="utf-8").replace(f"{named}integer", f"{named}string"), encoding="utf-8")
    with pytest.raises(ContractError) as caught:
        load_contracts(folder)
    assert str(caught.value) == (
        f"{items}:16: 'product_id' is text, and products.id, to which it refers, is an identifier. "
        "Give both the same 'logicalType'."
    )


def test_refuses_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """A typo on the command line does not count as an empty folder."""
    with pytest.raises(ContractError) as caught:
        load_contracts(tmp_path / "contrats")
    assert str(caught.value) == (
        f"{tmp_path / 'contrats'}: there is no such folder. Name one with an .odcs.yaml file for each dataset."
    )


def test_refuses_a_file_that_is_not_utf_8(tmp_path: Path) -> None:
    """A contract is read as UTF-8 only."""
    (tmp_path / "orders.odcs.yaml").write_bytes(b"kind: DataContract\nid: \xff\n")
    with pytest.raises(ContractError) as caught:
        load_contracts(tmp_path)
    assert str(caught.value) == f"{tmp_path / 'orders.odcs.yaml'}:2: the file is not UTF-8. Save it as UTF-8."


def test_refuses_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A folder named like a contract is not one."""
    (tmp_path / "orders.odcs.yaml").mkdir()
    with pytest.raises(ContractError) as caught:
        load_contracts(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path / 'orders.odcs.yaml'}:1: the file cannot be read (Is a directory). Fix that or remove it."
    )
