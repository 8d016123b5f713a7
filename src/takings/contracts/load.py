"""Load contracts: Open Data Contract Standard YAML in, checked values out; every refusal has file, line and remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path

from takings.contracts.columns import ReadColumn, read_column
from takings.contracts.custom import read_custom
from takings.contracts.expressions import check_table_quality, read_expressions
from takings.contracts.file_format import FileFormat
from takings.contracts.load_sources import load_sources
from takings.contracts.mapping import check_header_names
from takings.contracts.meaning import hash_of
from takings.contracts.model import Contract, Contracts, Dataset, InDataset, Rule
from takings.contracts.needs import check_needs
from takings.contracts.read_file_format import read_file_format
from takings.contracts.roles import amount_rules, read_roles
from takings.contracts.rules import a_value_of
from takings.contracts.versions import read_order_of_versions
from takings.contracts.yaml_nodes import Entry, read_document, suggestion
from takings.errors import ContractError

ENDINGS = (".odcs.yaml", ".odcs.yml")
#: a row's violations are a mask of 63 bits; rows back from quarantine need three of them
MOST_RULES = 60

VERSIONS = ("v3.0.0", "v3.0.1", "v3.0.2", "v3.1.0", "v3.2.0")
#: Keys that the standard gained after v3.0.0; a validator of an older version refuses them.
SINCE = {"relationships": "v3.1.0", "enum": "v3.2.0"}
UNDERSTOOD = ("apiVersion", "kind", "id", "version", "schema", "customProperties")
DESCRIPTIVE = (
    *("name", "status", "tenant", "domain", "dataProduct", "description", "tags", "context", "servers", "support"),
    *("price", "team", "roles", "slaDefaultElement", "slaProperties", "authoritativeDefinitions", "contractCreatedTs"),
)
TABLE_UNDERSTOOD = ("name", "logicalType", "properties", "relationships", "quality", "customProperties")
TABLE_DESCRIPTIVE = (
    *("id", "physicalName", "physicalType", "description", "businessName", "deprecated", "synonyms", "context"),
    *("authoritativeDefinitions", "tags", "dataGranularityDescription"),
)


def load_contracts(folder: Path | None = None) -> Contracts:
    """Return the contracts of a folder, or the shipped ones: one per dataset, checked against each other."""
    read: dict[Dataset, _Read] = {}
    for source, text in _shipped() if folder is None else _texts(folder):
        one = _read(text, source)
        other = read.setdefault(one.contract.dataset, one)
        if other is not one:
            raise one.place.error(
                f"the contract of '{one.contract.dataset}' is already in {other.place.source}. Keep one of them."
            )
    for dataset in Dataset:
        if dataset not in read:
            raise ContractError(
                f"{folder}: no contract of '{dataset}'. Add a file {dataset}.odcs.yaml; the shipped one is a start."
            )
    _check_references(read)
    by_dataset = {dataset: read[dataset].contract for dataset in Dataset}
    return Contracts(by_dataset=by_dataset, hash=hash_of(by_dataset), sources=load_sources(folder, by_dataset))


def parse_contract(text: str, source: str) -> Contract:
    """Return the contract that a YAML text describes; `source` names the text in errors."""
    return _read(text, source).contract


@dataclass(frozen=True, kw_only=True)
class _Read:
    """A contract, with the places that a check against other contracts may have to name."""

    contract: Contract
    columns: Mapping[str, ReadColumn]
    place: Entry


def _shipped() -> Iterator[tuple[str, str]]:
    for dataset in Dataset:
        name = f"{dataset}.odcs.yaml"
        yield name, resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _texts(folder: Path) -> Iterator[tuple[str, str]]:
    if not folder.is_dir():
        raise ContractError(f"{folder}: there is no such folder. Name one with an .odcs.yaml file for each dataset.")
    for path in sorted(path for path in folder.iterdir() if path.name.endswith(ENDINGS)):
        try:
            yield str(path), path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise ContractError(f"{path}:{line}: the file is not UTF-8. Save it as UTF-8.") from error
        except OSError as error:
            raise ContractError(
                f"{path}:1: the file cannot be read ({error.strerror}). Fix that or remove it."
            ) from error


# A process that opens many stores reads the same texts each time, and PyYAML takes 10 ms for each.
@lru_cache(maxsize=16)
def _read(text: str, source: str) -> _Read:
    document = read_document(text, source)
    fields = document.fields(UNDERSTOOD, DESCRIPTIVE)
    version = _check_header(document, fields)
    read_custom(fields.get("customProperties"), "a contract")
    tables = fields["schema"].entries("table")
    if len(tables) != 1:
        raise fields["schema"].error(f"'schema' holds {len(tables)} tables. Write one file per dataset.")
    table = tables[0].fields(TABLE_UNDERSTOOD, TABLE_DESCRIPTIVE)
    dataset, place = _dataset(tables[0], table)
    custom = read_custom(table.get("customProperties"), "a table")
    file = read_file_format(custom.get("takingsFile"))
    columns = read_roles(dataset, _columns(place, table, fields["apiVersion"].text(), file))
    primary_key = _primary_key(place, columns)
    rules = _rules(place, columns)
    versions = read_order_of_versions(dataset, custom, columns, rules)
    rules = (*(versions.worded(rule, primary_key) for rule in rules), *versions.rules)
    _check_number_of(rules, place)
    contract = Contract(
        dataset=dataset,
        version=version,
        columns=tuple(read.column for read in columns.values()),
        primary_key=primary_key,
        rules=rules,
        file=file,
        version_column=versions.version_column,
        replaces=versions.replaces,
    )
    check_needs(dataset, columns, place)
    return _Read(contract=contract, columns=columns, place=place)


def _check_header(document: Entry, fields: Mapping[str, Entry]) -> str:
    """Return the contract's version; refuse anything that is not a contract of a known standard."""
    for key in ("apiVersion", "kind", "id", "version", "schema"):
        if key not in fields:
            raise document.error(f"the standard requires '{key}'. Add it.")
    if fields["apiVersion"].text() not in VERSIONS:
        written = fields["apiVersion"].text()
        raise fields["apiVersion"].error(f"unknown apiVersion '{written}'. Write one of {', '.join(VERSIONS)}.")
    if fields["kind"].text() != "DataContract":
        raise fields["kind"].error(f"unknown kind '{fields['kind'].text()}'. Write 'kind: DataContract'.")
    fields["id"].text()
    return fields["version"].text()


