"""Find the contracts of a known shop system: `profile:NAME` stands for a folder of contracts that the package brings."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from takings.errors import SettingsError

#: what a folder's name begins with that is a profile's
PREFIX: Final = "profile:"
#: the shipped contracts themselves, which read both
SHIPPED: Final = ("brief", "thelook")
PROFILES: Final = (*SHIPPED, "shopify", "woocommerce", "olist")


def contracts_folder(named: str | None) -> Path | None:
    """Return the folder of contracts that a setting names; None: the shipped ones.

    SettingsError where it names a profile that there is none of.
    """
    if not named:
        return None
    if not named.startswith(PREFIX):
        return Path(named)
    profile = named.removeprefix(PREFIX)
    if profile not in PROFILES:
        raise SettingsError(
            f"contracts = '{named}': there is no profile '{profile}'. Name one of {', '.join(PROFILES)}, or a folder of"
            " contracts."
        )
    return None if profile in SHIPPED else Path(__file__).parent / profile


def is_shipped(folder: Path | None) -> bool:
    """Return whether a folder of contracts, as `contracts_folder` returns it, comes with the package."""
    return folder is None or folder.parent == Path(__file__).parent
