"""`takingsFile` of a table: how its files are written, and what the loader refuses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from takings.contracts import load_contracts, parse_contract
from takings.contracts.file_format import USUAL, FileFormat
from takings.contracts.model import Dataset
from takings.errors import ContractError
from takings.kpis.definitions import definition_hash, load_kpi_tables

MINIMAL = Path(__file__).parent / "minimal"
PRODUCTS = (MINIMAL / "products.odcs.yaml").read_text(encoding="utf-8")
#: the hashes of the packaged contracts and KPI tables; stores keep both, and a change would force every store to rebuild
SHIPPED_CONTRACTS = "c62847daa41842170468aa868acc30768a81deaa81d05fabb5ca1da3e5979cbe"
SHIPPED_KPIS = "fa71d186f2adc10e"


def with_file(value: str) -> str:
    """Return the minimal contract of products with a `takingsFile`, in lines 7 to 9."""
    lines = f"    customProperties:\n      - property: takingsFile\n        value: {value}\n"
    return PRODUCTS.replace("    properties:\n", f"{lines}    properties:\n", 1)


def file_format(value: str) -> FileFormat:
    """Return the format of a contract with this `takingsFile`."""
    return parse_contract(with_file(value), "products.odcs.yaml").file


def test_the_shipped_contracts_and_kpis_keep_their_hashes() -> None:
    """An unused feature leaves every store as it is."""
    assert load_contracts().hash == SHIPPED_CONTRACTS
    assert definition_hash(load_kpi_tables(), policy="file", time_zone="UTC") == SHIPPED_KPIS


def test_a_contract_without_it_takes_the_usual_files() -> None:
    """UTF-8 with commas, and a header in the first line, as always."""
    assert [contract.file for contract in load_contracts().by_dataset.values()] == [USUAL] * len(Dataset)
    assert file_format("{}") == USUAL


def test_reads_every_key() -> None:
    """They work together."""
    value = (
        '{delimiter: "\\t", encoding: ISO-8859-15, decimal: ",", thousands: "\\u00a0", header: loose, skipLines: 2,'
        ' nullWords: ["NULL", n/a]}'
    )
    assert file_format(value) == FileFormat(
        delimiter="\t",
        encoding="iso-8859-15",
        decimal=",",
        thousands="\u00a0",
        is_header_loose=True,
        skip_lines=2,
        null_words=("NULL", "n/a"),
    )


def test_a_delimiter_may_stand_in_numbers() -> None:
    """A field that holds it is quoted; unquoted, the record has too many fields. Nothing is ambiguous."""
    assert file_format('{delimiter: ",", decimal: ","}') == FileFormat(decimal=",")
    assert file_format('{thousands: ","}') == FileFormat(thousands=",")


def test_the_example_of_the_documentation_loads() -> None:
    """A reader may copy it as it is."""
    page = (Path(__file__).parents[2] / "docs" / "contracts.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(schema:\n.*?takingsFile.*?)```", page, flags=re.DOTALL)
    frame, _, table = (MINIMAL / "orders.odcs.yaml").read_text(encoding="utf-8").partition("schema:\n")
    columns = table.partition("    properties:\n")[2]
    assert parse_contract(frame + example + columns, "example").file == FileFormat(
        delimiter=";",
        encoding="windows-1252",
        decimal=",",
        thousands=".",
        is_header_loose=True,
        skip_lines=2,
        null_words=("NULL", "n/a", "-"),
    )


SIGNS = 'Write one of a comma, a semicolon, "\\t" (a tab), |, ~, ^, "\\x01", "\\x1e", "\\x1f".'
REFUSED = [
    ("{separator: ','}", "9: unknown key 'separator'. Known here: decimal, delimiter, encoding, header, nullWords, "),
    ("[]", "9: 'takingsFile' must hold 'key: value' lines."),
    ("{delimiter: '\"'}", f"9: '\"' cannot separate fields. {SIGNS}"),
    ('{delimiter: "\\n"}', f"9: '\n' cannot separate fields. {SIGNS}"),
    ("{delimiter: '.'}", f"9: '.' cannot separate fields. {SIGNS}"),
    ("{delimiter: x}", f"9: 'x' cannot separate fields. {SIGNS}"),
    ("{delimiter: '::'}", "9: 'delimiter' must be one character, in quotes."),
    ("{delimiter: 1}", "9: 'delimiter' must be one character, in quotes."),
    ("{encoding: utf8}", "9: unknown encoding 'utf8'. Did you mean 'utf-8'?"),
    ("{encoding: iso-8859-12}", "9: unknown encoding 'iso-8859-12'. Did you mean 'iso-8859-"),
    ("{decimal: ';'}", "9: 'decimal' cannot be ';'. Write one of \".\", \",\"."),
    ("{thousands: _}", '9: \'thousands\' cannot be \'_\'. Write one of ".", ",", "\'", " ", "\\u00a0".'),
    ("{thousands: '.'}", "9: 'thousands' and 'decimal' are both '.'. Write another sign, or leave one out."),
    (
        "{thousands: ',', decimal: ','}",
        "9: 'thousands' and 'decimal' are both ','. Write another sign, or leave one out.",
    ),
    ("{header: any}", "9: unknown kind of header 'any'. Write exact or loose."),
    ("{skipLines: -1}", "9: 'skipLines' is -1. Write a number from 0 to 1,000."),
    ("{skipLines: 1001}", "9: 'skipLines' is 1001. Write a number from 0 to 1,000."),
    ("{skipLines: 1.5}", "9: 'skipLines' must be a whole number."),
    ("{nullWords: n/a}", "9: 'nullWords' must be a list. Begin each word with '- '."),
    ("{nullWords: [null]}", "9: 'word' must be text. Write one, in quotes where it looks like a number or a date."),
    ("{nullWords: [' ']}", "9: 'word' must be text. Write one, in quotes where it looks like a number or a date."),
    ("{nullWords: [x, x]}", "9: the word 'x' is listed twice. Keep one of them."),
]


@pytest.mark.parametrize(("value", "message"), REFUSED)
def test_refuses_what_it_cannot_read(value: str, message: str) -> None:
    """Each refusal has file, line and remedy."""
    with pytest.raises(ContractError) as caught:
        file_format(value)
    assert str(caught.value).startswith(f"products.odcs.yaml:{message}")


def test_it_belongs_to_a_table() -> None:
    """All columns of a file are written in the same way."""
    text = PRODUCTS.replace("schema:\n", "customProperties: [{property: takingsFile, value: {}}]\nschema:\n", 1)
    with pytest.raises(ContractError) as caught:
        parse_contract(text, "products.odcs.yaml")
    assert (
        str(caught.value) == "products.odcs.yaml:5: 'takingsFile' belongs to a table, not to a contract. Move it there."
    )


def test_the_hash_sees_what_is_unusual(tmp_path: Path) -> None:
    """What changes a file's meaning changes the hash; writing out a default does not."""
    values = ["{delimiter: ';'}", "{encoding: utf-16}", "{decimal: ','}", "{thousands: ','}", "{header: loose}"]
    values += ["{skipLines: 1}", "{nullWords: [x]}", "{nullWords: [y]}"]
    hashes = {value: hash_with(tmp_path / str(at), with_file(value)) for at, value in enumerate(values)}
    usual = hash_with(tmp_path / "usual", PRODUCTS)
    assert len({usual, *hashes.values()}) == len(values) + 1
    spelled = "{delimiter: ',', encoding: UTF-8, decimal: '.', header: exact, skipLines: 0, nullWords: []}"
    assert hash_with(tmp_path / "spelled", with_file(spelled)) == usual


def hash_with(folder: Path, products: str) -> str:
    """Return the hash of the minimal contracts with another one of products."""
    folder.mkdir()
    for path in MINIMAL.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "products.odcs.yaml").write_text(products, encoding="utf-8")
    return load_contracts(folder).hash
