"""Rows: entries in a table of a database. What all destinations with tables share."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from logpith_emit.destinations import Outgoing
from logpith_emit.encoding import encode
from logpith_emit.entry import FIELDS, LogEntry, moment_of
from logpith_emit.errors import BadArgument, Refused, Unavailable

TABLE = "unified_logs"
RECORD_ID = "record_id"
"""The column that makes a row once: who wrote the record and the how-manieth it was."""

# An index is called by the name of its table and more, and PostgreSQL cuts names behind 63 bytes.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
INDEXES = {
    RECORD_ID: ("UNIQUE ", "(record_id)"),
    "correlation_id": ("", "(correlation_id)"),
    "timestamp": ("", "(timestamp DESC)"),
    "tool_name": ("", "(tool_name) WHERE tool_name IS NOT NULL"),
}
"""What an index finds → how its statement begins and ends."""

_WHOLE_NUMBERS = ("line", "process_id")
_KINDS: Mapping[str, type | tuple[type, ...]] = {
    "timestamp": datetime,
    "duration_ms": (int, float),
    **dict.fromkeys(_WHOLE_NUMBERS, int),
}


def checked_name(name: str) -> str:
    """The name of a table or schema, which is what a statement is made from.

    Raises:
        BadArgument: it is none, or one that would have to be quoted to be safe.
    """
    if not _NAME.fullmatch(name):
        raise BadArgument(
            f"{name!r} is no name for a table", remedy="Use up to 40 letters, digits and '_', no digit first"
        )
    return name


def refuse_needed(table: str, columns: Iterable[str]) -> None:
    """Nothing, where rows need nothing that no record has.

    Raises:
        Unavailable: they do, so that all would be refused; once that is mended, none is.
    """
    for name in columns:
        if name not in (*FIELDS, RECORD_ID, "created_at"):
            raise Unavailable(
                f"Rows of {table} need a '{name}', which no record has",
                remedy="Give that column a default, or name another table",
            )


def missing_indexes(table: str, own: Collection[str], taken: Collection[str]) -> dict[str, str]:
    """What no index of the table finds → how to call one that does.

    A table that was renamed keeps its indexes, with their names: another one's never counts as this one's.
    """
    missing = {}
    for column in INDEXES:
        name = f"idx_{table}_{column}"
        if not any(re.fullmatch(rf"{name}(_\d+)?", index) for index in own):
            names = (name, *(f"{name}_{number}" for number in range(2, len(taken) + 3)))
            missing[column] = next(name for name in names if name not in taken)
    return missing


def entries_of(records: Iterable[Outgoing]) -> tuple[list[tuple[str, LogEntry]], dict[str, str]]:
    """Each record's id and entry, and why the others have none."""
    entries: list[tuple[str, LogEntry]] = []
    refused: dict[str, str] = {}
    for record in records:
        try:
            entries.append((record.id, record.entry))
        except Refused as error:  # a frame of somebody else's
            refused[record.id] = error.problem
        except RecursionError:
            refused[record.id] = "it is nested too deeply"
    return entries, refused


def fitted(entry: LogEntry, *, bits: int) -> LogEntry:
    """The entry with whole numbers of at most so many bits; larger ones are in `extra_data`."""
    too_large = {
        name: value
        for name in _WHOLE_NUMBERS
        if (value := getattr(entry, name)) is not None and not _has_room(value, bits)
    }
    return moved(entry, too_large) if too_large else entry


def moved(entry: LogEntry, values: Mapping[str, object], **instead: object) -> LogEntry:
    """The entry with some of its values in `extra_data`, and nothing or something else instead of them."""
    changed: dict[str, Any] = {**dict.fromkeys(values), **instead}
    return dataclasses.replace(entry, **changed, extra_data={**(entry.extra_data or {}), **values})


def may_equal(name: str, value: object, *, bits: int) -> bool:
    """Whether a field can be this at all. A database would refuse to compare a number with a word, or find them
    equal."""
    if value is None:
        return True
    is_fit = isinstance(value, _KINDS.get(name, str)) and not isinstance(value, bool)
    return is_fit and (not isinstance(value, int) or _has_room(value, bits))


def _has_room(number: int, bits: int) -> bool:
    return -(1 << (bits - 1)) <= number < 1 << (bits - 1)


def plain(text: str) -> str:
    """The text without lone surrogates, which are no characters: they are put into words."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def json_of(value: Mapping[str, object] | None) -> str | None:
    """A mapping as a column has it."""
    return None if value is None else encode(value).decode()


def in_utc(moment: datetime) -> datetime:
    """The same time in UTC; without a zone, it is one of this machine."""
    return moment.astimezone(UTC)


def entry_of_row(values: Sequence[Any]) -> LogEntry:
    """The entry whose fields these are, in their order. Rows of others may lack what an entry has, have lists where it
    has mappings, and times without a zone, which then are in UTC."""
    given = dict(zip(FIELDS, values, strict=True))
    moment = given["timestamp"] or moment_of(None)
    given["timestamp"] = moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    for name in ("correlation_id", "level", "log_type", "message"):
        given[name] = given[name] if given[name] is not None else ""
    for name in ("input_args", "extra_data"):
        if given[name] is not None and not isinstance(given[name], dict):
            given[name] = {"value": given[name]}
    return LogEntry(**given)
