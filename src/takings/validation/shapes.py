"""Show what a value looks like without showing the value."""

from __future__ import annotations

_LONGEST = 40


def shape_of(field: str | None) -> str | None:
    """Return digits as 9, letters as a or A, other characters unchanged, shortened; None for an empty field."""
    if not field:
        return None
    shown = "".join(_shape(character) for character in field[:_LONGEST])
    return f"{shown}… ({len(field):,} characters)" if len(field) > _LONGEST else shown


def _shape(character: str) -> str:
    if character.isdigit():
        return "9"
    if character.isalpha():
        return "A" if character.isupper() else "a"
    return character if character.isprintable() else "·"
