"""What is said about a header that is nearly right; the golden cases show it for whole files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from takings.contracts import Contracts, Dataset, load_contracts
from takings.contracts.file_format import FileFormat
from takings.validation.collecting import broken_record
from takings.validation.file_formats import head_in_utf_8
from takings.validation.header import check_header
from takings.validation.recognition import explain, resembled
from takings.validation.structure.scan import BrokenRecord, FileFault, Structure, scan
from takings.validation.structure.values import Limits

CONTRACTS: Final = load_contracts()
ORDERS: Final = "order_id,user_id,status,created_at,num_of_item"
ITEMS: Final = "id,order_id,product_id,user_id,status,sale_price"
PRODUCTS: Final = "id,sku,cost,category,name,brand,retail_price,department"


def scanned(content: bytes) -> Structure:
    """Return a file's structure with its first bytes, as engines see it."""
    return replace(scan([content], on_broken=lambda _: None), head=content)


def explained(content: bytes | str, dataset: Dataset = Dataset.ORDERS) -> FileFault:
    """Return why a file is refused."""
    structure = scanned(content.encode() if isinstance(content, str) else content)
    fault = structure.fault or check_header(CONTRACTS[dataset], structure.header or ())
    assert fault is not None
    return explain(fault, structure, CONTRACTS, dataset)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("user_id ", "'user_id ' (with a space after it)"),
        ("\tuser_id", "'<U+0009>user_id' (with a tab before it)"),
        ("user\u200b_id", "'user<U+200B>_id' (with a zero-width space in it)"),
        ("\u200e user_id", "'<U+200E> user_id' (with the character U+200E and 1 more invisible characters before it)"),
        ("USER_ID", "'USER_ID'"),
        ("user-id", "'user-id'"),
        ("userId", "'userId'"),
        ("ｕｓｅｒ_ｉｄ", "'ｕｓｅｒ_ｉｄ'"),
        ("usr_id", "'usr_id'"),
        ("user_id\x1b[31m", "'user_id<U+001B>[31m'"),
    ],
)
def test_a_name_that_reads_nearly_the_same_is_shown(name: str, said: str) -> None:
    """With its invisible characters, and nothing that a terminal would interpret."""
    fault = explained(ORDERS.replace("user_id", name) + "\n")
    assert (fault.rule, fault.line) == ("user_id|missing", 1)
    assert fault.reason.startswith(f"the header says {said}"), fault.reason
    assert fault.reason.endswith(
        " where 'user_id' is expected: names are matched exactly."
        " Rename the column and drop the file again; it will be a new arrival."
    )


@pytest.mark.parametrize("name", ["customer", "id", "num", "\u200b", ""])
def test_a_name_that_reads_otherwise_is_not(name: str) -> None:
    """The column is missing, and nothing is guessed."""
    fault = explained(ORDERS.replace("user_id", name or "x") + "\n")
    assert (
        fault.reason == "the header lacks 'user_id'. Add the column and drop the file again; it will be a new arrival."
    )


def test_a_header_that_cannot_be_read_keeps_its_fault() -> None:
    """The reason also says what is around it."""
    assert explained(ORDERS + ",\n").reason == "the header has no name for column 6."
    assert explained("\ufeff\ufeff" + ORDERS + ",\n").reason == (
        "the header has no name for column 6; the file begins with two byte order marks."
        " Keep at most one of them and drop the file again; it will be a new arrival."
    )


def test_carriage_returns_and_another_delimiter_are_told_together() -> None:
    """A file from an old Mac in the wrong folder, with semicolons."""
    assert explained(f"{ITEMS}\r1,1,1,7,shipped,10\r".replace(",", ";")).reason == (
        "fields are separated by ;, not by commas; this is a file of order items; the lines end in CR."
        " Export the file with commas, save it with LF or CRLF line ends and drop it into raw-data/order-items/;"
        " it will be a new arrival."
    )
    assert explained(f"{ITEMS}\r1,1,1,7,shipped,10\r").reason == (
        "this is a file of order items; the lines end in CR."
        " Save it with LF or CRLF line ends and drop it into raw-data/order-items/; it will be a new arrival."
    )


