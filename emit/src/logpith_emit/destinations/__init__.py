"""Destinations: where records go. One file or folder each; `type = "sqlite"` in the settings is destinations/sqlite.py.

What each destination owes:

- What can never work, such as an address that is none, is a BadArgument when its settings are read.
- `open()` gives the live destination. It reaches for nothing that may be away: where a server is down, `write` says
  so, and a later `write` finds it again.
- `write` takes some records and returns when they are safe where they go: acknowledged by a server, synced to a disk.
  What it returns says which of them are not: refused for good, each with a reason, or to be written again, and why.
- `Unavailable` tells that nothing is known to be safe: the same records come again, with the same ids. So a
  destination that can keep a record once by its id does, and says `once`. A login that is refused is Unavailable, too:
  it may be mended. `Refused` tells that these records will never be taken; they then come one by one, to find which.
- Every wait ends after `timeout_s`. What its library raises becomes one of these two errors.
- It is used by one thread at a time, and says nothing through any logger.
- `query`, where it `can_query`, gives entries as they were written.

Other packages bring theirs by an entry point of the group `logpith_emit.destinations`, whose name is the type.
"""

from __future__ import annotations

import json
import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from functools import cached_property
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import iter_modules
from typing import Any, ClassVar, Literal, Protocol, TypeVar

from logpith_emit.entry import FIELDS, LogEntry, entry_of
from logpith_emit.errors import BadArgument, Refused, Unavailable, nearest
from logpith_emit.settings import settings_of_table
from logpith_emit.severity import severity_number

T = TypeVar("T")

_GROUP = "logpith_emit.destinations"
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_STAMPED = re.compile(rb'\{"timestamp":(\d{1,20}),')


@dataclass(frozen=True)
class Outgoing:
    """A record on its way."""

    id: str
    """Who wrote it and the how-manieth it is; a record that comes again has the same one."""

    text: bytes
    """The record as one line of JSON, in UTF-8, without its end."""

    @cached_property
    def fields(self) -> Mapping[str, Any]:
        """What it says, by name.

        Raises:
            Refused: somebody else wrote it, and not in JSON.
        """
        try:
            known = json.loads(self.text)
        except (ValueError, RecursionError):  # the second where it is thousands of levels deep
            known = None
        if not isinstance(known, dict):
            raise Refused("it is no JSON object", remedy="Look at the dead letters")
        return known

    @cached_property
    def entry(self) -> LogEntry:
        """What it says, in columns."""
        return entry_of(self.fields)

    @property
    def timestamp(self) -> int:
        """When it was said, in nanoseconds since 1970; 0 where it does not say."""
        stamped = _STAMPED.match(self.text)
        try:
            known = int(stamped[1]) if stamped is not None else self.fields.get("timestamp", 0)
        except Refused:
            return 0
        return known if isinstance(known, int) else 0


@dataclass(frozen=True, kw_only=True)
class Written:
    """What became of some records; those that are not named are safe."""

    refused: Mapping[str, str] = field(default_factory=dict)
    """Id → why it will never be taken."""

    again: frozenset[str] = frozenset()
    """Ids of those that may be taken later."""

    why_again: Unavailable | None = None
    """Why these were not taken now."""


