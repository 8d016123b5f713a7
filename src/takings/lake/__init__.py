"""Describe the lake's content and what a batch changes in it: snapshots, affected keys, table changes.

An engine moves the rows themselves, with the SQL files next to this module; delta-rs or the like commits what the
engine wrote. A merge is a last-writer-wins join on the primary key: idempotent, commutative and associative.
"""

from takings.lake.changes import CLOSE, MOST_EXAMPLES, BatchChanges, ChangeWarning, Doubt, Example, RowChanges
from takings.lake.crowding import crowded
from takings.lake.gaps import NO_GAP, Gap, Gaps
from takings.lake.keys import Affected, CategoryDay, everything
from takings.lake.snapshots import (
    KEYS,
    PARTITION,
    PARTITIONED,
    AddedFile,
    Commit,
    LakeFile,
    LakeSnapshot,
    Orphan,
    Range,
    Ranges,
    StagedBatch,
    StagedFile,
    TableChange,
    TableSnapshot,
    lake_columns,
)
from takings.lake.stand_ins import FIRST_REAL, OLDER, stand_in_version

__all__ = [
    "CLOSE",
    "FIRST_REAL",
    "KEYS",
    "MOST_EXAMPLES",
    "NO_GAP",
    "OLDER",
    "PARTITION",
    "PARTITIONED",
    "AddedFile",
    "Affected",
    "BatchChanges",
    "CategoryDay",
    "ChangeWarning",
    "Commit",
    "Doubt",
    "Example",
    "Gap",
    "Gaps",
    "LakeFile",
    "LakeSnapshot",
    "Orphan",
    "Range",
    "Ranges",
    "RowChanges",
    "StagedBatch",
    "StagedFile",
    "TableChange",
    "TableSnapshot",
    "crowded",
    "everything",
    "lake_columns",
    "stand_in_version",
]
