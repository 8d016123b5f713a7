"""Read `quality`: row expressions that compare a column with another one, with now, with a day or with a number.

The standard's SQL form counts rows in a database. For each row, Takings checks the structured `takingsRule` next to it.
A rule that nothing would check is refused, so that no contract makes an empty promise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal

from takings.contracts.checks import read_bound
from takings.contracts.custom import read_custom
from takings.contracts.model import (
    Column,
    ColumnType,
    Compared,
    Now,
    Operator,
    OtherColumn,
    PresentWhen,
    Rule,
    Severity,
    StartOfDay,
)
from takings.contracts.rules import STANDARD_KINDS, a_value_of, kind_of, make_rule
from takings.contracts.yaml_nodes import Entry, suggestion

UNDERSTOOD = ("name", "type", "severity", "query", "mustBe", "metric", "arguments", "engine", "customProperties")
DESCRIPTIVE = (
    *(
        "id",
        "description",
        "authoritativeDefinitions",
        "businessImpact",
        "dimension",
        "implementation",
        "method",
        "rule",
    ),
    *("schedule", "scheduler", "tags", "unit"),
)
COMPARISONS = {
    "lessThan": Operator.LESS,
    "atMost": Operator.AT_MOST,
    "greaterThan": Operator.GREATER,
    "atLeast": Operator.AT_LEAST,
}
#: The standard's metrics, and how to say the same so that it can be checked row by row.
METRICS = {
    "nullValues": "Write 'required: true' at the column.",
    "missingValues": "Write 'required: true' at the column.",
    "duplicateValues": "Write 'unique: true' at the column.",
    "invalidValues": "Write 'enum' or 'logicalTypeOptions: pattern' at the column.",
    "rowCount": "Leave it out.",
}
_KIND = re.compile(r"[a-z][a-z0-9_]{0,62}")
_DURATION = re.compile(r"([+-]?)([0-9]{1,6})([smhd])")
_DAY = re.compile(r"[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
#: a hundred years: no batch is so close to an end of the calendar that this would lead beyond it
_LONGEST = timedelta(days=36_525)
_ORDERED = (ColumnType.INTEGER, ColumnType.MONEY, ColumnType.TIMESTAMP)


def read_expressions(column: Column, quality: Entry, columns: Mapping[str, Column]) -> list[Rule]:
    """Return the rules under a column's `quality`, in the order of the file."""
    rules: list[Rule] = []
    for item in quality.entries("quality entry"):
        rule = _read_entry(column, item, columns)
        if rule is None:
            continue
        if rule.kind in (*STANDARD_KINDS, *(other.kind for other in rules)):
            raise item.error(f"the rule name '{rule.kind}' is taken. Give this one another 'name'.")
        rules.append(rule)
    return rules


def check_table_quality(quality: Entry) -> None:
    """Refuse rules at the table: a row rule belongs to the column that is wrong when the rule is broken."""
    for item in quality.entries("quality entry"):
        fields = item.fields(UNDERSTOOD, DESCRIPTIVE)
        read_custom(fields.get("customProperties"), "a table's quality entry")
        if _type(fields) not in ("text", "custom"):
            raise item.error("a rule belongs under the 'quality' of a column. Move it to the column it is about.")


def _read_entry(column: Column, item: Entry, columns: Mapping[str, Column]) -> Rule | None:
    fields = item.fields(UNDERSTOOD, DESCRIPTIVE)
    expression = read_custom(fields.get("customProperties"), "a column's quality entry").get("takingsRule")
    match _type(fields):
        case "sql" if expression is None:
            raise item.error(
                "Takings does not run SQL. Write the same as a 'takingsRule' next to it, or write 'type: text'."
            )
        case "sql":
            _check_sql(item, fields)
        case "custom" if expression is not None:
            raise expression.error("'takingsRule' goes with 'type: sql' or 'type: text'. Change the type.")
        case "text" | "custom":
            pass
        case "library":
            metric = fields["metric"].text() if "metric" in fields else ""
            remedy = METRICS.get(metric, suggestion(metric, METRICS).strip())
            raise item.error(f"the metric '{metric}' is not checked row by row. {remedy}")
        case kind:
            raise fields["type"].error(f"unknown type '{kind}'.{suggestion(kind, ('sql', 'text', 'custom'))}")
    if expression is None:
        return None
    check = _expression(column, expression, columns)
    return make_rule(column, check, kind=_rule_name(fields, kind_of(check)), severity=_severity(fields))


def _type(fields: Mapping[str, Entry]) -> str:
    return fields["type"].text() if "type" in fields else "library"


