"""Damage valid files in known places: known is what must be found, where, and what must stay."""

from __future__ import annotations

import gzip
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from hypothesis import strategies as st

from takings.contracts.model import Dataset
from tests.shop import Fields, item, order, product

#: cells that other readers guess at, run, or fail on; none is a number, an identifier, a time or a status
NAUGHTY: Final = (
    "=1+1",
    '=HYPERLINK("http://x","y")',
    "@SUM(A1:A9)",
    "+1",
    "NULL",
    "None",
    "NaN",
    "Infinity",
    "-",
    "\\N",
    "\\",
    "0x10",
    "1e3",
    "1_000",
    " 7",
    "7 ",
    "1,5",
    "٣",
    "１",
    "'; drop table products; --",
    "<script>alert(1)</script>",
    "${jndi:ldap://x}",
    "%s%n",
    "true",
    "1.2.3",
    "--1",
    "\ufeff1",
    "\u200b",
    "\u00a0",
    "𝒯𝑒𝓍𝓉 😀",
    "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A",
    "two\nlines",
    "two\r\nlines",
    "a\rb",
    'say "hi", twice',
    '"',
    ",",
    "\x01\x1f\x7f",
    "x" * 1024,
)
#: more than any column accepts
TOO_LONG: Final = ("x" * 1025, "ü" * 513, "1" * 2000, "0." + "1" * 5000)
#: bytes that are not UTF-8
ILL_FORMED: Final = (b"\xff", b"\xe9", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82")
#: a time without a zone; these files are validated in UTC
LOCAL_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:]{8}")
#: what may follow it without changing anything, and what may not
NO_OFFSET: Final = ("Z", " UTC", "+00:00", "+00", "-00", "+0000", "z", " Z", " z", " +00", " +0000", " -00:00")
UNCLEAR_OFFSET: Final = (
    "+0",
    "+000",
    "+24",
    "+0060",
    "+00:",
    " 00",
    "  +00",
    "+ 00",
    "UTC",
    " utc",
    " BST",
    "Z+00",
    "−00",
)
NAMES: Final = (
    "a.csv",
    "A.CSV",
    "späte 🙂.csv",
    "with space (1).csv",
    "it's.csv",
    'quo"te.csv',
    "{a,b}.csv",
    "100%41.csv",
    "-rf.csv",
    "$HOME;x.csv",
    "~.csv",
    "a.csv.csv",
    "a\nb.csv",
    "\\x.csv",
)

VALID: Final[dict[Dataset, list[Fields]]] = {
    Dataset.PRODUCTS: [
        product(1),
        product(2, brand="", name=""),
        product(3, "Toys", cost="0.0000000000000001"),
        product(40, " Bücher ", name="Ł😀 ", retail_price="999999999999.99"),
        product(5, sku="007", name="NULL", department="0"),
        product(9223372036854775807, cost="20", retail_price="20.000"),
        product(7, brand="  ", category="x" * 1024),
    ],
    Dataset.ORDERS: [
        order(id_, **{"returned_at": returned, "shipped_at": shipped, "delivered_at": ""} | other)
        for id_, returned, shipped, other in (
            (1, "", "2025-03-30T10:30:00", {}),
            (2, "2025-03-30T11:00:00", "", {"status": "Returned"}),
            (3, "", "", {"created_at": "2022-06-17 02:52:23.123456 UTC"}),
            (40, "", "", {"status": "Complete", "num_of_item": "007"}),
            (5, "", "", {"status": "canceled", "user_id": 0}),
            (9223372036854775807, "", "2025-03-30 09:00:00+05:30", {}),
        )
    ],
    Dataset.ORDER_ITEMS: [
        item(id_, order_id, **{"created_at": created, "returned_at": ""} | other)
        for id_, order_id, created, other in (
            (1, 1, "", {}),
            (2, 1, "2025-03-30T10:30:00", {"sale_price": "0.9206800103187561"}),
            (3, 2, "1999-12-31 23:59:59", {"status": "RETURNED", "returned_at": "2030-01-01T00:00:00Z"}),
            (40, 0, "", {"sale_price": "0010.50", "status": "completed"}),
            (5, 5, "2025-03-30 02:30:00", {"product_id": 0}),
            (6, 5, "", {"product_id": 9223372036854775807}),
            (70, 5, "", {"sale_price": "12"}),
        )
    ],
}
KEYS: Final = {Dataset.PRODUCTS: "id", Dataset.ORDERS: "order_id", Dataset.ORDER_ITEMS: "id"}
#: columns that accept any text, and which texts they do not accept
TEXTS: Final = {"sku", "category", "name", "brand", "department"}
MAY_BE_EMPTY: Final = {"name", "brand", "returned_at", "shipped_at", "delivered_at", "created_at"}


