"""Recognise files that given contracts can read as they are. Pure."""

from __future__ import annotations

from dataclasses import replace

from takings.adoption.looks import FileLook
from takings.contracts.datasets import Dataset, DropKind
from takings.contracts.file_format import FileFormat
from takings.contracts.model import Contracts
from takings.validation.header import check_header
from takings.validation.source_columns import check_columns


def kind_of(look: FileLook, contracts: Contracts) -> DropKind | None:
    """Return the dataset or source whose columns a file has and whose format it is in; None where there is none."""
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
    return fitting[0] if len(fitting) == 1 else None


def _is_written_so(look: FileLook, file: FileFormat) -> bool:
    """Return whether a file is in this format, as far as its bytes tell."""
    return look.format == replace(
        look.format, delimiter=file.delimiter, encoding=file.encoding, skip_lines=file.skip_lines
    )
