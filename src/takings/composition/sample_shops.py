"""Hand the generator of sample shops on to the command line."""

from __future__ import annotations

from pathlib import Path

from takings.adapters.shop_generator.plan import Generated, ShopFormat, ShopPlan

__all__ = ["Generated", "ShopFormat", "ShopPlan", "generate_shop"]


def generate_shop(directory: Path, plan: ShopPlan, *, flat: bool = False) -> Generated:
    """Write the files of a plan into a folder, and return what was written."""
    # It loads DuckDB, which the command's help does not need.
    from takings.adapters.shop_generator.writing import generate_shop as generate

    return generate(directory, plan, flat=flat)
