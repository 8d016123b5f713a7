"""Open text files in the same way for every store."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TextIO


def open_text(path: Path, *, is_compressed: bool) -> TextIO:
    """Open a file for UTF-8 text, without changing line ends."""
    if is_compressed:
        return gzip.open(path, "wt", encoding="utf-8", newline="")
    return path.open("w", encoding="utf-8", newline="")
