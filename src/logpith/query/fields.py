"""What the name of a field in a query means: columns under any of their spellings, and attributes.

The spellings are those of `logpith_emit.record`. That table is greedy, because one of several keys must win a
column: `t`, `event` or `priority` may have won theirs, or may be attributes of their own. So a name means

- **severity or timestamp**, compared by number or by moment, when nobody means anything else by it
  (`level`, `log_level`, `@timestamp`, `time`…),
- **a column**, when it is the column's own name (`service`, `body`, `source`…),
- **the attribute of that name and the column that it spells**, whichever holds the value, otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache

from logpith_emit.record import ALIASES, ID_KINDS, PREFERENCE, column_of, normalised
from logpith_emit.severity import numbers_of_band, severity_number

SEVERITY = "severity_number"
SEVERITY_TEXT = "severity_text"
TIMESTAMP = "timestamp"
SOURCE = "source"

COLUMNS_WITHIN_TEXT = frozenset({"body", "host", "trace_id", "span_id", *ID_KINDS})
"""Columns whose text stands in the record's raw text, but for what a store knows of a record besides; others may come
from a path or the settings."""

FIELD_NAMES = ("severity", "level", "timestamp", "service", "host", "body", "source", "trace_id", "span_id")
"""Names to suggest where a name is wrong."""

_SEVERITY_NAMES = frozenset(
    {"severity", "severitynumber", "severitytext", "level", "loglevel", "lvl", "levelname"}
)
_TIMESTAMP_NAMES = frozenset({"timestamp", "time", "ts", "datetime", "eventtime", "logtime"})
_OWN_NAMES = frozenset({SOURCE, "service", "host", "body", "trace_id", "span_id", "observed_timestamp"})


def column_named(name: str) -> str | None:
    """The column that `name` can only mean; None when an attribute may hold the value."""
    plain = normalised(name)
    if plain in _SEVERITY_NAMES:
        return SEVERITY
    if plain in _TIMESTAMP_NAMES:
        return TIMESTAMP
    return name if name in _OWN_NAMES else None


def column_spelled(name: str) -> str | None:
    """The column that may hold the value when the attribute `name` does not."""
    return None if column_named(name) else column_of(name)


@cache
def spellings_of(name: str) -> dict[str, int]:
    """The normalised spellings of the column that a name spells, by rank from 1 on; none for an attribute."""
    column = column_spelled(name) or column_named(name)
    return {key: PREFERENCE[key] + 1 for key, meant in ALIASES.items() if meant == column} if column else {}


def is_severity(name: str) -> bool:
    """Whether a field is compared by the order of severities."""
    return column_named(name) == SEVERITY


def is_timestamp(name: str) -> bool:
    """Whether a field is compared as a moment."""
    return column_named(name) == TIMESTAMP


def is_known(name: str, fields: Collection[str]) -> bool:
    """Whether a name is one of `fields` or a spelling of a column."""
    return name in fields or column_named(name) is not None or column_of(name) is not None


def is_within_text(name: str) -> bool:
    """Whether the values of a field always stand in the record's raw text."""
    columns = {column_named(name), column_spelled(name)} - {None}
    return columns <= COLUMNS_WITHIN_TEXT


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
