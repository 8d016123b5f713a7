"""Find the days with so many small files that merging these into one pays off. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date

from takings.lake.snapshots import LakeFile


def crowded(files: Iterable[LakeFile], *, fewer_rows_than: int, at_least: int) -> tuple[LakeFile, ...]:
    """Return the small files of each day that has too many of them."""
    small: dict[date | None, list[LakeFile]] = defaultdict(list)
    for file in files:
        if file.rows < fewer_rows_than:
            small[file.order_date].append(file)
    return tuple(file for each in small.values() if len(each) >= at_least for file in each)
