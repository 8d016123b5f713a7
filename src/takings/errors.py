"""Name every way in which Takings can fail, and which of them the caller can mend.

    TakingsError
    ├── UsageError            wrong option, setting, contract or store: exit 2
    │   ├── SettingsError     a setting that is unknown or has no sense
    │   ├── ContractError     a contract that cannot be used, with file and line
    │   └── UnknownThing      a store, batch, day or key that does not exist
    └── MachineryError        the pipeline could not finish; it can be run again: exit 3
        ├── OutOfMemory       the machine, or the setting `memory`, does not suffice
        ├── StoreError        the store could not be read or written
        │   ├── UnreadableFile  one file could not be read; the others go on
        │   └── StuckFile       one file was archived and could not be removed from raw-data/; the others go on
        ├── ConflictError     another writer was first; read again
        ├── Superseded        this attempt lost the gate to a newer one; it ends without a side effect
        ├── CorruptState      ledger, lake or manifest is damaged; nothing is overwritten
        └── InvariantBreach   KPIs contradict each other; the batch is blocked

A bad file is no error: it is a verdict.
"""

from __future__ import annotations


class TakingsError(Exception):
    """Be the root of everything that Takings raises on purpose; its text names the thing, the place and the next step."""

    exit_code = 3


class UsageError(TakingsError):
    """Tell the caller that what was asked for makes no sense as it stands."""

    exit_code = 2


class SettingsError(UsageError):
    """Tell that a setting is unknown or its value is unusable."""


class ContractError(UsageError):
    """Tell that a contract cannot be used: which file, which line, what to do."""


class UnknownThing(UsageError):
    """Tell that the store, batch, day or key that was named does not exist."""


class MachineryError(TakingsError):
    """Tell that the pipeline could not finish; running it again is safe."""


class OutOfMemory(MachineryError):
    """Tell that the work needs more memory than it has; with more, it can be run again."""


class StoreError(MachineryError):
    """Tell that the store could not be read or written."""


class UnreadableFile(StoreError):
    """Tell that one file cannot be read, which is no fault of the store's: the others go on without it."""


class StuckFile(StoreError):
    """Tell that one file was archived but could not be removed, which is no fault of the store's: the others go on."""


class ConflictError(MachineryError):
    """Tell that another writer changed the thing first; the caller reads it again."""


class Superseded(MachineryError):
    """Tell that a newer attempt owns the batch; this one ends without a side effect."""


class CorruptState(MachineryError):
    """Tell that ledger, lake or manifest is damaged; nothing was overwritten."""


class InvariantBreach(MachineryError):
    """Tell that computed measures contradict each other; nothing was published."""


def cause_of(fault: BaseException) -> str:
    """Return what went wrong as a phrase, without Python's spelling of it."""
    match fault:
        case OSError() if fault.strerror:
            return f"{fault.filename}: {fault.strerror}" if fault.filename else fault.strerror
        case KeyError():
            return f"'{fault.args[0]}' is missing" if fault.args else "a part is missing"
        case TypeError() | AttributeError():
            return f"a value is of an unexpected kind: {fault}"
    return str(fault).strip() or type(fault).__name__
