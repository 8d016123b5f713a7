"""Compile to DuckDB's SQL what a contract makes of a file's fields before they are read: mapped columns alone cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from takings.adapters.duckdb.sql import literal
from takings.adapters.duckdb.typing import blank
from takings.contracts.origins import UNREADABLE, ConstantPart
from takings.contracts.written import LONE_DIGIT, Written
from takings.validation.texts import ColumnText, PlacePart, SourcePart, TextPart

_UNREADABLE = f"repeat({literal(UNREADABLE[0])}, {len(UNREADABLE)})"


def with_texts(texts: Mapping[str, ColumnText], source: str) -> tuple[dict[str, str], str]:
    """Return the field that holds each column's text, and the source with added columns for texts that are not raw fields."""
    fields: dict[str, str] = {}
    joined: list[str] = []
    written: list[str] = []
    for number, (column, text) in enumerate(texts.items()):
        if text.plain_place is not None:
            fields[column] = f"_r{text.plain_place}"
            continue
        field = fields[column] = f"_c{number}"
        if text.written is None:
            joined.append(f"{_joined(text)} as {field}")
        else:
            joined.append(f"{_joined(text)} as {field}_text")
            written.append(f"{_rewritten(text.written, f'{field}_text')} as {field}")
    for layer in (joined, written):
        if layer:
            source = f"(select *, {', '.join(layer)} from {source})"
    return fields, source


def _joined(text: ColumnText) -> str:
    """Return the text of a column before it is rewritten."""
    parts = [_part(part, text) for part in text.parts]
    if not parts:
        joined = "cast(null as varchar)"
    elif len(parts) == 1:
        (joined,) = parts
    else:
        is_empty = " or ".join(map(blank, parts))
        joined = f" || {literal(text.separator)} || ".join(parts)
        guard = ""
        if text.is_guarded:
            is_ambiguous = " or ".join(f"contains({part}, {literal(text.separator)})" for part in parts[1:])
            guard = f" when {is_ambiguous} then {_UNREADABLE}"
        joined = f"case when {is_empty} then null{guard} else {joined} end"
    if text.default is None:
        return joined
    return f"case when {blank(joined)} then {literal(text.default)} else {joined} end"


def _part(part: TextPart, text: ColumnText) -> str:
    match part:
        case PlacePart(place=place) if text.null_words:
            words = ", ".join(map(literal, text.null_words))
            return f"(case when _r{place} in ({words}) then null else _r{place} end)"
        case PlacePart(place=place):
            return f"_r{place}"
        case SourcePart(place=place, pattern=pattern):
            return f"regexp_extract(_r{place}, {literal(_whole(pattern))}, 1)"
        case ConstantPart(text=constant):
            return literal(constant)
        case _:
            assert_never(part)


def _rewritten(written: Written, field: str) -> str:
    """Return the form that is read of a text; an empty one stays as it is, and one that does not fit is unreadable."""
    order = "".join(f"\\{piece}" if isinstance(piece, int) else piece for piece in written.order)
    outcome = f"regexp_replace({field}, {literal(_whole(written.pattern))}, {literal(order)})"
    if written.is_padded:
        outcome = f"regexp_replace({outcome}, {literal(LONE_DIGIT)}, '0\\1', 'g')"
    for old, new in written.replaced:
        outcome = f"replace({outcome}, {literal(old)}, {literal(new)})"
    fits = f"regexp_full_match({field}, {literal(written.pattern)})"
    return f"case when {blank(field)} then {field} when {fits} then {outcome} else {_UNREADABLE} end"


def _whole(pattern: str) -> str:
    return rf"\A(?:{pattern})\z"