def _check_sql(item: Entry, fields: Mapping[str, Entry]) -> None:
    if "query" not in fields:
        raise item.error("an entry of 'type: sql' needs a 'query'. Add one, or write 'type: text'.")
    fields["query"].text()
    if "mustBe" not in fields or fields["mustBe"].number() != 0:
        raise item.error("the query must count the rows that are wrong. Write 'mustBe: 0'.")


def _rule_name(fields: Mapping[str, Entry], derived: str) -> str:
    if "name" not in fields:
        return derived
    name = fields["name"].text()
    if not _KIND.fullmatch(name):
        raise fields["name"].error(f"the rule name '{name}' must be lower-case letters, digits and '_'. Rename it.")
    return name


def _severity(fields: Mapping[str, Entry]) -> Severity:
    if "severity" not in fields:
        return Severity.ERROR
    written = fields["severity"].text()
    if written not in list(Severity):
        raise fields["severity"].error(f"unknown severity '{written}'.{suggestion(written, Severity)}")
    return Severity(written)


def _expression(column: Column, entry: Entry, columns: Mapping[str, Column]) -> Compared | PresentWhen:
    fields = entry.fields((*COMPARISONS, "presentWhen"))
    if len(fields) != 1:
        raise entry.error(f"'takingsRule' holds one of {', '.join((*COMPARISONS, 'presentWhen'))}. Write exactly one.")
    ((kind, operand),) = fields.items()
    if kind == "presentWhen":
        return _present_when(column, operand, columns)
    if column.type not in _ORDERED:
        raise operand.error(
            f"'{column.name}' is {a_value_of(column.type)}, which has no order. Compare numbers or timestamps."
        )
    return Compared(operator=COMPARISONS[kind], bound=_bound(column, operand, columns))


def _bound(column: Column, entry: Entry, columns: Mapping[str, Column]) -> Decimal | OtherColumn | Now | StartOfDay:
    fields = entry.fields(("column", "now", "day", "number"))
    if len(fields) != 1:
        raise entry.error(f"'{entry.name}' holds one of column, now, day, number. Write exactly one.")
    ((kind, operand),) = fields.items()
    if kind == "column":
        other = _other(column, operand, columns)
        if other.type is not column.type:
            raise operand.error(
                f"'{column.name}' is {a_value_of(column.type)} and '{other.name}' {a_value_of(other.type)}. "
                "Compare columns of one type."
            )
        return OtherColumn(name=other.name)
    if (kind in ("now", "day")) != (column.type is ColumnType.TIMESTAMP):
        usable = "'column', 'now' or 'day'" if column.type is ColumnType.TIMESTAMP else "'column' or 'number'"
        raise operand.error(f"'{column.name}' is {a_value_of(column.type)}. Compare it with {usable}.")
    match kind:
        case "now":
            return Now(plus=_duration(operand))
        case "day":
            return StartOfDay(day=_day(operand))
        case _:
            return read_bound(column, operand)


def _present_when(column: Column, entry: Entry, columns: Mapping[str, Column]) -> PresentWhen:
    fields = entry.fields(("column", "value"))
    if len(fields) != 2:
        raise entry.error("'presentWhen' needs 'column' and 'value'. Add what is missing.")
    other, value = _other(column, fields["column"], columns), fields["value"].text()
    if other.type is not ColumnType.TEXT:
        raise fields["column"].error(f"'{other.name}' is {a_value_of(other.type)}. Name a text column.")
    if other.values is not None and value not in other.values.values():
        raise fields["value"].error(
            f"'{other.name}' is never stored as '{value}'.{suggestion(value, other.values.values())}"
        )
    return PresentWhen(column=other.name, value=value)


def _other(column: Column, entry: Entry, columns: Mapping[str, Column]) -> Column:
    name = entry.text()
    others = [other for other in columns if other != column.name]
    if name not in others:
        raise entry.error(f"there is no other column '{name}'.{suggestion(name, others)}")
    return columns[name]


def _day(entry: Entry) -> date:
    written = entry.text()
    try:
        return date.fromisoformat(written if _DAY.fullmatch(written) else "")
    except ValueError:
        raise entry.error("'day' must be a date such as 2000-01-01.") from None


def _duration(entry: Entry) -> timedelta:
    written = _DURATION.fullmatch(entry.text())
    if not written:
        raise entry.error("'now' must be a duration to add to it, such as 0s, 5m, 2h or -1d.")
    sign, amount, unit = written.groups()
    duration = timedelta(**{_UNITS[unit]: int(amount)})
    if duration > _LONGEST:
        raise entry.error(f"'now' may be moved by at most {_LONGEST.days:,} days, because the calendar ends.")
    return -duration if sign == "-" else duration
