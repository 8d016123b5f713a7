"""Write contracts in which items say more about their worth than in the brief, or less: roles, and the order's status."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import takings.contracts

#: role -> a column with that role
ROLES: Final = {"quantity": "qty", "discount": "taken_off", "refund": "paid_back"}
_LOGICAL: Final = {"quantity": "integer", "discount": "number", "refund": "number"}


def contracts_of_worth(
    folder: Path, roles: Mapping[str, str] = ROLES, *, without: tuple[str, ...] = (), optional: tuple[str, ...] = ()
) -> str:
    """Write the shipped contracts, with roles, into a folder, and return it.

    Columns of items may be absent (`without`) or empty (`optional`).
    """
    folder.mkdir(parents=True, exist_ok=True)
    for file in Path(takings.contracts.__file__).parent.glob("*.odcs.yaml"):
        text = file.read_text(encoding="utf-8")
        (folder / file.name).write_text(
            items_contract(text, roles, without, optional) if file.name.startswith("order_items") else text,
            encoding="utf-8",
        )
    return str(folder)


def items_contract(text: str, roles: Mapping[str, str], without: tuple[str, ...], optional: tuple[str, ...]) -> str:
    """Return a contract of order_items with these columns."""
    head, *columns = re.split(r"(?m)^(?=      - name: )", text)
    kept = {column.split()[2]: column for column in columns}
    for name in without:
        del kept[name]
    for name in optional:
        kept[name] = kept[name].replace("        required: true\n", "", 1)
    return head + "".join(kept.values()) + "".join(role_column(role, name) for role, name in roles.items())


def role_column(role: str, name: str, *more: str) -> str:
    """Return the lines of a column with a role."""
    lines = (
        *(f"      - name: {name}", f"        logicalType: {_LOGICAL[role]}", *(f"        {line}" for line in more)),
        *("        customProperties:", "          - property: takingsRole", f"            value: {role}"),
    )
    return "".join(f"{line}\n" for line in lines)
