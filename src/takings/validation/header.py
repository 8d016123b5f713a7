"""Check a file's header against its dataset's contract. Pure."""

from __future__ import annotations

from collections.abc import Collection

from takings.contracts.model import Contract
from takings.validation.structure_values import FileFault


def check_header(contract: Contract, header: Collection[str]) -> FileFault | None:
    """Return what is wrong with the header: mandatory columns that it lacks. Names are matched exactly."""
    missing = [column.name for column in contract.columns if column.is_mandatory and column.name not in header]
    if not missing:
        return None
    named = ", ".join(f"'{name}'" for name in missing)
    column = "the column" if len(missing) == 1 else "these columns"
    return FileFault(
        rule=f"{missing[0]}|missing",
        line=1,
        reason=f"the header lacks {named}. Add {column} and drop the file again; it will be a new arrival.",
    )
