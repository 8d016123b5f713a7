"""Name every way in which Takings can fail, and which of them the caller can correct.

    TakingsError
    ├── UsageError            wrong option, setting, contract or store: exit 2
    │   ├── SettingsError     a setting that is unknown or makes no sense
    │   ├── ContractError     a contract that cannot be used, with file and line
    │   └── UnknownThing      a store, batch, day or key that does not exist
    └── MachineryError        the pipeline could not finish; it can be run again: exit 3
        ├── OutOfMemory       the machine's memory, or the setting `memory`, is not enough
        ├── StoreError        the store could not be read or written
        │   ├── OutOfDisk       the disk, or its quota, is full
        │   ├── UnreadableFile  one file could not be read; the batch continues without it
        │   └── StuckFile       one file was archived but not removed from raw-data/; the batch continues
        ├── ConflictError     another writer was first; read again
        ├── ReaderDied        each process of a cluster that read a file has died; the file is tried alone
        ├── Superseded        this attempt lost the gate to a newer one; it ends without a side effect
        ├── CorruptState      ledger, lake or manifest is damaged; nothing is overwritten
        ├── NotSent           a message could not be handed over; the next check tries again
        ├── OwnKpiFailure     a KPI table of the shop's own cannot be computed; it stays as published, marked stale
        └── InvariantBreach   KPIs contradict each other; the batch is blocked

A bad file is not an error: it is a verdict.
"""

from __future__ import annotations


class TakingsError(Exception):
    """The root of everything that Takings raises on purpose; the text names the thing, the place and the next step."""

    exit_code = 3


class UsageError(TakingsError):
    """The request makes no sense."""

    exit_code = 2


class SettingsError(UsageError):
    """A setting is unknown, or its value is unusable."""


class ContractError(UsageError):
    """A contract cannot be used: which file, which line, what to do."""


class UnknownThing(UsageError):
    """The named store, batch, day or key does not exist."""


class MachineryError(TakingsError):
    """The pipeline could not finish; running it again is safe."""


class OutOfMemory(MachineryError):
    """The work needs more memory than it has; with more, it can be run again."""


class StoreError(MachineryError):
    """The store could not be read or written."""


class OutOfDisk(StoreError):
    """The disk or its quota is full; with more of it, the work can be run again."""


class UnreadableFile(StoreError):
    """One file cannot be read; the store is fine, so the batch continues without the file."""


class StuckFile(StoreError):
    """One file was archived but could not be removed; the store is fine, so the batch continues."""


class ConflictError(MachineryError):
    """Another writer changed the thing first; the caller reads it again."""


class ReaderDied(MachineryError):
    """Each process of a cluster that read a file has died."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        #: the file's key
        self.key = key


class Superseded(MachineryError):
    """A newer attempt owns the batch; this one ends without a side effect."""


class CorruptState(MachineryError):
    """Ledger, lake or manifest is damaged; nothing was overwritten."""


class NotSent(MachineryError):
    """A message could not be handed over to the one who delivers it; the next check tries again."""


class OwnKpiFailure(MachineryError):
    """A KPI table of the shop's own cannot be computed from the lake; its published rows stay, marked stale."""


class InvariantBreach(MachineryError):
    """Computed measures contradict each other; nothing was published."""


def cause_of(fault: BaseException) -> str:
    """Return what went wrong as a phrase, without Python's notation."""
    match fault:
        case OSError() if fault.strerror:
            return f"{fault.filename}: {fault.strerror}" if fault.filename else fault.strerror
        case KeyError():
            return f"'{fault.args[0]}' is missing" if fault.args else "a part is missing"
        case TypeError() | AttributeError():
            return f"a value is of an unexpected kind: {fault}"
    return str(fault).strip() or type(fault).__name__
