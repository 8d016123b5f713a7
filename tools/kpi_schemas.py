"""Write the columns of the KPI definitions into the JSON schemas of `takings kpis --format json`.

    python -m tools.kpi_schemas          prints the schemas
    python -m tools.kpi_schemas --write  puts them into the package

It writes only the columns. The other members of a row stay as they are in the schema's file.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

from takings.kpis import KpiTable, load_kpi_tables

FOLDER: Final = Path(__file__).resolve().parent.parent / "src" / "takings" / "schemas"
#: the first member that rows of all tables share
_FIRST_OF_ALL: Final = "commit"
_KEYS: Final[dict[str, dict[str, Any]]] = {"order_date": {"$ref": "#/$defs/day"}, "category": {"type": "string"}}
_DECIMAL: Final[dict[str, Any]] = {"$ref": "#/$defs/decimal"}
_RATIO: Final[dict[str, Any]] = {"anyOf": [_DECIMAL, {"type": "null"}]}
_KINDS: Final[dict[str, dict[str, Any]]] = {
    "count": {"type": "integer", "minimum": 0},
    "money": _DECIMAL,
    "percent": _RATIO,
    "average": _RATIO,
}


def file_of(table: KpiTable) -> Path:
    """Return the file with the schema of a table's rows."""
    by = "category" if "category" in table.key else "day"
    return FOLDER / f"kpis-by-{by}.schema.json"


def schema_with(text: str, table: KpiTable) -> str:
    """Return a schema's text with its columns replaced by those of this table."""
    schema = json.loads(text)
    row = schema["items"]
    columns = {name: _KEYS[name] for name in table.key}
    columns |= {column.name: _KINDS[column.kind] for column in table.columns}
    row["properties"] = columns | _from(row["properties"], _FIRST_OF_ALL)
    row["required"] = [*columns, *row["required"][row["required"].index(_FIRST_OF_ALL) :]]
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _from(properties: dict[str, Any], first: str) -> dict[str, Any]:
    names = list(properties)
    return {name: properties[name] for name in names[names.index(first) :]}


def main() -> None:
    """Print the schemas, or put them into the package."""
    parser = argparse.ArgumentParser(description="Write the KPI definitions' columns into the JSON schemas.")
    parser.add_argument("--write", action="store_true", help="put the schemas into the package")
    is_written = parser.parse_args().write
    for table in load_kpi_tables():
        file = file_of(table)
        schema = schema_with(file.read_text(encoding="utf-8"), table)
        if is_written:
            file.write_text(schema, encoding="utf-8")
        else:
            sys.stdout.write(schema)


if __name__ == "__main__":
    main()
