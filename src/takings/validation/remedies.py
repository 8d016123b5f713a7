"""Say what a person can do about a broken rule. Pure."""

from __future__ import annotations

from typing import Final

from takings.contracts.datasets import Dataset, DropKind
from takings.contracts.file_format import USUAL, named_delimiter
from takings.contracts.model import ColumnType, Contract, Contracts
from takings.contracts.rules import type_demand
from takings.validation import file_kinds
from takings.validation.source_columns import as_contract

_OF_RULE: Final = {
    "record|stray_quote": 'put the whole field into double quotes and double each quote inside: "5"" nail"',
    "record|text_after_quote": "end the field with its closing quote; double quotes that belong to the text",
    "record|stray_carriage_return": "remove the carriage return, or put the field into double quotes",
    "record|nul_byte": "remove the NUL byte",
    "record|too_large": "split the text; a record may have 1 MiB",
    "file|empty": "export the file again; it has no header",
    "file|duplicate_header": "rename or remove one of the columns with the same name",
    "file|line_ends": "export the file with LF or CRLF line ends",
    "file|unterminated_quote": "close the quote; everything after it is read as one field",
    "file|compression": "compress the file again with gzip, or let its name end in .csv if it is not compressed",
    "file|inflation": "drop the file uncompressed",
    "file|kills_reader": "split the file or export it again; the logs around these deaths say what went wrong",
    **file_kinds.REMEDIES,
    "file|byte_order_mark": "keep one byte order mark at the beginning of the file, or none",
    "file|sep_line": "remove the 'sep=' line; the first line names the columns",
    "file|lines_above_header": "remove the lines above the header; the first line names the columns",
    "file|skipped_header": "change 'skipLines' in the contract, or export the file as it says",
    "file|other_dataset": "drop the file into the folder of its dataset",
    "file|part_of_orders": "drop a file with all lines of these orders, without the columns of the quarantine file",
    "file|no_records": "nothing, if the export is meant to be empty",
}
_OF_SQL: Final = "correct the SQL of the source, and drop the file again"
#: with what the contract says of the file
_OF_FORMAT: Final = {
    "record|field_count": "add or remove fields; put a field that holds {delimiter} into double quotes",
    "record|encoding": "write the record as {encoding}",
    "file|encoding": "export the file as {encoding}",
    "file|header": "correct the header: every column needs a name, correct quoting and {encoding}",
    "file|delimiter": "export the file with {delimiter} between the fields",
}
_OF_TYPE: Final = {
    ColumnType.IDENTIFIER: "write digits only, without sign or leading zeros, up to 9223372036854775807",
    ColumnType.INTEGER: "write a whole number, such as 3",
    ColumnType.MONEY: "write an amount such as 12.50, with a point and without currency or thousands separators",
    ColumnType.TIMESTAMP: "write a date with a time, such as 2025-03-30T16:14:26, with Z or +02:00 if it has a zone",
    ColumnType.TEXT: "shorten the text to 1,024 bytes",
}
_EXACTLY: Final = "; names are matched exactly"
_OF_KIND: Final = {
    "required": "fill the field in",
    "missing": "add the column to the header and every record, or rename the one that holds it{matched}",
    "unique": "keep one of the records with this key, or give the others keys of their own",
    "extra_column": "nothing, or name the column in the contract to keep it",
    "not_in_future": "correct the time, or its zone",
    "version_not_in_future": "correct the time, or its zone; it decides which row counts",
    "not_before_2000": "correct the time; a clock that was never set writes 1970 or 1900",
}


def remedy_in(contracts: Contracts, kind: DropKind, rule: str) -> str:
    """Return what to do about a broken rule in a file of a dataset or source, whose rules are named with their dataset."""
    if isinstance(kind, Dataset):
        return remedy(contracts[kind], rule)
    dataset, _, rule_of_dataset = rule.partition(".")
    if dataset not in list(Dataset):
        source = contracts.sources.by_name.get(kind)
        return remedy(None if source is None else as_contract(source), rule)
    if rule_of_dataset.startswith("sql|"):
        return _OF_SQL
    return remedy(contracts[Dataset(dataset)], rule_of_dataset)


def remedy(contract: Contract | None, rule: str) -> str:
    """Return what to do about a broken rule, as an imperative phrase; without a contract, about one on the whole file."""
    if rule in _OF_RULE:
        return _OF_RULE[rule]
    file = contract.file if contract else USUAL
    if rule in _OF_FORMAT:
        return _OF_FORMAT[rule].format(encoding=file.encoding_name, delimiter=named_delimiter(file.delimiter))
    if contract is None:
        return _OF_KIND.get(rule.partition("|")[2], "correct the file").format(matched=_EXACTLY)
    column, _, kind = rule.partition("|")
    known = {found.name: found for found in contract.columns}
    if kind == "type" and column in known:
        is_usual = known[column].written is None and known[column].origin is None
        return _OF_TYPE[known[column].type] if is_usual else f"the value {type_demand(known[column])}"
    if kind == "required" and column in known and known[column].origin is not None:
        return "fill in what the column is made of, or drop the file into the folder that is part of it"
    if kind == "one_of" and column in known:
        return f"use one of {', '.join(sorted(set((known[column].values or {}).values())))}"
    if kind in _OF_KIND:
        matched = "" if contract.file.is_header_loose else _EXACTLY
        return _OF_KIND[kind].format(matched=matched)
    return next((f"the value {found.demand}" for found in contract.rules if found.id == rule), "correct the value")
