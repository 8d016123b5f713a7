"""Turn a shop's raw CSV drops into the day's takings.

    import takings

    shop = takings.open("shop")
    shop.run(now=True)
    shop.kpis().df()

`takings.open` and `takings.validate` begin everything, and `takings.errors` has what they raise. docs/python.md shows how.
Whatever else the package contains is not public: it may change with every version.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from takings import errors
    from takings.api import FileFindings, Kpis, Run, Shop, validate
    from takings.api import open_shop as open  # noqa: A004 - as gzip.open and wave.open

__version__ = "0.1.0"

#: public name -> its name in takings.api; loaded when it is used, since the command line asks this package for its version
_PUBLIC: Final = {
    "FileFindings": "FileFindings",
    "Kpis": "Kpis",
    "Run": "Run",
    "Shop": "Shop",
    "open": "open_shop",
    "validate": "validate",
}

__all__ = ["FileFindings", "Kpis", "Run", "Shop", "__version__", "errors", "open", "validate"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever has this name
    """Load a public name when it is first used."""
    if name == "errors":
        return import_module("takings.errors")
    if name not in _PUBLIC:
        raise AttributeError(f"module 'takings' has no attribute '{name}'")
    return getattr(import_module("takings.api"), _PUBLIC[name])


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
