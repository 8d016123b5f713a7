"""Make an exact number of a clean file's records invalid, byte by byte, in one pass."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from takings.adapters.shop_generator.draws import pick
from takings.adapters.shop_generator.faults import FAULTS, Fault, Record
from takings.contracts.model import Dataset

_FIELD = re.compile(rb'(?:^|,)("(?:[^"]|"")*"|[^,]*)')
_PLACE, _TURN = 122, 123


class Damage:
    """Apply the faults of each dataset in turn, over all its files, and count the damaged records."""

    def __init__(self, *, seed_word: int, percent: Decimal) -> None:
        self._seed_word = seed_word
        self._percent = percent
        self._turns = {name: pick(seed_word, _TURN, place, 1 << 16) for place, name in enumerate(Dataset)}
        #: fault -> records that violate because of it
        self.faults: Counter[str] = Counter()

    def apply(self, clean: Path, damaged: Path, *, dataset: Dataset, records: int) -> None:
        """Copy a file of `records` records and damage its share of them; fields must not hold line ends."""
        wanted = int((self._percent * records / 100).to_integral_value(ROUND_HALF_UP))
        targets = self._targets(dataset, records, wanted)
        with clean.open("rb") as lines, damaged.open("wb") as copy:
            header = next(lines)
            copy.write(header)
            columns = header.rstrip(b"\n").decode().split(",")
            before = b""
            target, fault = next(targets, (records, None))
            for number, line in enumerate(lines):
                if fault is not None and number == target:
                    copy.write(_line_of(fault.change(_record_of(line, columns), _record_of(before, columns))))
                    target, fault = next(targets, (records, None))
                else:
                    copy.write(line)
                before = line

    def _targets(self, dataset: Dataset, records: int, wanted: int) -> Iterator[tuple[int, Fault]]:
        """Cut the file into `wanted` stretches and choose a record in each: exact, even, streamed.

        A fault that also damages the previous record takes two stretches, and never the first record of the two.
        """
        done = 0
        while done < wanted:
            fault = self._next_fault(dataset, wanted - done)
            start, past = done * records // wanted, (done + fault.records) * records // wanted
            first = start + fault.records - 1
            self.faults[fault.name] += fault.records
            yield first + pick(self._seed_word, _PLACE, start, past - first), fault
            done += fault.records

    def _next_fault(self, dataset: Dataset, room: int) -> Fault:
        faults = FAULTS[dataset]
        while True:
            self._turns[dataset] += 1
            fault = faults[self._turns[dataset] % len(faults)]
            if fault.records <= room:
                return fault


def _record_of(line: bytes, columns: list[str]) -> Record:
    return dict(zip(columns, _FIELD.findall(line.rstrip(b"\n")), strict=False))


def _line_of(record: Record) -> bytes:
    return b",".join(record.values()) + b"\n"
