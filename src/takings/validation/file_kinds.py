"""Recognise by its first bytes a file that is not CSV, and say what to do with it. Pure."""

from __future__ import annotations

import codecs
import re
from typing import Final

from takings.validation.structure.values import FileFault

#: rule -> what a person can do about it
REMEDIES: Final = {
    "file|archive": "unpack it and drop the CSV files inside",
    "file|spreadsheet": "save each sheet as CSV (UTF-8), with commas",
    "file|gzip": "let its name end in .csv.gz",
    "file|compressed": "unpack it, or compress it with gzip",
    "file|web_page": "look at it in a browser, log in where it asks you to, and download the CSV file again",
    "file|format": "export the table as CSV",
}
_MAGIC: Final = (
    (b"\x1f\x8b", "file|gzip", "a gzip file without .gz at the end of its name"),
    (b"BZh", "file|compressed", "a file compressed with bzip2"),
    (b"\xfd7zXZ\x00", "file|compressed", "a file compressed with xz"),
    (b"\x28\xb5\x2f\xfd", "file|compressed", "a file compressed with Zstandard"),
    (b"\x04\x22\x4d\x18", "file|compressed", "a file compressed with LZ4"),
    (b"\x1f\x9d", "file|compressed", "a file compressed with compress (.Z)"),
    (b"7z\xbc\xaf\x27\x1c", "file|archive", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "file|archive", "a RAR archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "file|spreadsheet", "an old or encrypted Excel workbook (.xls)"),
    (b"%PDF-1", "file|format", "a PDF"),
    (b"%PDF-2", "file|format", "a PDF"),
    (b"PAR1\x15", "file|format", "Parquet"),
    (b"ARROW1\x00\x00", "file|format", "Arrow"),
    (b"Obj\x01", "file|format", "Avro"),
    (b"SQLite format 3\x00", "file|format", "an SQLite database"),
    (b"PGDMP\x01", "file|format", "a PostgreSQL dump"),
    (b"{\\rtf", "file|format", "Rich Text"),
)
#: a bzip2 file continues with its level and the digits of pi
_BZIP2: Final = re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)")
_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
#: an entry's header: 22 bytes after the signature, the lengths of the name and of the extra field, the name
_ZIP_ENTRY: Final = re.compile(rb"PK\x03\x04.{22}(..)..", re.DOTALL)
_WEB_PAGE: Final = re.compile(rb"<(?:!doctype html|html|head|body|script|meta|title|table|div)[\s>]", re.IGNORECASE)
_XML: Final = re.compile(rb"<(?:\?xml|!doctype)\s", re.IGNORECASE)
_COMMENTS: Final = re.compile(rb"(?:\s*<!--.*?-->)*\s*", re.DOTALL)
_JSON: Final = re.compile(rb'\{\s*(?:"|\})|\[\s*(?:\{|\[|"|\])')


def foreign_kind(head: bytes) -> FileFault | None:
    """Return what a file with these first bytes is; None if it may be CSV. More bytes give a more exact answer."""
    rule, what = _zip_kind(head) or _magic_kind(head) or _text_kind(head) or (None, "")
    if rule is None:
        return None
    remedy = REMEDIES[rule]
    instead = "" if rule == "file|gzip" else ", not CSV"
    reason = f"this is {what}{instead}. {remedy[0].upper()}{remedy[1:]}."
    return FileFault(rule=rule, line=None, reason=reason)


def _magic_kind(head: bytes) -> tuple[str, str] | None:
    for magic, rule, what in _MAGIC:
        if head.startswith(magic) and (magic != b"BZh" or _BZIP2.match(head)):
            return rule, what
    if head[257:262] == b"ustar":
        return "file|archive", "a tar archive"
    if head[8:12] == b"DUCK" and b"\0" in head[:32]:
        return "file|format", "a DuckDB database"
    return None


def _zip_kind(head: bytes) -> tuple[str, str] | None:
    """Distinguish a workbook from other ZIP files by the names inside."""
    if not head.startswith(_ZIP):
        return None
    if b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet" in head[:200]:
        return "file|spreadsheet", "an OpenDocument spreadsheet"
    names = [
        head[entry.end() : entry.end() + int.from_bytes(entry[1], "little")] for entry in _ZIP_ENTRY.finditer(head)
    ]
    if any(name.startswith(b"xl/") for name in names):
        return "file|spreadsheet", "an Excel workbook (.xlsx)"
    if any(name.startswith((b"[Content_Types].xml", b"docProps/", b"_rels/.rels")) for name in names):
        return "file|spreadsheet", "an Office file, perhaps an Excel workbook (.xlsx)"
    return "file|archive", "a ZIP archive"


def _text_kind(head: bytes) -> tuple[str, str] | None:
    text = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if text.startswith(b"<"):
        comments = _COMMENTS.match(text)
        assert comments is not None  # the pattern also matches the empty text
        start = text[comments.end() :]
        if _WEB_PAGE.match(start) or (_XML.match(start) and re.search(rb"<html[\s>]", start[:2000], re.IGNORECASE)):
            return "file|web_page", "a web page (a login page?)"
        if _XML.match(start):
            is_workbook = b"urn:schemas-microsoft-com:office:spreadsheet" in start[:2000]
            return ("file|spreadsheet", "an Excel workbook in XML") if is_workbook else ("file|format", "XML")
    if _JSON.match(text):
        return "file|format", "JSON"
    return None
