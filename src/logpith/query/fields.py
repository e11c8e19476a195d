"""What the name of a field in a query means: a column under any of its spellings, or an attribute.

The spellings are those of `logpith_emit.record`. Two columns have an order of their own: severity is
compared by its number, the timestamp by its moment.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from logpith_emit.record import column_of
from logpith_emit.severity import numbers_of_band, severity_number

SEVERITY = "severity_number"
SEVERITY_TEXT = "severity_text"
TIMESTAMP = "timestamp"
SOURCE = "source"

COLUMNS_WITHIN_TEXT = frozenset({"body", "trace_id", "span_id"})
"""Columns whose text always stands in the record's raw text; others may come from a path or the settings."""

FIELD_NAMES = ("severity", "level", "timestamp", "service", "host", "body", "source", "trace_id", "span_id")
"""Names to suggest where a name is wrong."""

_SEVERITY_COLUMNS = frozenset({SEVERITY, SEVERITY_TEXT, "severity"})


def column_named(name: str) -> str | None:
    """The column that `name` is a spelling of, or None when it is an attribute's path."""
    column = column_of(name)
    return SEVERITY if column in _SEVERITY_COLUMNS or name in _SEVERITY_COLUMNS else column


def is_severity(name: str) -> bool:
    """Whether a field is compared by the order of severities."""
    return column_named(name) == SEVERITY


def is_timestamp(name: str) -> bool:
    """Whether a field is compared as a moment."""
    return column_named(name) == TIMESTAMP


def is_known(name: str, fields: Collection[str]) -> bool:
    """Whether a name is one of `fields` or a spelling of a column."""
    return name in fields or column_named(name) is not None


def severity_range(name: str, value: str) -> tuple[int, int] | None:
    """The lowest and highest number that a query's severity names, or None when there is none.

    A plain name is its four numbers (`warn` is 13 to 16), a name between is one (`notice` is 10). Under the
    column's own name, `severity_number`, a number is itself.
    """
    if name == SEVERITY and re.fullmatch(r"[0-9]{1,2}", value):
        return (int(value), int(value)) if 1 <= int(value) <= 24 else None
    number = severity_number(value)
    if number == 0:
        return None
    band = numbers_of_band(number)
    return (band[0], band[-1]) if number == band[0] else (number, number)
