"""Describe a refused file of which nobody can tell the dataset."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from takings.validation.structure.values import FileFault, Structure


@dataclass(frozen=True, kw_only=True)
class Unplaced:
    """A refused file of an unknown dataset; no dataset would accept it."""

    file: Path
    structure: Structure
    fault: FileFault
    #: when its bytes were written
    version: datetime
