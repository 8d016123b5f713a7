"""Find out what is in the place of a dataset's header: a header that is nearly right, or none. Pure.

Nothing here makes a file acceptable: it only explains to people why a file is refused.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from takings.contracts.model import Contract, Contracts, Dataset
from takings.validation.header import Flaw, check_header, fault_of, missing_names, simplified
from takings.validation.structure.values import FileFault, Structure
from takings.validation.windows_1252 import may_be_windows_1252

_FOLDERS: Final = {Dataset.PRODUCTS: "products", Dataset.ORDERS: "orders", Dataset.ORDER_ITEMS: "order-items"}
#: what may separate fields, and its name in a sentence
_DELIMITERS: Final = {",": "commas", ";": ";", "\t": "tabs", "|": "|"}
#: faults of files in which another line than the first names the columns, or another sign separates the fields
_MISREAD: Final = ("file|sep_line", "file|lines_above_header", "file|delimiter")
#: a header is looked for in this many lines
_MOST_LINES: Final = 20
#: with this many of a dataset's mandatory columns, in percent, a line counts as its header
_RESEMBLING: Final = 60
_BOM: Final = "\ufeff"
_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_SEP_LINE: Final = re.compile(r'\s*"?sep=.?"?[\s,;|]*', re.IGNORECASE)
_NUMBER: Final = re.compile(r"[0-9]+")


@dataclass(frozen=True, kw_only=True)
class _Sighting:
    """A line that is, or is nearly, the header of a dataset."""

    dataset: Dataset
    #: physical line, from 1
    line: int
    delimiter: str
    names: tuple[str, ...]
    #: how many of the dataset's mandatory columns it has, in percent, however they are spelt
    share: int


def explain(fault: FileFault, structure: Structure, contracts: Contracts, dataset: Dataset) -> FileFault:
    """Return why a file without its dataset's header is refused: the given fault, or one that says more."""
    if fault.rule == "file|encoding" or (
        structure.header is not None and check_header(contracts[dataset], structure.header) is None
    ):
        return fault
    lines = _lines(structure.head)
    sightings = [
        sighting
        for sighting in _sightings(lines, contracts)
        if sighting.dataset is dataset or sighting.share == 100  # a header of another dataset must be certain
    ]
    if not sightings:
        return _without_header(fault, lines, contracts[dataset]) or _with_encoding(fault, structure.head)
    best = max(sightings, key=lambda seen: (seen.share, seen.dataset is dataset, seen.delimiter == ",", -seen.line))
    flaws = list(_flaws(lines, best, dataset))
    is_header_misread = any(flaw.rule in _MISREAD for flaw in flaws)
    if structure.header is not None or is_header_misread or fault.rule == "file|line_ends":
        flaws += filter(None, [missing_names(contracts[best.dataset], best.names, line=best.line)])
    if not flaws:
        return _with_encoding(fault, structure.head)
    if fault.rule == "file|line_ends":
        what, remedy = "the lines end in CR", "save it with LF or CRLF line ends"
        flaws.append(Flaw(rule=fault.rule, line=fault.line, what=what, remedy=remedy))
    elif structure.header is None and not is_header_misread:
        flaws.insert(0, Flaw(rule=fault.rule, line=fault.line, what=fault.reason.removesuffix("."), remedy=""))
    folder = f"drop it into raw-data/{_FOLDERS[best.dataset]}/"
    return fault_of(flaws, last_step="drop the file again" if best.dataset is dataset else folder)


def is_misread(fault: FileFault) -> bool:
    """Return whether the records were read with a wrong header, so that findings about them mean nothing."""
    return fault.rule in _MISREAD


def resembled(head: bytes, contracts: Contracts) -> Dataset | None:
    """Return the dataset whose header is in a file's first bytes; None if there is none, or more than one."""
    lines = _lines(head)
    fitting = [dataset for dataset in Dataset if check_header(contracts[dataset], _first_names(lines)) is None]
    if fitting:
        return fitting[0] if len(fitting) == 1 else None
    sightings = list(_sightings(lines, contracts))
    largest = max((sighting.share for sighting in sightings), default=0)
    datasets = {sighting.dataset for sighting in sightings if sighting.share == largest}
    return datasets.pop() if len(datasets) == 1 else None