@dataclass(kw_only=True)
class Line:
    """What is written for one row, and what must become of it."""

    raw: bytes
    end: bytes = b"\n"
    blank_lines_before: int = 0
    #: each record that it makes: the line's offset within `raw` and the broken rule; None if it may be any
    bad: list[tuple[int, str | None]] = field(default_factory=list)
    #: a sound row's key; None if none is left
    key: str | None = None
    #: texts that are new in the row, as they must be stored
    changed: dict[str, str | None] = field(default_factory=dict)
    is_copy: bool = False


@dataclass(frozen=True, kw_only=True)
class Damaged:
    """A file, and what must be found in it."""

    dataset: Dataset
    name: str
    content: bytes
    #: why the whole file is refused; None if its records can be told apart
    fault: str | None
    read: int
    #: physical line and rule of every bad record; None for any rule
    bad: tuple[tuple[int, str | None], ...]
    copies: int
    #: key -> physical line and changed texts of every good row
    good: dict[str, tuple[int, dict[str, str | None]]]
    drift: tuple[str, ...]

    @property
    def is_untold(self) -> bool:
        """Return whether even the number of records is unknown."""
        return self.fault is not None and not self.fault.endswith(("|missing", "|unterminated_quote"))


def quoted(text: str) -> str:
    """Return a field in quotes."""
    return '"' + text.replace('"', '""') + '"'


def written(fields: Sequence[str]) -> bytes:
    """Return a record with quotes where it needs them."""
    return ",".join(quoted(text) if set(text) & set(',"\r\n') else text for text in fields).encode()


def broken(raw: bytes, rule: str) -> Line:
    """Return a line that makes one broken record."""
    return Line(raw=raw, bad=[(0, f"record|{rule}")])


@st.composite
def damaged_lines(draw: st.DrawFn, columns: Sequence[str], key: str, row: Fields) -> Line:
    """Return a row as it is, or damaged in one way."""
    fields = [str(row[column]) for column in columns]
    at = draw(st.integers(0, len(fields) - 1))
    place = at if len(fields[at]) > 1 else fields.index(next(text for text in fields if len(text) > 1))
    inside = draw(st.integers(1, len(fields[place]) - 1))

    def with_inside(what: bytes) -> bytes:
        text = fields[place][:inside].encode() + what + fields[place][inside:].encode()
        parts = [
            *(other.encode() for other in fields[:place]),
            text,
            *(other.encode() for other in fields[place + 1 :]),
        ]
        return b",".join(parts)

    sound = Line(raw=",".join(fields).encode(), key=str(row[key]))
    kind = draw(st.sampled_from(KINDS))
    match kind:
        case "quoted":
            return Line(raw=",".join(map(quoted, fields)).encode(), key=sound.key)
        case "blank lines":
            return Line(raw=sound.raw, key=sound.key, blank_lines_before=draw(st.integers(1, 3)))
        case "crlf":
            return Line(raw=sound.raw, key=sound.key, end=b"\r\n")
        case "short":
            return broken(b",".join(text.encode() for text in (*fields[:at], *fields[at + 1 :])), "field_count")
        case "long":
            extra = draw(st.sampled_from(["", "x", '"two\nlines"', fields[at]]))
            return broken(",".join([*fields[:at], extra, *fields[at:]]).encode(), "field_count")
        case "delimiter":
            return broken(draw(st.sampled_from(";\t|")).join(fields).encode(), "field_count")
        case "stray quote":
            return broken(with_inside(b'"'), "stray_quote")
        case "text after quote":
            shown = [*fields[:at], quoted(fields[at]) + draw(st.sampled_from(["x", " ", 'x"y'])), *fields[at + 1 :]]
            return broken(",".join(shown).encode(), "text_after_quote")
        case "nul":
            return broken(with_inside(b"\0"), "nul_byte")
        case "ill-formed":
            return broken(with_inside(draw(st.sampled_from(ILL_FORMED))), "encoding")
        case "stray carriage return":
            return broken(with_inside(b"\r"), "stray_carriage_return")
        case "huge":
            return broken(with_inside(b"x" * (1 << 20)), "too_large")
        case "split":
            pieces = [",".join(fields[: at + 1]), ",".join(fields[at + 1 :])]
            if all(pieces):
                bad: list[tuple[int, str | None]] = [(0, "record|field_count"), (1, "record|field_count")]
                return Line(raw="\n".join(pieces).encode(), bad=bad)
        case "naughty" | "too long":
            text = draw(st.sampled_from(NAUGHTY if kind == "naughty" else TOO_LONG))
            raw = written([*fields[:at], text, *fields[at + 1 :]])
            if columns[at] in TEXTS and kind == "naughty":
                return Line(raw=raw, key=sound.key, changed={columns[at]: text})
            return Line(raw=raw, bad=[(0, None)])
        case "offset":
            times = [place for place, text in enumerate(fields) if LOCAL_TIME.fullmatch(text)]
            if times:
                at = draw(st.sampled_from(times))
                offset = draw(st.sampled_from(NO_OFFSET + UNCLEAR_OFFSET))
                raw = written([*fields[:at], fields[at] + offset, *fields[at + 1 :]])
                if offset in NO_OFFSET:
                    return Line(raw=raw, key=sound.key)
                return Line(raw=raw, bad=[(0, f"{columns[at]}|type")])
        case "empty":
            text = draw(st.sampled_from(["", '""', " ", '" \n"']))
            raw = ",".join([*fields[:at], text, *fields[at + 1 :]]).encode()
            if columns[at] in MAY_BE_EMPTY and not (columns[at] == "created_at" and key == "order_id"):
                return Line(raw=raw, key=sound.key, changed={columns[at]: None})
            return Line(raw=raw, bad=[(0, f"{columns[at]}|required")])
    return sound


