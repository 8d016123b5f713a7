"""Find out what is in the place of a dataset's header: a header that is nearly right, or none. Pure.

Nothing here makes a file acceptable: it only explains to people why a file is refused.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from takings.contracts.file_format import FileFormat, named_delimiter
from takings.contracts.model import Contract, Contracts, Dataset
from takings.validation.file_formats import encoding_fault, format_of, head_in_utf_8
from takings.validation.header import Flaw, check_header, fault_of, missing_names, simplified
from takings.validation.naming import expected_names, fullest
from takings.validation.structure.values import FileFault, Structure
from takings.validation.windows_1252 import may_be_windows_1252

_FOLDERS: Final = {Dataset.PRODUCTS: "products", Dataset.ORDERS: "orders", Dataset.ORDER_ITEMS: "order-items"}
#: what often separates fields
_DELIMITERS: Final = (",", ";", "\t", "|")
#: faults of files in which another line than the first names the columns, or another sign separates the fields
_MISREAD: Final = ("file|sep_line", "file|lines_above_header", "file|skipped_header", "file|delimiter")
#: a header is looked for in this many lines, not counting those that the contract skips
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
        structure.header is not None
        and (fault.rule == "file|duplicate_header" or check_header(contracts[dataset], structure.header) is None)
    ):
        return fault
    formats = {other: contracts[other].file for other in Dataset} | {dataset: structure.format}
    lines = _lines(structure.head, structure.format.skip_lines)
    sightings = [
        sighting
        for sighting in _sightings(lines, contracts, structure.format)
        if sighting.dataset is dataset or sighting.share == 100  # a header of another dataset must be certain
    ]
    if not sightings:
        return _without_header(fault, lines, contracts[dataset], structure.format) or _with_encoding(fault, structure)
    best = max(
        sightings,
        key=lambda seen: (
            seen.share,
            seen.dataset is dataset,
            seen.delimiter == formats[seen.dataset].delimiter,
            -seen.line,
        ),
    )
    flaws = list(_flaws(lines, best, dataset, formats[best.dataset]))
    is_header_misread = any(flaw.rule in _MISREAD for flaw in flaws)
    if structure.header is not None or is_header_misread or fault.rule == "file|line_ends":
        flaws += filter(None, [missing_names(contracts[best.dataset], best.names, line=best.line)])
    if not flaws:
        return _with_encoding(fault, structure)
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
    formats = {dataset: format_of(head, contracts[dataset].file) for dataset in Dataset}
    fitting = [
        dataset
        for dataset, file in formats.items()
        if encoding_fault(head, file) is None and check_header(contracts[dataset], _first_names(head, file)) is None
    ]
    if fitting:
        return fullest((contracts[each] for each in fitting), _first_names(head, formats[fitting[0]]))
    sightings = [
        sighting
        for dataset, file in formats.items()
        for sighting in _sightings(_lines(_text(head, file), file.skip_lines), contracts, file, [dataset])
    ]
    largest = max((sighting.share for sighting in sightings), default=0)
    datasets = {sighting.dataset for sighting in sightings if sighting.share == largest}
    return datasets.pop() if len(datasets) == 1 else None


def _flaws(lines: Sequence[str], seen: _Sighting, dataset: Dataset, file: FileFormat) -> Iterator[Flaw]:
    """Yield what is wrong besides the names of a header in a file of this format."""
    if lines[0].startswith(_BOM):
        what = "the file begins with two byte order marks"
        yield Flaw(rule="file|byte_order_mark", line=None, what=what, remedy="keep at most one of them")
    above = [number for number in range(file.skip_lines + 1, seen.line) if lines[number - 1]]
    if seen.line <= file.skip_lines:
        skipped = "1 line is" if file.skip_lines == 1 else f"{file.skip_lines} lines are"
        what = f"{skipped} skipped, as the contract says, but the header is on line {seen.line}"
        remedy = "change 'skipLines' in the contract or export the file as it says"
        yield Flaw(rule="file|skipped_header", line=seen.line, what=what, remedy=remedy)
    elif above and _SEP_LINE.fullmatch(lines[above[0] - 1].lstrip(_BOM)):
        what = f"line {above[0]} is not a header but a 'sep=' line, which spreadsheet programs write for themselves"
        yield Flaw(rule="file|sep_line", line=above[0], what=what, remedy="remove it")
    elif above:
        what = f"line {above[0]} is not the header, which is on line {seen.line}"
        remedy = "remove the line above it" if len(above) == 1 else "remove the lines above it"
        yield Flaw(rule="file|lines_above_header", line=above[0], what=what, remedy=remedy)
    if seen.delimiter != file.delimiter:
        right = named_delimiter(file.delimiter)
        right = f"'{right}'" if right == file.delimiter else right
        what = f"fields are separated by {named_delimiter(seen.delimiter)}, not by {right}"
        yield Flaw(rule="file|delimiter", line=seen.line, what=what, remedy=f"export the file with {right}")
    if seen.dataset is not dataset:
        what = f"this is a file of {seen.dataset.replace('_', ' ')}"
        yield Flaw(rule="file|other_dataset", line=None, what=what, remedy="")


def _without_header(fault: FileFault, lines: Sequence[str], contract: Contract, file: FileFormat) -> FileFault | None:
    """Return the fault of a file without a header, whose first line looks like a record; None for any other."""
    first = 1 + file.skip_lines
    follow = enumerate(lines[file.skip_lines :], start=first)
    number, cells = next(((at, _cells(line, file.delimiter)) for at, line in follow if line), (first, ()))
    known = {simplified(name) for names in expected_names(contract) for name in names}
    mandatory = expected_names(contract, mandatory_alone=True)
    looks_like_record = (
        mandatory
        and len(cells) >= len(mandatory)
        and any(_NUMBER.fullmatch(cell) for cell in cells)
        and not any(simplified(cell) in known for cell in cells)
    )
    if not looks_like_record or fault.rule == "file|line_ends":
        return None
    what = f"line {number} is not a header but looks like a record"
    wanted = ", ".join(names[0] for names in mandatory)
    remedy = f"add a first line that names the columns, with {wanted} among them,"
    column = next(iter(mandatory.values()))
    return fault_of([Flaw(rule=f"{column}|missing", line=number, what=what, remedy=remedy)])


def _with_encoding(fault: FileFault, structure: Structure) -> FileFault:
    """Say what a header that is not UTF-8 may be."""
    if structure.format.encoding != "utf-8":
        return fault
    first = re.split(rb"[\r\n]", structure.head.removeprefix(codecs.BOM_UTF8).lstrip(b"\r\n"), maxsplit=1)[0]
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


def _sightings(
    lines: Sequence[str], contracts: Contracts, file: FileFormat, datasets: Iterable[Dataset] = Dataset
) -> Iterator[_Sighting]:
    """Yield every line that resembles the header of one of these datasets, read with any delimiter."""
    for number, line in enumerate(lines[: _MOST_LINES + file.skip_lines], start=1):
        for delimiter in dict.fromkeys((*_DELIMITERS, file.delimiter)):
            names = _cells(line.lstrip(_BOM) if number == 1 else line, delimiter)
            read = {simplified(name) for name in names}
            for dataset in datasets:
                mandatory = expected_names(contracts[dataset], mandatory_alone=True)
                found = sum(any(simplified(name) in read for name in names) for names in mandatory)
                share = 100 * found // max(1, len(mandatory))
                if found > 1 and share >= _RESEMBLING:
                    yield _Sighting(dataset=dataset, line=number, delimiter=delimiter, names=names, share=share)


def _lines(head: bytes, skipped: int) -> list[str]:
    """Return the first lines, without the one byte order mark that is allowed."""
    text = head.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace")
    return _LINE_END.split(text)[: _MOST_LINES + skipped + 1]


def _text(head: bytes, file: FileFormat) -> bytes:
    """Return a file's first bytes in UTF-8; as they are if they are not what the contract says."""
    return head_in_utf_8(head, file) if encoding_fault(head, file) is None else head


def _first_names(head: bytes, file: FileFormat) -> tuple[str, ...]:
    lines = _lines(_text(head, file), file.skip_lines)[file.skip_lines :]
    return _cells(next(filter(None, lines), ""), file.delimiter)


def _cells(line: str, delimiter: str) -> tuple[str, ...]:
    """Return the fields of a line without their quotes; no mandatory name contains a delimiter."""
    return tuple(
        cell[1:-1] if len(cell) > 1 and cell.startswith('"') and cell.endswith('"') else cell
        for cell in line.split(delimiter)
    )