def test_a_file_that_lacks_columns_is_of_its_own_folder() -> None:
    """Another dataset has to fit completely, because items have most columns of orders."""
    fault = explained("id,order_id,user_id,status,created_at\n", Dataset.ORDER_ITEMS)
    assert fault.reason.startswith("the header lacks 'product_id', 'sale_price'. Add these columns")


def test_nothing_of_a_record_is_shown() -> None:
    """What looks like a record may hold values that no report may show."""
    fault = explained("17,secret@example.com,shipped,2025-01-01T00:00:00,2\n")
    assert fault.reason.startswith(
        "line 1 is not a header but looks like a record. Add a first line that names the columns"
    )
    assert "secret" not in fault.reason


@pytest.mark.parametrize(
    ("head", "dataset"),
    [
        (ORDERS, Dataset.ORDERS),
        (ITEMS, Dataset.ORDER_ITEMS),
        (PRODUCTS, Dataset.PRODUCTS),
        (ITEMS + ",created_at,num_of_item", None),
        (ORDERS.upper(), Dataset.ORDERS),
        (PRODUCTS.replace(",", "\t"), Dataset.PRODUCTS),
        ("sep=;\n" + ITEMS.replace(",", ";"), Dataset.ORDER_ITEMS),
        ("order_id,user_id,status", Dataset.ORDERS),
        ("a,b,c", None),
        ("", None),
    ],
)
def test_the_dataset_is_told_by_what_resembles_a_header(head: str, dataset: Dataset | None) -> None:
    """If two fit equally well, neither is chosen."""
    assert resembled(head.encode(), CONTRACTS) is dataset


def test_letters_of_windows_1252_are_told_as_such() -> None:
    """As a guess, because every byte means something there."""
    assert explained(ORDERS.encode() + b",caf\xe9\n").reason == (
        "the header is not UTF-8 from byte 51 of the record onwards; it may be windows-1252."
        " Save the file as UTF-8 and drop it again."
    )

    def reason(raw: bytes) -> str:
        broken = BrokenRecord(record=0, line=2, rule="record|encoding", reason="is not UTF-8", raw=raw)
        return broken_record(broken).violations[0].reason

    assert reason(b"1,Caf\xe9 \x80 5") == "is not UTF-8; it may be windows-1252"
    assert reason(b"1,\x81\x8d") == "is not UTF-8"
    assert reason(b"1,\xe2\x82") == "is not UTF-8"


def pieces() -> Iterable[str]:
    """Return the pieces of headers and their lookalikes."""
    return [
        *ORDERS.split(","),
        *ITEMS.split(","),
        *PRODUCTS.split(","),
        *",;\t|",
        "\n",
        "\r",
        "sep=",
        '"',
        "\ufeff",
        " ",
        "1",
    ]


@given(
    text=st.lists(st.one_of(st.sampled_from(list(pieces())), st.text(max_size=3)), max_size=40).map("".join),
    dataset=st.sampled_from(list(Dataset)),
)
def test_whatever_stands_there_a_reason_is_found(text: str, dataset: Dataset) -> None:
    """There is at least one sentence, safe to show; a header that is right is never explained away."""
    content = text.encode("utf-8", "surrogatepass")
    structure = replace(scan([content], limits=Limits(max_record_bytes=200), on_broken=lambda _: None), head=content)
    fault = structure.fault or check_header(CONTRACTS[dataset], structure.header or ())
    resembled(content, CONTRACTS)
    if fault is not None:
        said = explain(fault, structure, CONTRACTS, dataset)
        assert said.rule.endswith("|missing") or said.rule.startswith("file|")
        assert said.reason.endswith(".")


