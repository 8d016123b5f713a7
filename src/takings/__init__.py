"""Turn a shop's raw CSV drops into the day's takings.

    import takings

    shop = takings.open("shop")
    shop.run(now=True)
    shop.kpis().df()

`takings.open`, `takings.validate`, `takings.adopt` and `takings.generate` begin everything, and `takings.errors` has what they
raise. docs/python.md shows how. Whatever else the package contains is not public: it may change with every version.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from takings import errors
    from takings.api import FileFindings, Kpis, Run, Shop, validate
    from takings.api import open_shop as open  # noqa: A004 - as gzip.open and wave.open
    from takings.api.beginning import adopt, generate

__version__ = "0.1.0"

#: public name -> its module and its name there; loaded when it is used: the command line asks this package for its version
_PUBLIC: Final = {
    "FileFindings": ("takings.api", "FileFindings"),
    "Kpis": ("takings.api", "Kpis"),
    "Run": ("takings.api", "Run"),
    "Shop": ("takings.api", "Shop"),
    "adopt": ("takings.api.beginning", "adopt"),
    "generate": ("takings.api.beginning", "generate"),
    "open": ("takings.api", "open_shop"),
    "validate": ("takings.api", "validate"),
}

__all__ = ["FileFindings", "Kpis", "Run", "Shop", "__version__", "adopt", "errors", "generate", "open", "validate"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever has this name
    """Load a public name when it is first used."""
    if name == "errors":
        return import_module("takings.errors")
    if name not in _PUBLIC:
        raise AttributeError(f"module 'takings' has no attribute '{name}'")
    module, there = _PUBLIC[name]
    return getattr(import_module(module), there)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