def _flaws(lines: Sequence[str], seen: _Sighting, dataset: Dataset) -> Iterator[Flaw]:
    """Yield what is wrong besides the names of a header."""
    if lines[0].startswith(_BOM):
        what = "a byte order mark stands twice at the beginning of the file"
        yield Flaw(rule="file|byte_order_mark", line=None, what=what, remedy="keep one of them at most")
    above = [number for number, line in enumerate(lines[: seen.line - 1], start=1) if line]
    if above and _SEP_LINE.fullmatch(lines[above[0] - 1].lstrip(_BOM)):
        what = f"line {above[0]} is no header but a 'sep=' line, which spreadsheet programs write for themselves"
        yield Flaw(rule="file|sep_line", line=above[0], what=what, remedy="remove it")
    elif above:
        what = f"line {above[0]} is no header: that stands in line {seen.line}"
        remedy = "remove the line above it" if len(above) == 1 else "remove the lines above it"
        yield Flaw(rule="file|lines_above_header", line=above[0], what=what, remedy=remedy)
    if seen.delimiter != ",":
        what = f"fields are parted by {_DELIMITERS[seen.delimiter]}, not by commas"
        yield Flaw(rule="file|delimiter", line=seen.line, what=what, remedy="export the file with commas")
    if seen.dataset is not dataset:
        what = f"this is a file of {seen.dataset.replace('_', ' ')}"
        yield Flaw(rule="file|other_dataset", line=None, what=what, remedy="")


def _without_header(fault: FileFault, lines: Sequence[str], contract: Contract) -> FileFault | None:
    """Return the fault of a file without a header, whose first line looks like a record; None for any other."""
    number, cells = next(((at, _cells(line, ",")) for at, line in enumerate(lines, start=1) if line), (1, ()))
    known = {simplified(column.name) for column in contract.columns}
    mandatory = [column.name for column in contract.columns if column.is_mandatory]
    looks_like_record = (
        len(cells) >= len(mandatory)
        and any(_NUMBER.fullmatch(cell) for cell in cells)
        and not any(simplified(cell) in known for cell in cells)
    )
    if not looks_like_record or fault.rule == "file|line_ends":
        return None
    what = f"line {number} is no header but looks like a record"
    remedy = f"add a first line that names the columns, with {', '.join(mandatory)} among them,"
    return fault_of([Flaw(rule=f"{mandatory[0]}|missing", line=number, what=what, remedy=remedy)])


def _with_encoding(fault: FileFault, head: bytes) -> FileFault:
    """Say what a header that is not UTF-8 may be."""
    first = re.split(rb"[\r\n]", head.removeprefix(codecs.BOM_UTF8).lstrip(b"\r\n"), maxsplit=1)[0]
    if fault.rule != "file|header" or _is_utf_8(first) or not may_be_windows_1252(first):
        return fault
    hint = "; it may be windows-1252. Save the file as UTF-8 and drop it again."
    return replace(fault, reason=fault.reason.removesuffix(".") + hint)


def _is_utf_8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _sightings(lines: Sequence[str], contracts: Contracts) -> Iterator[_Sighting]:
    """Yield every line that resembles a dataset's header, read with any delimiter."""
    for number, line in enumerate(lines[:_MOST_LINES], start=1):
        for delimiter in _DELIMITERS:
            names = _cells(line.lstrip(_BOM) if number == 1 else line, delimiter)
            read = {simplified(name) for name in names}
            for dataset in Dataset:
                mandatory = [column.name for column in contracts[dataset].columns if column.is_mandatory]
                found = sum(simplified(name) in read for name in mandatory)
                share = 100 * found // len(mandatory)
                if found > 1 and share >= _RESEMBLING:
                    yield _Sighting(dataset=dataset, line=number, delimiter=delimiter, names=names, share=share)


def _lines(head: bytes) -> list[str]:
    """Return the first lines, without the one byte order mark that is allowed."""
    text = head.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace")
    return _LINE_END.split(text)[: _MOST_LINES + 1]


def _first_names(lines: Sequence[str]) -> tuple[str, ...]:
    return _cells(next(filter(None, lines), ""), ",")


def _cells(line: str, delimiter: str) -> tuple[str, ...]:
    """Return the fields of a line without their quotes; no mandatory name contains a delimiter."""
    return tuple(
        cell[1:-1] if len(cell) > 1 and cell.startswith('"') and cell.endswith('"') else cell
        for cell in line.split(delimiter)
    )
