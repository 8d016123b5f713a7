"""Find out whether bytes that are not UTF-8 make sense as windows-1252, which older Windows programs and Excel write. Pure."""

from __future__ import annotations

from typing import Final

#: the signs that people write besides letters
_SIGNS: Final = frozenset("€£¥§°²³½¼¾·×«»‘’“”„–—…™©®\u00a0")


def may_be_windows_1252(raw: bytes) -> bool:
    """Return whether every byte beyond ASCII is a letter or a common sign in windows-1252."""
    try:
        text = raw.decode("windows-1252")
    except UnicodeDecodeError:
        return False
    return all(character.isascii() or character.isalpha() or character in _SIGNS for character in text)