KINDS: Final = (
    "quoted",
    "blank lines",
    "crlf",
    "short",
    "long",
    "delimiter",
    "stray quote",
    "text after quote",
    "nul",
    "ill-formed",
    "stray carriage return",
    "split",
    *["naughty"] * 6,
    "too long",
    "empty",
    *["offset"] * 3,
    *["none"] * 9,
    "huge",
)


@st.composite
def damaged_files(draw: st.DrawFn) -> Damaged:
    """Return a valid file, damaged in some places."""
    dataset = draw(st.sampled_from(list(Dataset)))
    key = KEYS[dataset]
    rows = draw(st.permutations(VALID[dataset]))[: draw(st.integers(0, len(VALID[dataset])))]
    columns = draw(st.permutations(list(VALID[dataset][0])))
    drift = draw(
        st.lists(st.sampled_from(["colour", "Größe", "a b", 'q"q', "_mask", "r0", "_record"]), max_size=2, unique=True)
    )
    cell = draw(st.sampled_from(["", "x", *NAUGHTY])) if drift else ""
    rows = [{**row, **dict.fromkeys(drift, written([cell]).decode() if cell else "")} for row in rows]
    lines = [
        draw(damaged_lines(columns, key, row) if not drift else drifting(columns, drift, key, row)) for row in rows
    ]
    lines = copied(draw, columns, key, rows, lines) if not drift else lines
    header, fault = draw(headers([*columns, *drift], dataset))
    return assembled(draw, dataset, header, lines, fault, tuple(drift))


def drifting(columns: Sequence[str], drift: Sequence[str], key: str, row: Fields) -> st.SearchStrategy[Line]:
    """Return a sound row with the cells of columns that no contract names."""
    raw = ",".join(str(row[column]) for column in (*columns, *drift)).encode()
    return st.just(Line(raw=raw, key=str(row[key])))


