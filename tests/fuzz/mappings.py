"""DuckDB and pandas type the same bytes alike: the same verdict on every rule, the same rows, and every record accounted for.

byte 0      which contract: the shipped ones, or one that maps nearly every column
byte 1      how many records pandas reads at a time; and whether the file brings its own header
the rest    the file, or what follows the header that the contract expects
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from takings.adapters.duckdb.session import open_duckdb
from takings.contracts import Contract, load_contracts
from takings.contracts.model import Dataset
from takings.validation.header import check_header
from tests.mapped_contracts import Columns, mapped
from tests.validation_engine.both_engines import Workbench

_TEXT: Final = {"logicalType": "string", "physicalType": "VARCHAR"}
#: words of another country and parts of columns, as tests/mutation/test_mapped_noise.py has them
_SHOP: Final[Columns] = {
    "order_id": {**_TEXT, "takingsFrom": {"concat": ["Order", "Line", {"constant": "a"}], "separator": "-"}},
    "user_id": {"physicalName": "Kunde", "takingsAliases": ["Customer"]},
    "status": {"takingsDefault": "complete"},
    "created_at": {"takingsFrom": {"dateTime": ["Day", "Time"]}, "logicalTypeOptions": {"format": "d.M.yy h:mm a"}},
    "returned_at": {"logicalType": "date", "logicalTypeOptions": {"defaultTimezone": "America/New_York"}},
    "total": {"logicalType": "number", "takingsCurrency": ["$", "USD"]},
}
_FILE: Final[Mapping[str, Any]] = {"decimal": ",", "thousands": ".", "nullWords": ["NULL"]}
_TIMES: Final[Columns] = {
    "order_id": _TEXT,
    "created_at": {"logicalTypeOptions": {"format": "MMM d, yyyy 'at' HH:mm:ss.SSXX"}},
    "total": {"logicalType": "number", "takingsCurrency": ["€", "R$", "(x)+"]},
}
_USUAL: Final = b"order_id,user_id,status,created_at,num_of_item"


@dataclass(frozen=True, kw_only=True)
class Reader:
    """A contract, and the header of a file that follows it."""

    contract: Contract
    header: bytes
    time_zone: str = "UTC"


@cache
def readers() -> tuple[Reader, ...]:
    """Return the contracts in the order of byte 0."""
    shipped = load_contracts()
    return (
        Reader(contract=shipped[Dataset.ORDERS], header=_USUAL + b",returned_at,shipped_at,delivered_at"),
        Reader(
            contract=shipped[Dataset.ORDER_ITEMS],
            header=b"id,order_id,product_id,user_id,status,sale_price,returned_at",
            time_zone="Europe/Berlin",
        ),
        Reader(contract=shipped[Dataset.PRODUCTS], header=b"id,sku,cost,category,name,brand,retail_price,department"),
        Reader(
            contract=mapped(Dataset.ORDERS, _SHOP, _FILE),
            header=b"Order,Line,Kunde,status,Day,Time,returned_at,num_of_item,total",
        ),
        Reader(
            contract=mapped(Dataset.ORDERS, _TIMES, {"decimal": ".", "thousands": "'"}),
            header=_USUAL + b",total",
            time_zone="America/Sao_Paulo",
        ),
    )


@cache
def _bench() -> tuple[Workbench, ...]:
    folder = Path(tempfile.mkdtemp(prefix="takings-fuzz-"))
    connection = open_duckdb("400MB", 1, folder)
    return tuple(
        Workbench(connection=connection, contract=each.contract, time_zone=each.time_zone) for each in readers()
    )


def check(data: bytes) -> None:
    """Read one file with both engines."""
    which, how = (*data[:2], 0, 0)[:2]
    number = which % len(readers())
    has_header = how >= 128
    bench, content = _bench()[number], data[2:]
    if not has_header:
        content = readers()[number].header + b"\n" + content
    one = bench.duckdb(content)
    # What the pipeline does: only files with a header that fits go on.
    if one.structure.header is not None and check_header(bench.contract, one.structure.header) is not None:
        return
    assert bench.pandas(content, chunk_size=how % 4 + 1) == one
    assert all(outcome in (one, None) for outcome in bench.together(content))
    if one.findings is not None:
        rejected = sum(record.is_rejected for record in one.faulty)
        assert one.findings.read == len(one.staged) + rejected + one.findings.identical_duplicates
