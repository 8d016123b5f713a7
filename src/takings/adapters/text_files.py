"""Open text files the one way in which every store writes them."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TextIO


def open_text(path: Path, *, is_compressed: bool) -> TextIO:
    """Open a file for UTF-8 text whose line ends stay as they are written."""
    if is_compressed:
        return gzip.open(path, "wt", encoding="utf-8", newline="")
    return path.open("w", encoding="utf-8", newline="")
