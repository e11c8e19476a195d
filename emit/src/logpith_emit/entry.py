"""An entry: a record with the 17 fields that destinations with columns have, and whatever else it says beside them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

INTERNAL = "internal"
"""What an entry is whose record does not say: something that the program itself has said."""

TOOL_EXECUTION = "tool_execution"
FRAMEWORK = "framework"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHOWN_LEVELS = {
    "trace": "TRACE",
    "debug": "DEBUG",
    "info": "INFO",
    "warn": "WARNING",
    "error": "ERROR",
    "fatal": "CRITICAL",
}
_NEEDED = ("correlation_id", "timestamp", "level", "log_type", "message")


@dataclass(kw_only=True)
class LogEntry:
    """One thing that was said."""

    correlation_id: str
    timestamp: datetime
    """When, with its zone; to the microsecond."""

    level: str
    """In the names of the standard library: `INFO`, `WARNING`, `CRITICAL`."""

    log_type: str
    """`tool_execution`, `internal` or `framework`."""

    message: str
    tool_name: str | None = None
    duration_ms: float | None = None
    status: str | None = None
    input_args: dict[str, Any] | None = None
    output_summary: str | None = None
    error_message: str | None = None
    module: str | None = None
    function: str | None = None
    line: int | None = None
    thread_name: str | None = None
    process_id: int | None = None
    extra_data: dict[str, Any] | None = None
    """All else that was said, by name."""


FIELDS = tuple(field.name for field in dataclasses.fields(LogEntry))
"""The names of an entry's fields, in their order."""

OPTIONAL = FIELDS[len(_NEEDED) :]


def entry_of(fields: Mapping[str, object]) -> LogEntry:
    """The entry that a record is. What does not fit its field, and what has none, is in `extra_data`; where a name is
    taken there, it has a `_` behind it."""
    needed: dict[str, object] = dict.fromkeys(_NEEDED)
    given: dict[str, Any] = {}
    rest: dict[str, object] = {}
    for name, value in fields.items():
        if name in needed:
            needed[name] = value
        elif isinstance(value, _KINDS.get(name, ())) and not isinstance(value, bool):
            given[name] = value
        else:
            rest[name] = value
    if "duration_ms" in given:
        try:
            given["duration_ms"] = float(given["duration_ms"])
        except OverflowError:  # a whole number that no float reaches
            rest["duration_ms"] = given.pop("duration_ms")
    if rest:
        extra = given.get("extra_data", {})
        given["extra_data"] = extra | {f"{name}_" if name in extra else name: rest[name] for name in rest}
    level = _text(needed["level"])
    return LogEntry(
        correlation_id=_text(needed["correlation_id"]),
        timestamp=moment_of(needed["timestamp"]),
        level=_SHOWN_LEVELS.get(level, level),
        log_type=_text(needed["log_type"]) or INTERNAL,
        message=_text(needed["message"]),
        **given,
    )


def fields_of(entry: LogEntry) -> dict[str, object]:
    """The record that an entry is: without what is None, its time in nanoseconds since 1970."""
    given = {name: value for name in FIELDS if (value := getattr(entry, name)) is not None}
    moment = entry.timestamp if entry.timestamp.tzinfo is not None else entry.timestamp.astimezone()
    return {**given, "timestamp": (moment - _EPOCH) // timedelta(microseconds=1) * 1_000}


def moment_of(timestamp: object) -> datetime:
    """A time in nanoseconds since 1970 to the microsecond, in UTC; 1970 where there is none."""
    try:
        return _EPOCH + timedelta(microseconds=timestamp // 1_000 if isinstance(timestamp, int) else 0)
    except OverflowError:  # a number that is no time of this era
        return _EPOCH


def shown(entry: LogEntry) -> dict[str, Any]:
    """An entry as JSON has it: without what is None, its time in ISO 8601."""
    given = {name: value for name in FIELDS if (value := getattr(entry, name)) is not None}
    return {**given, "timestamp": entry.timestamp.isoformat()}


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, default=str)


_KINDS: Mapping[str, type | tuple[type, ...]] = {
    "tool_name": str,
    "duration_ms": (int, float),
    "status": str,
    "input_args": dict,
    "output_summary": str,
    "error_message": str,
    "module": str,
    "function": str,
    "line": int,
    "thread_name": str,
    "process_id": int,
    "extra_data": dict,
}
