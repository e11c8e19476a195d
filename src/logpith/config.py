"""Where logpith keeps what is its own on this machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_dir() -> Path:
    """The folder for what can be made again: `$LOGPITH_CACHE_DIR`, or where this system keeps caches."""
    return _folder(
        "LOGPITH_CACHE_DIR",
        windows=("LOCALAPPDATA", "AppData/Local"),
        mac="Library/Caches",
        others=("XDG_CACHE_HOME", ".cache"),
    )


def config_dir() -> Path:
    """The folder for what a person has written: `$LOGPITH_CONFIG_DIR`, or where this system keeps settings."""
    return _folder(
        "LOGPITH_CONFIG_DIR",
        windows=("APPDATA", "AppData/Roaming"),
        mac="Library/Application Support",
        others=("XDG_CONFIG_HOME", ".config"),
    )


def data_dir() -> Path:
    """The folder for what must be kept: `$LOGPITH_DATA_DIR`, or where this system keeps the state of programs."""
    return _folder(
        "LOGPITH_DATA_DIR",
        windows=("LOCALAPPDATA", "AppData/Local"),
        mac="Library/Application Support",
        others=("XDG_STATE_HOME", ".local/state"),
    )


def _folder(ours: str, *, windows: tuple[str, str], mac: str, others: tuple[str, str]) -> Path:
    """What our own variable names; else our folder in the system's, told by its variable or its usual place."""
    named = os.environ.get(ours)
    if named:
        return Path(named)
    if sys.platform == "darwin":
        return Path.home() / mac / "logpith"
    variable, usual = windows if sys.platform == "win32" else others
    return Path(os.environ.get(variable) or Path.home() / usual) / "logpith"
