"""Logging that never blocks and never loses, in the standard library alone; and the words that every part shares.

    from logpith_emit import get_logger

    log = get_logger("shop")
    log.info("call answered", call_id="CA16", duration_ms=31)

`logpith_emit.logger` tells the rest. What is named here is loaded when it is asked for.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as checkers know it; `typing` itself takes longer to load than all of this
if TYPE_CHECKING:
    from logpith_emit.context import correlated, correlation_id, correlation_in
    from logpith_emit.emitter import EmitSettings
    from logpith_emit.logger import Logger, configure, get_logger
    from logpith_emit.tools import logged_tool

__version__ = "0.1.0"

__all__ = [
    "EmitSettings",
    "Logger",
    "configure",
    "correlated",
    "correlation_id",
    "correlation_in",
    "get_logger",
    "logged_tool",
]

_HOMES = {
    "EmitSettings": "emitter",
    "Logger": "logger",
    "configure": "logger",
    "correlated": "context",
    "correlation_id": "context",
    "correlation_in": "context",
    "get_logger": "logger",
    "logged_tool": "tools",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - as above

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
