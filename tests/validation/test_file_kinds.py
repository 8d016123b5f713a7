"""A file's first bytes show what it is if it is not CSV; no CSV file is mistaken for something else."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sqlite3
import tarfile
import zipfile
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from takings.validation.file_kinds import REMEDIES, foreign_kind
from takings.validation.remedies import remedy

HEADER = b"order_id,user_id,status,created_at,num_of_item\n"


def zipped(*names: str) -> bytes:
    """Return a ZIP file with these entries."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, HEADER * 20)
    return written.getvalue()


def tarred() -> bytes:
    """Return a tar file."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("orders.csv"))
    return written.getvalue()


KINDS = {
    "ZIP": (zipped("orders.csv"), "file|archive", "a ZIP archive"),
    "an empty ZIP": (zipped(), "file|archive", "a ZIP archive"),
    "ZIP with a workbook's name inside a text": (zipped("about xl/.txt"), "file|archive", "a ZIP archive"),
    "xlsx": (zipped("docProps/app.xml", "xl/workbook.xml"), "file|spreadsheet", "an Excel workbook (.xlsx)"),
    "Office": (
        zipped("[Content_Types].xml"),
        "file|spreadsheet",
        "an Office file, perhaps an Excel workbook (.xlsx)",
    ),
    "ods": (
        b"PK\x03\x04" + b"\0" * 26 + b"mimetypeapplication/vnd.oasis.opendocument.spreadsheetPK",
        "file|spreadsheet",
        "an OpenDocument spreadsheet",
    ),
    "xls": (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 8,
        "file|spreadsheet",
        "an old or encrypted Excel workbook (.xls)",
    ),
    "xls as XML": (
        b'<?xml version="1.0"?>\n<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet">',
        "file|spreadsheet",
        "an Excel workbook in XML",
    ),
    "gzip": (gzip.compress(HEADER), "file|gzip", "a gzip file without .gz at the end of its name"),
    "bzip2": (bz2.compress(HEADER), "file|compressed", "a file compressed with bzip2"),
    "xz": (lzma.compress(HEADER), "file|compressed", "a file compressed with xz"),
    "Zstandard": (b"\x28\xb5\x2f\xfd\x04\x00", "file|compressed", "a file compressed with Zstandard"),
    "tar": (tarred(), "file|archive", "a tar archive"),
    "7-Zip": (b"7z\xbc\xaf\x27\x1c\0\x04", "file|archive", "a 7-Zip archive"),
    "RAR": (b"Rar!\x1a\x07\x01\0", "file|archive", "a RAR archive"),
    "HTML": (b"<!DOCTYPE html><html><body>Log in</body></html>", "file|web_page", "a web page (a login page?)"),
    "HTML behind a mark, blanks and a comment": (
        b"\xef\xbb\xbf\r\n <!-- page --> <HTML>",
        "file|web_page",
        "a web page (a login page?)",
    ),
    "XHTML": (b'<?xml version="1.0"?><html xmlns="x">', "file|web_page", "a web page (a login page?)"),
    "an HTML table that says it is a sheet": (b"<table><tr>", "file|web_page", "a web page (a login page?)"),
    "XML": (b'<?xml version="1.0"?><orders/>', "file|format", "XML"),
    "a JSON array": (b'[\n  {"order_id": 1}]', "file|format", "JSON"),
    "a JSON object": (b'{\n  "orders": []}', "file|format", "JSON"),
    "JSON lines": (b'{"order_id":1}\n{"order_id":2}\n', "file|format", "JSON"),
    "PDF": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "file|format", "a PDF"),
    "Parquet": (b"PAR1\x15\x04\x15\x1e", "file|format", "Parquet"),
    "Arrow": (b"ARROW1\0\0\xff", "file|format", "Arrow"),
    "Avro": (b"Obj\x01\x04\x14", "file|format", "Avro"),
    "a PostgreSQL dump": (b"PGDMP\x01\x0e\0", "file|format", "a PostgreSQL dump"),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_file_is_called_what_it_is(name: str) -> None:
    """With what to do about it, as reports show it."""
    content, rule, what = KINDS[name]
    fault = foreign_kind(content)
    assert fault is not None
    assert (fault.rule, fault.line) == (rule, None)
    assert fault.reason.startswith(f"this is {what}")
    assert fault.reason.lower().endswith(f". {REMEDIES[rule]}.".lower())
    assert remedy(None, rule) == REMEDIES[rule]


def test_databases_are_told_by_what_they_write(tmp_path: Path) -> None:
    """SQLite's and DuckDB's own files."""
    with closing(sqlite3.connect(tmp_path / "shop.sqlite")) as connection:
        connection.execute("create table orders (order_id integer)")
    with closing(duckdb.connect(str(tmp_path / "shop.duckdb"))) as duck:
        duck.execute("create table orders (order_id integer); copy (select 1 as order_id) to '/dev/null' (format csv)")
        duck.execute(f"copy (select 1 as order_id) to '{tmp_path}/shop.parquet' (format parquet)")
    said = {path.suffix: foreign_kind(path.read_bytes()) for path in tmp_path.glob("shop.*")}
    assert {suffix: fault.reason.partition(",")[0] for suffix, fault in said.items() if fault} == {
        ".sqlite": "this is an SQLite database",
        ".duckdb": "this is a DuckDB database",
        ".parquet": "this is Parquet",
    }


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        HEADER,
        b"\xef\xbb\xbf" + HEADER,
        b"PAR1,order_id\n",
        b"PK,order_id\n",
        b"BZh9,order_id\n",
        b"%PDF,order_id\n",
        b"Rar!,order_id\n",
        b"[order_id],user_id\n",
        b"{order_id},user_id\n",
        b"<id>,user_id\n",
        b"<tables>,user_id\n",
        HEADER + b"1,8,<html>,{,PK\x03\x04\n",
        HEADER.decode().encode("utf-16"),
    ],
)
def test_what_may_be_csv_is_left_to_the_scan(content: bytes) -> None:
    """A strange column name or value does not make a file anything else."""
    assert foreign_kind(content) is None
