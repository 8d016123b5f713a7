"""Make a shop's drops from a number, so that samples, tests and measurements need no real data.

The same plan makes the same bytes on any machine: randomness is arithmetic on the seed and the record's id (`draws.py`).

    plan.py      what is asked for and what came of it
    exports.py   which files a format has
    writing.py   the files, one streamed query each; SQL beside it
    season.py    when orders happen and how many items they hold
    damage.py    which records are made invalid, `faults.py` in which ways
"""

from typing import TYPE_CHECKING

from takings.adapters.shop_generator.plan import Generated, ShopFormat, ShopPlan

if TYPE_CHECKING:
    from takings.adapters.shop_generator.writing import generate_shop

__all__ = ["Generated", "ShopFormat", "ShopPlan", "generate_shop"]


def __getattr__(name: str) -> object:
    """Load what writes, with DuckDB, only where it is asked for."""
    if name != "generate_shop":
        raise AttributeError(f"module {__name__} has no attribute {name}")
    from takings.adapters.shop_generator.writing import generate_shop

    return generate_shop
