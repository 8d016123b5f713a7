"""Plan a batch's tasks, and file its originals away."""

from takings.entrypoints.functions import archiver as handle

__all__ = ["handle"]