def with_format(file: FileFormat, *datasets: Dataset) -> Contracts:
    """Return the shipped contracts, some with another file format."""
    return replace(
        CONTRACTS,
        by_dataset={
            dataset: replace(contract, file=file) if dataset in datasets else contract
            for dataset, contract in CONTRACTS.by_dataset.items()
        },
    )


SEMICOLONS: Final = with_format(
    FileFormat(delimiter=";", encoding="utf-16", skip_lines=2), Dataset.ORDERS, Dataset.PRODUCTS
)


@pytest.mark.parametrize(
    ("content", "dataset"),
    [
        (("a\nb\n" + ORDERS.replace(",", ";")).encode("utf-16"), Dataset.ORDERS),
        (("a\nb\n" + PRODUCTS.replace(",", ";") + "\n1;").encode("utf-16-le"), Dataset.PRODUCTS),
        (ITEMS.encode(), Dataset.ORDER_ITEMS),
        # nearly right, and therefore refused, but the contract is clear
        (("a\nb\n" + ORDERS).encode("utf-16"), Dataset.ORDERS),
        (ORDERS.replace(",", ";").encode("utf-16"), Dataset.ORDERS),
        (ORDERS.encode(), Dataset.ORDERS),
        (f"{ORDERS},_takings_source,_takings_line,_takings_reasons,_takings_version\n".encode(), Dataset.ORDERS),
        (b"a,b,c\n1,2,3\n", None),
    ],
)
def test_a_file_is_recognised_by_the_format_of_its_contract(content: bytes, dataset: Dataset | None) -> None:
    """Each dataset may have its own."""
    assert resembled(content, SEMICOLONS) is dataset


def explained_in(file: FileFormat, content: bytes) -> FileFault:
    """Return why a file of orders is refused if its contract names this format."""
    contracts = with_format(file, Dataset.ORDERS)
    structure = replace(scan([content], file=file, on_broken=lambda _: None), head=head_in_utf_8(content, file))
    fault = structure.fault or check_header(contracts[Dataset.ORDERS], structure.header or ())
    assert fault is not None
    return explain(fault, structure, contracts, Dataset.ORDERS)


@pytest.mark.parametrize(
    ("file", "content", "rule", "line", "said"),
    [
        (
            FileFormat(delimiter=";"),
            ORDERS,
            "file|delimiter",
            1,
            "fields are separated by commas, not by ';'. Export the file with ';'",
        ),
        (
            FileFormat(delimiter="\t"),
            ORDERS.replace(",", "|"),
            "file|delimiter",
            1,
            "fields are separated by |, not by tabs.",
        ),
        (
            FileFormat(delimiter="\x1f"),
            ORDERS,
            "file|delimiter",
            1,
            "fields are separated by commas, not by the character U+001F.",
        ),
        (
            FileFormat(skip_lines=2),
            ORDERS + "\n1\n2\n",
            "file|skipped_header",
            1,
            "2 lines are skipped, as the contract says, but",
        ),
        (
            FileFormat(skip_lines=1),
            "x\ny\n" + ORDERS,
            "file|lines_above_header",
            2,
            "line 2 is not the header, which is on line 3.",
        ),
        (
            FileFormat(skip_lines=1),
            "sep=,\n" + ORDERS.replace("user", "usr"),
            "user_id|missing",
            2,
            "the header says 'usr_id'",
        ),
        (
            FileFormat(encoding="utf-16"),
            ORDERS.replace("user", "usr"),
            "user_id|missing",
            1,
            "the header says 'usr_id'",
        ),
        (
            FileFormat(skip_lines=1, delimiter=";"),
            "x\n1;2;shipped;2025-01-01;1",
            "order_id|missing",
            2,
            "line 2 is not a header but",
        ),
    ],
)
def test_what_is_wrong_is_told_by_the_contracts_format(
    file: FileFormat, content: str, rule: str, line: int, said: str
) -> None:
    """A hint is about the contract's format, not about commas."""
    fault = explained_in(file, content.encode(file.encoding))
    assert (fault.rule, fault.line) == (rule, line), fault.reason
    assert fault.reason.startswith(said)
