"""Memory: the newest records, in this process. For tests, and for pages that show what has just happened."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar

from logpith_emit.destinations import ALL_WRITTEN, Destination, LiveDestination, Outgoing, Wanted, Written
from logpith_emit.entry import LogEntry


@dataclass(frozen=True, kw_only=True)
class MemoryDestination(Destination):
    """Keeps the newest records in memory, where `records` has them."""

    type: ClassVar[str] = "memory"
    can_query: ClassVar[bool] = True
    once: ClassVar[bool] = True

    most_records: int = 10_000
    """How many are kept; older ones are forgotten."""

    records: OrderedDict[str, Outgoing] = field(
        default_factory=OrderedDict, init=False, repr=False, compare=False
    )
    """Those that are kept, by id, oldest first."""

    @contextmanager
    def open(self) -> Iterator[LiveDestination]:
        yield _Memory(self)


class _Memory:
    def __init__(self, settings: MemoryDestination) -> None:
        self._settings = settings
        self._kept = settings.records

    def write(self, records: Sequence[Outgoing]) -> Written:
        for record in records:
            self._kept.setdefault(record.id, record)
        while len(self._kept) > self._settings.most_records:
            self._kept.popitem(last=False)
        return ALL_WRITTEN

    def query(self, wanted: Wanted) -> list[LogEntry]:
        entries = [record.entry for record in list(self._kept.values()) if wanted.fits(record.entry)]
        return sorted(entries, key=lambda entry: entry.timestamp, reverse=True)[: wanted.limit]
