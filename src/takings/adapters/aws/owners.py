"""Distinguish processes on hosts that know nothing about each other."""

from __future__ import annotations

import os
import platform
import secrets


class LeaseOwners:
    """Owners whose death nobody notices: only their leases expire.

    A host's name proves nothing: laptops share names, and containers share process ids.
    """

    def __init__(self) -> None:
        self._me = f"{platform.node()}:{os.getpid()}:{secrets.token_hex(8)}"

    def me(self) -> str:
        """Return this process's name."""
        return self._me

    def token(self) -> str:
        """Return four random hexadecimal digits."""
        return secrets.token_hex(2)

    def is_dead(self, owner: str | None) -> bool:
        """Return whether there is no owner."""
        return owner is None
