"""Look at the store whenever a file, a deadline or a sweep asks for it."""

from takings.entrypoints.functions import detector as handle

__all__ = ["handle"]
