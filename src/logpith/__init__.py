"""logpith: the pith of your logs. Millions of lines go in; a short, true, traceable answer comes out."""

from __future__ import annotations

TYPE_CHECKING = False  # as checkers know it, without loading `typing`
if TYPE_CHECKING:
    from logpith_emit import get_logger

__version__ = "0.1.0"

__all__ = ["get_logger"]


def __getattr__(name: str) -> object:
    """`from logpith import get_logger`, for programs that have all of logpith; nobody else loads it."""
    if name != "get_logger":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from logpith_emit import get_logger  # noqa: PLC0415 - as above

    return get_logger
