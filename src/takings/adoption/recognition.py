"""Recognise files that given contracts can read as they are. Pure."""

from __future__ import annotations

from dataclasses import replace

from takings.adoption.looks import FileLook
from takings.contracts.datasets import Dataset, DropKind
from takings.contracts.file_format import FileFormat
from takings.contracts.model import Contracts
from takings.validation.header import check_header
from takings.validation.naming import fullest, resolve
from takings.validation.source_columns import as_contract, check_columns


def kind_of(look: FileLook, contracts: Contracts) -> DropKind | None:
    """Return the dataset or source whose columns a file has and whose format it is in; None if there is none."""
    for source in contracts.sources.by_name.values():
        if _is_written_so(look, source.file) and check_columns(source, look.header) is None:
            return source.name
    yielded = contracts.sources.yielded(contracts.sources.by_name)
    fitting = [
        dataset
        for dataset in Dataset
        if dataset not in yielded
        and _is_written_so(look, contracts[dataset].file)
        and check_header(contracts[dataset], look.header) is None
    ]
    return fullest((contracts[dataset] for dataset in fitting), look.header)


def why_not(look: FileLook, contracts: Contracts) -> str:
    """Return what keeps a file from being one of these contracts', for the dataset or source that it resembles most."""
    sources = contracts.sources.by_name.values()
    yielded = contracts.sources.yielded(contracts.sources.by_name)
    kinds = [(str(source.name), source.file, as_contract(source)) for source in sources]
    kinds += [(each.value, contracts[each].file, contracts[each]) for each in Dataset if each not in yielded]
    name, file, contract = max(kinds, key=lambda kind: len(resolve(kind[2], look.header)))
    if not _is_written_so(look, file):
        seen = look.format
        return (
            f"it resembles {name}, but is written differently: delimiter '{seen.delimiter}' for '{file.delimiter}', encoding"
            f" {seen.encoding} for {file.encoding}, {seen.skip_lines} lines above the header for {file.skip_lines}"
        )
    fault = check_header(contract, look.header)
    return f"it resembles {name}, but {fault.reason.partition('. ')[0]}" if fault else "it fits several of its datasets"


def _is_written_so(look: FileLook, file: FileFormat) -> bool:
    """Return whether a file is in this format, as far as its bytes tell."""
    return look.format == replace(
        look.format, delimiter=file.delimiter, encoding=file.encoding, skip_lines=file.skip_lines
    )