def copied(draw: st.DrawFn, columns: Sequence[str], key: str, rows: Sequence[Fields], lines: list[Line]) -> list[Line]:
    """Return the lines with one of the sound ones repeated, as it is or with other content."""
    untouched = [place for place, line in enumerate(lines) if line.key is not None and not line.changed]
    if not untouched or not draw(st.booleans()):
        return lines
    place = draw(st.sampled_from(untouched))
    row, original = rows[place], lines[place]
    if draw(st.booleans()):
        return [*lines, Line(raw=original.raw, is_copy=True)]
    other = "user_id" if "user_id" in row else "sku"
    raw = ",".join(str({**row, other: "12345"}[column]) for column in columns).encode()
    original.key, original.bad = None, [(0, f"{key}|unique")]
    return [*lines, Line(raw=raw, bad=[(0, f"{key}|unique")])]


@st.composite
def headers(draw: st.DrawFn, columns: Sequence[str], dataset: Dataset) -> tuple[bytes, str | None]:
    """Return the header, and the rule that it breaks for the whole file."""
    sound = written(columns)
    kind = draw(
        st.sampled_from(
            [*["none"] * 12, "twice", "missing", "unnamed", "capitals", "unseen", "nul", "ill-formed", "quote"]
        )
    )
    match kind:
        case "twice":
            return written([*columns, columns[0]]), "file|duplicate_header"
        case "missing":
            renamed = ["number" if column == KEYS[dataset] else column for column in columns]
            return written(renamed), f"{KEYS[dataset]}|missing"
        case "unnamed":
            return written([*columns, ""]), "file|header"
        case "capitals":
            renamed = [column.upper() if column == KEYS[dataset] else column for column in columns]
            return written(renamed), f"{KEYS[dataset]}|missing"
        case "unseen":
            before, behind = draw(st.sampled_from([("", " "), ("\u200b", ""), ("", "\u00a0"), ("\t", ""), (" ", " ")]))
            renamed = [before + column + behind if column == KEYS[dataset] else column for column in columns]
            return written(renamed), f"{KEYS[dataset]}|missing"
        case "nul":
            return sound + b"\0", "file|header"
        case "ill-formed":
            return sound + b"\xff", "file|header"
        case "quote":
            return sound + b'x"', "file|header"
    return sound, None


def assembled(
    draw: st.DrawFn, dataset: Dataset, header: bytes, lines: Sequence[Line], fault: str | None, drift: tuple[str, ...]
) -> Damaged:
    """Write the lines one after the other, counting physical lines."""
    content = draw(st.sampled_from([b"", b"", b"", b"\xef\xbb\xbf", b"\n\r\n"])) + header
    line_end = draw(st.sampled_from([b"\n", b"\n", b"\r\n"]))
    content += line_end
    bad: list[tuple[int, str | None]] = []
    good: dict[str, tuple[int, dict[str, str | None]]] = {}
    for line in lines:
        content += b"\n" * line.blank_lines_before
        at = content.count(b"\n") + 1
        content += line.raw + (line_end if line.end == b"\n" else line.end)
        bad += [(at + offset, rule) for offset, rule in line.bad]
        if line.key is not None:
            good[line.key] = (at, line.changed)
    content += draw(st.sampled_from([b"", b"", b"\n", b"\n\r\n\n"]))
    if draw(st.booleans()) and lines:
        content = content.rstrip(b"\r\n")
    name = draw(st.sampled_from(NAMES))
    read = len(bad) + len(good) + sum(line.is_copy for line in lines)
    whole = draw(st.sampled_from([*["none"] * 12, "utf-16", "utf-32", "gz", "gz", "cut gz", "no gz", "open quote"]))
    match whole:
        case "utf-16" | "utf-32":
            content, fault = content.decode("utf-8", "replace").encode(whole), "file|encoding"
        case "gz" | "cut gz":
            name, content = f"{name}.gz", gzip.compress(content, mtime=0)
            if whole == "cut gz":
                content, fault = content[: draw(st.integers(1, len(content) - 1))], "file|compression"
        case "no gz":
            name, fault = f"{name}.gz", "file|compression"
        case "open quote" if fault is None:
            content += b"" if content.endswith(b"\n") else line_end
            bad.append((content.count(b"\n") + 1, "file|unterminated_quote"))
            content += b'1,"' + b"1,2,3\n" * draw(st.integers(0, 3))
            fault, read = "file|unterminated_quote", read + 1
    return Damaged(
        dataset=dataset,
        name=name,
        content=content,
        fault=fault,
        read=read,
        bad=tuple(bad),
        copies=sum(line.is_copy for line in lines),
        good=good,
        drift=drift,
    )
