"""Read the settings from their sources: files, environment variables, options."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from takings.adapters.platform import SETTINGS_FILE, Platform
from takings.errors import SettingsError
from takings.settings import Settings, merge_settings


def merged_settings(
    platform: Platform | None, options: Mapping[str, Any], variables: Mapping[str, str] = os.environ
) -> Settings:
    """Merge takings.toml of the working folder and of the store, TAKINGS_* variables and options; later sources win."""
    sources: list[tuple[str, Mapping[str, Any]]] = []
    for file in (read_settings_file(Path.cwd()), platform.settings_file() if platform else None):
        if file is not None:
            name, text = file
            try:
                sources.append((name, _beside(name, tomllib.loads(text))))
            except tomllib.TOMLDecodeError as broken:
                raise SettingsError(f"{name} is not a TOML file: {broken}.") from broken
    environment = {
        name.removeprefix("TAKINGS_").lower(): value for name, value in variables.items() if name.startswith("TAKINGS_")
    }
    sources += [
        ("environment", environment),
        ("options", {key: value for key, value in options.items() if value is not None}),
    ]
    return merge_settings(sources)


def _beside(name: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a file's settings, with the folder of contracts next to the file, if there is one, by its whole path."""
    contracts = values.get("contracts")
    own = Path(name).parent / str(contracts)
    return {**values, "contracts": str(own)} if contracts and own.is_dir() else values


def read_settings_file(folder: Path) -> tuple[str, str] | None:
    """Return name and text of a folder's settings; None if it has none."""
    file = folder / SETTINGS_FILE
    if not file.is_file():
        return None
    try:
        return str(file), file.read_text(encoding="utf-8")
    except UnicodeDecodeError as broken:
        raise SettingsError(f"{file} is not a TOML file: {broken}.") from broken
