"""Measure the structure scan on some 200 MB of order items in memory, beside the cost of counting one byte value.

python benchmarks/structure.py
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator

import numpy as np

from takings.validation.structure.scan import Structure, scan

_HEADER = b"id,order_id,product_id,user_id,status,created_at,shipped_at,delivered_at,returned_at,sale_price,name\n"
_ROW = b"%d,%d,%d,%d,Complete,2023-04-12 08:31:22 UTC,2023-04-13 08:31:22 UTC,,2023-04-16 11:02:59 UTC,%d.5,%b\n"
_BLOCK = 4 << 20


def main() -> None:
    """Print megabytes per second for each kind of file."""
    files = {
        "unquoted": _items(lambda i: b"Linen shirt"),
        "unquoted, CRLF": _items(lambda i: b"Linen shirt").replace(b"\n", b"\r\n"),
        "some letters not ASCII": _items(lambda i: "Überhang, weiß"[:8].encode() if i % 10 == 0 else b"Linen shirt"),
        "10 % with a quoted name": _items(lambda i: b'"Shirt, ""linen"""' if i % 10 == 0 else b"Linen shirt"),
        "every name quoted": _items(lambda i: b'"Shirt, linen"'),
        "10 % with a quoted line break": _items(lambda i: b'"Shirt\nlinen"' if i % 10 == 0 else b"Linen shirt"),
        "0.1 % with a stray quote": _items(lambda i: b'5" heel' if i % 1000 == 0 else b"Linen shirt"),
        "10 % with a stray quote": _items(lambda i: b'5" heel' if i % 10 == 0 else b"Linen shirt"),
        "every record too short": _items(lambda i: b"Linen shirt").replace(b",Linen", b"Linen"),
    }
    for name, data in files.items():
        print(f"{name} ({len(data) / 1e6:.0f} MB)")
        _print("np.count_nonzero", data, lambda data: np.count_nonzero(np.frombuffer(data, np.uint8) == 10))
        _print("scan", data, _scan)
        _print("scan and normalise", data, lambda data: _scan(data, normalised=lambda piece: None))
    tracemalloc.start()
    scan(_one_field(), on_broken=_forget)
    print(f"peak memory of one field of 100 MB: {tracemalloc.get_traced_memory()[1] / 1e6:.0f} MB")


def _items(name: Callable[[int], bytes]) -> bytes:
    rows = 1_600_000
    return _HEADER + b"".join([_ROW % (i, i * 2 // 3, i % 29_120, i % 100_000, i % 90, name(i)) for i in range(rows)])


def _scan(data: bytes, normalised: Callable[[bytes], None] | None = None) -> Structure:
    return scan(_blocks(data), on_broken=_forget, normalised=normalised)


def _blocks(data: bytes) -> Iterator[bytes]:
    return (data[at : at + _BLOCK] for at in range(0, len(data), _BLOCK))


def _one_field() -> Iterator[bytes]:
    yield b'a,b\n1,"'
    for _ in range(25):
        yield b"2," * (2 << 20)


def _forget(broken: object) -> None:
    """Discard broken records."""


def _print(what: str, data: bytes, act: Callable[[bytes], object]) -> None:
    best = min(_seconds(data, act) for _ in range(3))
    print(f"    {what:<20}{len(data) / best / 1e6:7.0f} MB/s")


def _seconds(data: bytes, act: Callable[[bytes], object]) -> float:
    start = time.perf_counter()
    act(data)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
