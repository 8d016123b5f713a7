"""Print the statements that let Athena read a store: `takings aws athena`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from takings.composition.aws_setup import statements_for_athena
from takings.entrypoints.app import print_json
from takings.entrypoints.options import Json, Store


def athena(
    store: Store,
    database: Annotated[str, typer.Option("--database", help="Athena's database, one for each shop.")] = "takings",
    exports: Annotated[
        str | None,
        typer.Option("--from", help="s3://bucket/folder with exports, if not the store's.", show_default=False),
    ] = None,
    is_only_lake: Annotated[bool, typer.Option("--only-lake", help="Leave out KPIs: they need an export.")] = False,
    as_json: Json = False,
) -> None:
    """Print the statements that let Athena read the newest export and the lake; run nothing."""
    statements = statements_for_athena(store, database=database, exports=exports, is_only_lake=is_only_lake)
    if as_json:
        made = [{"makes": each.makes, "sql": each.sql} for each in statements]
        print_json({"schema_version": 1, "database": database, "statements": made})
    else:
        sys.stdout.write("\n".join(f"{each.sql};\n" for each in statements))
