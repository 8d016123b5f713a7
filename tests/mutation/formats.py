"""Write a damaged file as another contract wants it: the same must be found in it, a few lines further down."""

from __future__ import annotations

import gzip
from codecs import BOM_UTF8
from dataclasses import replace

from hypothesis import strategies as st

from takings.contracts.file_format import USUAL, FileFormat
from tests.mutation.damage import Damaged, damaged_files

#: what may be above a header, where nobody reads it
_TITLES = (b'Export of "Shop\n', b"\n", b"a;b,c\0\xff\r\n")


@st.composite
def formatted_files(draw: st.DrawFn) -> tuple[Damaged, FileFormat]:
    """Return a damaged file and its format; the usual format if its text is unknown."""
    damaged = draw(damaged_files())
    if damaged.is_untold:
        return damaged, USUAL
    is_compressed = damaged.name.endswith(".gz")
    content = gzip.decompress(damaged.content) if is_compressed else damaged.content
    delimiter = draw(st.sampled_from([",", ";", "\t", "|", "~", "^", "\x01", "\x1f"]))
    skipped = draw(st.sampled_from([0, 0, 1, 3]))
    bom = BOM_UTF8 if content.startswith(BOM_UTF8) else b""
    content = content.removeprefix(bom).translate(bytes.maketrans(f",{delimiter}".encode(), f"{delimiter},".encode()))
    encoding, content = encoded(draw, bom, b"".join(_TITLES[:skipped]), content)
    if is_compressed:
        content = gzip.compress(content, mtime=0)
    signs = str.maketrans(f",{delimiter}", f"{delimiter},")
    good = {
        key: (line + skipped, {column: text and text.translate(signs) for column, text in changed.items()})
        for key, (line, changed) in damaged.good.items()
    }
    bad = tuple((line + skipped, rule) for line, rule in damaged.bad)
    file = FileFormat(delimiter=delimiter, encoding=encoding, skip_lines=skipped)
    return replace(damaged, content=content, good=good, bad=bad), file


def encoded(draw: st.DrawFn, bom: bytes, above: bytes, content: bytes) -> tuple[str, bytes]:
    """Write a file in an encoding that has all its characters; bytes that are not UTF-8 stay."""
    encoding = draw(st.sampled_from(["utf-8", "utf-8", "utf-16", "windows-1252", "iso-8859-1"]))
    try:
        text = content.decode()
        if encoding == "utf-16":
            mark = "" if not bom and draw(st.booleans()) else "\ufeff"
            return encoding, (mark + above.decode("latin-1") + text).encode(draw_order(draw, mark))
        if encoding != "utf-8" and not bom:
            return encoding, above + text.encode(encoding)
    except UnicodeError:
        pass
    return "utf-8", bom + above + content


def draw_order(draw: st.DrawFn, mark: str) -> str:
    """Return a byte order; without a mark there is only one."""
    return draw(st.sampled_from(["utf-16-le", "utf-16-be"])) if mark else "utf-16-le"
