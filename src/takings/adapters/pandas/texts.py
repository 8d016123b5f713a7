"""Make the text of each column from a chunk's raw fields, in plain Python, as the contract says."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import assert_never

import pandas as pd

from takings.adapters.pandas.typing import is_blank
from takings.contracts.origins import UNREADABLE, ConstantPart
from takings.validation.texts import ColumnText, PlacePart, SourcePart, TextPart


def fields_of(text: ColumnText) -> set[str]:
    """Return the raw fields (`r0`, `r1` …) that a column's text is made from."""
    return {f"r{part.place}" for part in text.parts if not isinstance(part, ConstantPart)}


def texts_in(chunk: pd.DataFrame, text: ColumnText) -> Sequence[str]:
    """Return a column's text of each record of a chunk."""
    if text.plain_place is not None:
        return list(chunk[f"r{text.plain_place}"])
    parts = [_part_in(chunk, part, text) for part in text.parts]
    join = _joiner(text)
    return [join(texts) for texts in zip(*parts, strict=True)] if parts else [join(())] * len(chunk)


def _part_in(chunk: pd.DataFrame, part: TextPart, text: ColumnText) -> Sequence[str]:
    match part:
        case PlacePart(place=place):
            return ["" if field in text.null_words else field for field in chunk[f"r{place}"]]
        case SourcePart(place=place, pattern=pattern):
            matches = [re.fullmatch(pattern, field) for field in chunk[f"r{place}"]]
            return [found[1] if found else "" for found in matches]
        case ConstantPart(text=constant):
            return [constant] * len(chunk)
        case _:
            assert_never(part)


def _joiner(text: ColumnText) -> Callable[[Sequence[str]], str]:
    """Return what makes one text of the parts, in the form that is read."""

    def joined(parts: Sequence[str]) -> str:
        whole = _join(text, parts)
        if text.default is not None and is_blank(whole):
            whole = text.default
        if text.written is None or is_blank(whole):
            return whole
        read = text.written.rewritten(whole)
        return UNREADABLE if read is None else read

    return joined


def _join(text: ColumnText, parts: Sequence[str]) -> str:
    if len(parts) == 1:
        return parts[0]
    if any(map(is_blank, parts)):
        return ""
    if text.is_guarded and any(text.separator in part for part in parts[1:]):
        return UNREADABLE
    return text.separator.join(parts)
