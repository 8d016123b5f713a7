"""Change shipped contracts as a test asks: keys of columns, and how the files are written.

    mapped(Dataset.ORDERS, {"order_id": {"physicalName": "Order no."}}, {"decimal": ","})

A key that begins with `takings` becomes a custom property; a column that the shipped contract lacks is added.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from takings.contracts import Contract, parse_contract
from takings.contracts.model import Dataset

Columns = Mapping[str, Mapping[str, Any]]


def mapped(dataset: Dataset, columns: Columns, file: Mapping[str, Any] | None = None) -> Contract:
    """Return a shipped contract with these changes."""
    return parse_contract(mapped_text(dataset, columns, file), f"{dataset}.odcs.yaml")


def mapped_text(dataset: Dataset, columns: Columns, file: Mapping[str, Any] | None = None) -> str:
    """Return the YAML of a shipped contract with these changes."""
    shipped = resources.files("takings.contracts").joinpath(f"{dataset}.odcs.yaml").read_text(encoding="utf-8")
    document = yaml.safe_load(shipped)
    table = document["schema"][0]
    if file:
        table["customProperties"] = [{"property": "takingsFile", "value": file}]
    known = {column["name"]: column for column in table["properties"]}
    for name, keys in columns.items():
        if name not in known:
            known[name] = {"name": name}
            table["properties"].append(known[name])
        for key, value in keys.items():
            if key.startswith("takings"):
                known[name].setdefault("customProperties", []).append({"property": key, "value": value})
            else:
                known[name][key] = value
    return yaml.dump(document, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=1000)


def write_contracts(folder: Path, changes: Mapping[Dataset, tuple[Columns, Mapping[str, Any] | None]]) -> Path:
    """Write a contract of every dataset into a folder; those without changes stay as shipped."""
    folder.mkdir(parents=True)
    for dataset in Dataset:
        columns, file = changes.get(dataset, ({}, None))
        (folder / f"{dataset}.odcs.yaml").write_text(mapped_text(dataset, columns, file), encoding="utf-8")
    return folder


class _Dumper(yaml.SafeDumper):
    """Write no aliases: a contract may not have any."""

    def ignore_aliases(self, data: Any) -> bool:
        return True
