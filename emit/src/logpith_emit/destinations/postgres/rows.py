"""Rows of the table, and what of an entry they cannot hold as it is."""

from __future__ import annotations

import re
import struct
from datetime import datetime
from typing import Any

from logpith_emit.encoding import encode, in_words
from logpith_emit.entry import LogEntry
from logpith_emit.rows import fitted, in_utc, json_of, moved, plain

BITS = 32
"""Of a whole number in a column."""

_MOST_KEY_BYTES = 2_000
"""What is kept of a text that an index holds: it takes a third of a page of 8 KiB at most."""

_ZERO_IN_JSON = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def row_of(record_id: str, entry: LogEntry) -> tuple[object, ...]:
    """What stands in the columns `record_id` and those of an entry, in their order."""
    entry = _fitted(entry)
    return (
        record_id,
        _text(entry.correlation_id),
        entry.timestamp,
        _text(entry.level),
        _text(entry.log_type),
        _text(entry.message),
        _text(entry.tool_name),
        entry.duration_ms,
        _text(entry.status),
        _json(entry.input_args),
        _text(entry.output_summary),
        _text(entry.error_message),
        _text(entry.module),
        _text(entry.function),
        entry.line,
        _text(entry.thread_name),
        entry.process_id,
        _json(entry.extra_data),
    )


def _fitted(entry: LogEntry) -> LogEntry:
    """The entry with nothing in it that no column takes; what does not fit is in `extra_data`."""
    entry = fitted(entry, bits=BITS)
    for name in ("correlation_id", "tool_name"):
        text = getattr(entry, name)
        if text is not None and len(text) * 4 > _MOST_KEY_BYTES and (kept := _cut(text)) != text:
            entry = moved(entry, {name: text}, **{name: kept})
    if entry.duration_ms is not None and (known := _real(entry.duration_ms)) != entry.duration_ms:
        return moved(entry, {"duration_ms": entry.duration_ms}, duration_ms=known)
    return entry


def _real(number: float) -> float | None:
    """The number as far as a REAL has room for it: 0 for less than it can tell from nothing, None for too much."""
    try:
        (known,) = struct.unpack("<f", struct.pack("<f", number))
    except OverflowError:
        return None
    return number if known else 0.0


def _cut(text: str) -> str:
    return plain(text).encode()[:_MOST_KEY_BYTES].decode("utf-8", "ignore")


def asked(name: str, value: object) -> object:
    """What a column holds where an entry has `value`."""
    if isinstance(value, datetime):
        return in_utc(value)
    if isinstance(value, float):
        return _real(value)
    if isinstance(value, str):
        return _text(_cut(value) if name in ("correlation_id", "tool_name") else value)
    return value


def _text(text: str | None) -> str | None:
    """PostgreSQL has no character 0; it is put into words."""
    return None if text is None else plain(text).replace("\0", r"\x00")


def _json(value: dict[str, Any] | None) -> str | None:
    text = json_of(value)
    if text is None or "\\u" not in text:
        return text
    if "\\ud" in text.lower() and value is not None:  # half a character, perhaps
        text = encode(in_words(value)).decode()
    return _ZERO_IN_JSON.sub(r"\1\\\\x00", text)