ALL_WRITTEN = Written()


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which entries are asked for."""

    equal: Mapping[str, object] = field(default_factory=dict)
    """Field of an entry → what it must be."""

    since: datetime | None = None
    """From then on."""

    until: datetime | None = None
    """Before then."""

    limit: int = 100
    """The newest so many, newest first."""

    def __post_init__(self) -> None:
        for name in self.equal:
            if name not in FIELDS or name in ("input_args", "extra_data"):
                offer = nearest(name, FIELDS).strip() or f"There are: {', '.join(FIELDS)}"
                raise BadArgument(f"Entries cannot be asked by '{name}'", remedy=offer)

    def fits(self, entry: LogEntry) -> bool:
        """Whether an entry is asked for."""
        return (
            all(getattr(entry, name) == value for name, value in self.equal.items())
            and (self.since is None or entry.timestamp >= self.since)
            and (self.until is None or entry.timestamp < self.until)
        )


class LiveDestination(Protocol):
    """A destination that is open."""

    def write(self, records: Sequence[Outgoing]) -> Written:
        """Some records, at least one.

        Raises:
            Unavailable, Refused: none of them is known to be safe.
        """

    def query(self, wanted: Wanted) -> list[LogEntry]:
        """The entries asked for, newest first.

        Raises:
            Unavailable: they cannot be read now.
            Refused: this destination cannot be asked.
        """


def write_only(_live: LiveDestination, _wanted: Wanted) -> list[LogEntry]:
    """The `query` of a destination that cannot be asked."""
    raise Refused("This destination only takes records", remedy="Ask where they go to, with its own tools")


@dataclass(frozen=True, kw_only=True)
class Destination:
    """Where records go; the fields are its settings."""

    type: ClassVar[str]
    """What the settings call it: the name of its file."""

    can_query: ClassVar[bool] = False
    once: ClassVar[bool] = False
    """Whether a record that comes again is kept once."""

    level: str = "trace"
    """What is less severe does not go there."""

    loggers: tuple[str, ...] = ()
    """Only records of these loggers go there, `shop.*`; with a `!` before it, all others."""

    services: tuple[str, ...] = ()
    """Only records of these services go there, in the same form."""

    tags: tuple[str, ...] = ()
    """Only records whose field `tag` is one of these go there, `audit.*`, in the same form."""

    types: tuple[Literal["tool_execution", "internal", "framework"], ...] = ()
    """Only records of these types go there."""

    timeout_s: float = 30.0
    """How long it may take to answer."""

    batch_records: int = 1_000
    """How many records it gets at once, at most."""

    batch_bytes: int = 4 << 20
    """How many bytes of records it gets at once, at most; a single larger one goes alone."""

    gather_s: float = 0.0
    """How long records wait for others to go with them, where they are fewer than it gets at once; 0 looks for new ones
    five times a second."""

    first_retry_s: float = 0.5
    """How long to wait when it was not there; twice that the next time, and so on, give or take some."""

    most_retry_s: float = 60.0
    """How long to wait at most."""

    max_age_s: float = 7 * 86_400.0
    """Records that could not be delivered for so long are dropped, and counted; 0 keeps them as long as there is
    room."""

    def __post_init__(self) -> None:
        if not severity_number(self.level):
            raise BadArgument(
                f"{self.level!r} is no level", remedy="Write trace, debug, info, warn, error or fatal"
            )
        for name in ("timeout_s", "batch_records", "batch_bytes", "first_retry_s", "most_retry_s"):
            if getattr(self, name) <= 0:
                raise BadArgument(f"{name} must be more than 0", remedy="Leave it out for its default")
        if self.gather_s < 0:
            raise BadArgument("gather_s must not be less than 0", remedy="Leave it out for its default")
        if 0 < self.max_age_s <= self.gather_s:
            raise BadArgument(
                "With that gather_s, records are older than max_age_s when they go",
                remedy="Gather for a shorter time",
            )

    @property
    def caution(self) -> str:
        """What somebody should know who chose such settings: on stderr when it begins, and in the status."""
        return ""

    @abstractmethod
    def open(self) -> AbstractContextManager[LiveDestination]:
        """The live destination."""

    def wants(self, record: Outgoing) -> bool:
        """Whether a record goes there."""
        if self.level != "trace" and severity_number(
            str(record.fields.get("level", "fatal"))
        ) < severity_number(self.level):
            return False
        if self.types and (record.fields.get("log_type") or "internal") not in self.types:
            return False
        return all(
            _is_named(_said(record.fields, name), patterns)
            for name, patterns in (
                ("logger", self.loggers),
                ("service", self.services),
                ("tag", self.tags),
            )
            if patterns
        )


def _said(fields: Mapping[str, Any], name: str) -> str:
    """A field that columns have not, which in an entry that somebody else has made is in its `extra_data`."""
    extra = fields.get("extra_data")
    value = fields.get(name, extra.get(name) if isinstance(extra, dict) else None)
    return "" if value is None else str(value)


def _is_named(name: str, patterns: Sequence[str]) -> bool:
    """Whether a name is one of those; those with a `!` say which are not."""
    if any(pattern[0:1] == "!" and fnmatchcase(name, pattern[1:]) for pattern in patterns):
        return False
    wanted = [pattern for pattern in patterns if pattern[0:1] != "!"]
    return not wanted or any(fnmatchcase(name, pattern) for pattern in wanted)


def destination_types() -> list[str]:
    """What the settings may call a destination."""
    own = [module.name for module in iter_modules(__path__)]
    return sorted({*own, *(found.name for found in entry_points(group=_GROUP))})


def destination_class(kind: str) -> type[Destination]:
    """The destination of a type.

    Raises:
        BadArgument: there is none.
    """
    if kind in (module.name for module in iter_modules(__path__)):
        home = import_module(f"{__name__}.{kind}")
        for value in vars(home).values():
            if (
                isinstance(value, type)
                and issubclass(value, Destination)
                and value.__module__ == home.__name__
            ):
                return value
    for found in entry_points(group=_GROUP, name=kind):
        loaded: type[Destination] = found.load()
        return loaded
    offer = nearest(kind, destination_types()).strip() or f"There are: {', '.join(destination_types())}"
    raise BadArgument(f"No destination is called '{kind}'", remedy=offer)


def named(told: Mapping[str, T]) -> dict[str, T]:
    """The same, where each name can be that of a destination, and of its files.

    Raises:
        BadArgument: one cannot, or there are no names.
    """
    if not isinstance(told, Mapping):
        raise BadArgument(
            f"destinations must be a mapping from names to tables, not {type(told).__name__}",
            remedy='Write destinations={"local": {"type": "sqlite"}}',
        )
    for name in told:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise BadArgument(
                f"{name!r} is no name for a destination", remedy="Use letters, digits, '_', '-' and '.'"
            )
    return dict(told)


def destination_of(table: object, place: str) -> Destination:
    """The destination that a table of the settings describes; its `type` says which.

    Raises:
        BadArgument: something in it cannot be used; knows the place.
    """
    if not isinstance(table, Mapping):
        raise BadArgument(
            f"{place} must be a table, not {type(table).__name__}", remedy=f"Write [{place}] with a type"
        )
    if "type" not in table:
        raise BadArgument(
            f"{place}: 'type' is missing", remedy=f"Give it one of {', '.join(destination_types())}"
        )
    try:
        kind = destination_class(str(table["type"]))
    except BadArgument as error:
        raise BadArgument(f"{place}: {error.problem}", remedy=error.remedy) from error
    return settings_of_table(kind, {name: value for name, value in table.items() if name != "type"}, place)
