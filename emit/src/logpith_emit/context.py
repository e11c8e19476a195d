"""Context: what everything that is said while a task runs has in common. Each task and each thread has its own."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

HEADERS = ("x-correlation-id", "x-request-id")
"""Where callers say to what a request belongs, besides W3C's `traceparent`; the first that is there counts."""


@dataclass(frozen=True, slots=True)
class Context:
    """What belongs together."""

    correlation_id: str
    fields: Mapping[str, object]

    @property
    def said(self) -> Mapping[str, object]:
        """What all records have that are said in it."""
        return {"correlation_id": self.correlation_id, **self.fields}


_NOW: ContextVar[Context | None] = ContextVar("logpith_context", default=None)

context_now = _NOW.get
"""What is said now belongs to this; None outside of `correlated`."""

_ID = re.compile(r"[!-~]{1,256}")


def correlation_id() -> str:
    """What is said now belongs to this; empty outside of `correlated`."""
    now = context_now()
    return "" if now is None else now.correlation_id


def context_fields() -> Mapping[str, object]:
    """The fields that all records have which are said now."""
    now = context_now()
    return {} if now is None else now.fields


def new_correlation_id() -> str:
    """One that nobody has, 32 hexadecimal digits as a trace id has."""
    return os.urandom(16).hex()


@contextmanager
def correlated(known: str = "", **fields: object) -> Iterator[str]:
    """What is said in the block belongs together: under the id that is known, under that of the block around it, or
    under a new one. It has these fields, too."""
    found = known or correlation_id() or new_correlation_id()
    before = _NOW.set(Context(found, {**context_fields(), **fields}))
    try:
        yield found
    finally:
        _NOW.reset(before)


def correlation_in(told: Mapping[str, object]) -> str:
    """The id that headers of HTTP, or the `_meta` of a call of MCP, bring along; empty where they bring none."""
    from logpith_emit.record import traceparent  # noqa: PLC0415 - which not every program needs

    lowered = {str(name).lower(): value for name, value in told.items()}
    trace = traceparent(str(lowered.get("traceparent", "")))
    if trace is not None:
        return trace[0]
    for name in (*HEADERS, "correlationid", "correlation_id"):
        value = lowered.get(name)
        if isinstance(value, str) and _ID.fullmatch(value):
            return value
    return ""
