"""Tell processes apart on hosts that know nothing of each other."""

from __future__ import annotations

import os
import platform
import secrets


class LeaseOwners:
    """Owners of which nobody knows that they are dead: only their leases end.

    A host's name says nothing: laptops share names, and containers share process ids.
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
        """Tell whether nobody is the owner."""
        return owner is None
