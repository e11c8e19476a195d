"""Extras: libraries that some destinations stand on, and this package does not."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from logpith_emit.errors import Refused


def library(name: str, extra: str) -> ModuleType:
    """A library that an extra brings.

    Raises:
        Refused: it is not installed; says how to.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise Refused(
            f"The library {name} is missing: {error}", remedy=f"pip install 'logpith-emit[{extra}]'"
        ) from error
