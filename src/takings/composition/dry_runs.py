"""Prepare a dry run: validate files without a store, or as a store would."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from takings.adapters.clock import SystemClock
from takings.adapters.local.unplaced import Unplaced
from takings.adapters.settings_sources import merged_settings
from takings.composition.stores import find_store
from takings.profiles import contracts_folder
from takings.settings import Settings
from takings.time_zones import business_time
from takings.validation.verdicts import Tolerance

if TYPE_CHECKING:
    from takings.adapters.local.dry_run import DryRun

__all__ = ["Unplaced", "open_dry_run"]


def open_dry_run(store: str | Path | None, options: Mapping[str, Any]) -> DryRun:
    """Prepare to validate files without a store, or as a store would; nothing is written to it."""
    if store is None:
        settings = merged_settings(None, options)
        return _dry_run(settings, contracts_folder(settings.contracts), {})
    with find_store(store) as platform:
        settings = merged_settings(platform, options)
        return _dry_run(settings, platform.contracts(settings), platform.accepted(settings))


def _dry_run(settings: Settings, contracts: Path | None, accepted: Mapping[tuple[str, str], str]) -> DryRun:
    # They load DuckDB and numpy, which the command's help does not need.
    from takings.adapters.local.dry_run import DryRun
    from takings.composition.engines import DuckDbSources, checked, pick_validation
    from takings.contracts.load import load_contracts

    return DryRun(
        contracts=checked(load_contracts(contracts)),
        business_time=business_time(settings.time_zone),
        tolerance=Tolerance(policy=settings.policy, max_rejected=settings.max_rejected),
        engine=pick_validation(settings.validation_engine, workers=1),
        memory=settings.memory,
        threads=settings.threads or os.cpu_count() or 1,
        now=SystemClock().now(),
        accepted=accepted,
        sources=DuckDbSources(settings.memory),
    )
