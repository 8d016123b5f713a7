"""Write contracts that say which rows count: the shipped ones, with `takingsVersion` and `takingsReplaces`."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from importlib import resources
from pathlib import Path
from typing import Final

#: what a contract gains: a column with the shop's own instant …
_COLUMN: Final = """\
      - name: updated_at
        description: When the shop changed the row.
        logicalType: timestamp
        required: true
"""
#: … and the properties of its table
_VERSION: Final = """\
      - property: takingsVersion
        value: updated_at
"""
_REPLACES: Final = """\
      - property: takingsReplaces
        value: order_id
"""


def write_contracts(folder: Path, *, versioned: Collection[str] = (), replaces: bool = False) -> str:
    """Write the three contracts into a new folder and return it; `versioned` datasets have `updated_at`."""
    folder.mkdir(parents=True)
    for file in resources.files("takings.contracts").iterdir():
        if file.name.endswith(".odcs.yaml"):
            shutil.copy(str(file), folder)
    for dataset in ("products", "orders", "order_items"):
        properties = _VERSION if dataset in versioned else ""
        properties += _REPLACES if replaces and dataset == "order_items" else ""
        path = folder / f"{dataset}.odcs.yaml"
        text = path.read_text(encoding="utf-8")
        if properties:
            text = text.replace("    properties:\n", f"    customProperties:\n{properties}    properties:\n", 1)
        path.write_text(text + (_COLUMN if dataset in versioned else ""), encoding="utf-8")
    return str(folder)