def _dataset(item: Entry, table: Mapping[str, Entry]) -> tuple[Dataset, Entry]:
    if "name" not in table:
        raise item.error("the table has no 'name'. Write products, orders or order_items.")
    place, name = table["name"], table["name"].text()
    if name not in list(Dataset):
        raise place.error(f"unknown dataset '{name}'.{suggestion(name, Dataset)}")
    if "logicalType" in table and table["logicalType"].text() != "object":
        raise table["logicalType"].error("the 'logicalType' of a table must be 'object'.")
    if "relationships" in table:
        raise table["relationships"].error("a relationship belongs to its column. Move it there, without 'from'.")
    if "quality" in table:
        check_table_quality(table["quality"])
    return Dataset(name), place


def _columns(place: Entry, table: Mapping[str, Entry], api_version: str, file: FileFormat) -> dict[str, ReadColumn]:
    if "properties" not in table:
        raise place.error("the table has no 'properties'. Add its columns.")
    columns: dict[str, ReadColumn] = {}
    lines: dict[str, int] = {}
    for item in table["properties"].entries("column"):
        read = read_column(item, file)
        name = read.column.name
        if name.lower() in lines:
            first = lines[name.lower()]
            raise read.place.error(
                f"the column '{name}' is already on line {first}; case makes no difference. Keep one."
            )
        for key, since in SINCE.items():
            if key in read.keys and api_version < since:
                raise read.place.error(f"'{key}' at '{name}' is new in ODCS {since}. Write 'apiVersion: {since}'.")
        lines[name.lower()] = read.place.line
        columns[name] = read
    check_header_names([(read.column, read.place) for read in columns.values()], file)
    return columns


def _primary_key(place: Entry, columns: Mapping[str, ReadColumn]) -> str:
    keys = [name for name, read in columns.items() if read.is_key]
    if not keys:
        raise place.error("the table has no primary key. Write 'primaryKey: true' for one column.")
    if len(keys) > 1:
        raise columns[keys[1]].place.error(
            f"'{keys[0]}' is already the primary key. Keep 'primaryKey: true' for one column."
        )
    return keys[0]


def _rules(place: Entry, columns: Mapping[str, ReadColumn]) -> tuple[Rule, ...]:
    """Return the rules of the standard's keys, column by column, then row expressions in the file's order, then the amount."""
    rules = [rule for read in columns.values() for rule in read.rules]
    plain = {name: read.column for name, read in columns.items()}
    for read in columns.values():
        if read.quality:
            rules += read_expressions(read.column, read.quality, plain)
    rules += amount_rules(plain, rules, place)
    return tuple(rules)


def _check_number_of(rules: Sequence[Rule], place: Entry) -> None:
    if len(rules) > MOST_RULES:
        raise place.error(f"the contract has {len(rules)} rules, and {MOST_RULES} at most can be checked. Remove some.")


def _check_references(read: Mapping[Dataset, _Read]) -> None:
    """Refuse a foreign key that is read as another type than the key it refers to."""
    for child in read.values():
        for rule in child.contract.rules:
            if not isinstance(rule.check, InDataset):
                continue
            column = child.columns[rule.column]
            parent = read[rule.check.dataset].contract.column(rule.check.column)
            if parent.type is not column.column.type:
                raise column.place.error(
                    f"'{rule.column}' is {a_value_of(column.column.type)}, and {rule.check.dataset}.{parent.name}, "
                    f"to which it refers, is {a_value_of(parent.type)}. Give both the same 'logicalType'."
                )
