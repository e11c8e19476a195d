"""Backlog: what of a spool waits for somebody.

    backlog = Backlog(spool)
    backlog.behind(reader.position)         records, bytes, and since when

Every file is counted once: whoever keeps a backlog and asks again, of whatever position, reads only what came since.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from logpith_emit.destinations import Outgoing
from logpith_emit.spool import DROPPED_KIND, Segment, Spool
from logpith_emit.spool.place import Place

_MOST_NS = 1 << 63  # what says that it is from later does not know


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """What waits."""

    records: int = 0
    size_bytes: int = 0
    """What these take in the spool."""

    oldest_ns: int = 0
    """When the first of them was said; 0 where there is none."""


@dataclass
class _Counted:
    """How many records a file has before its byte `end`."""

    records: int
    end: int


class Backlog:
    """What of a spool waits for somebody; any thread may ask."""

    def __init__(self, spool: Spool) -> None:
        self.spool = spool
        self._counted: dict[Segment, _Counted] = {}
        self._lock = threading.Lock()

    def behind(self, position: Mapping[str, Sequence[int]]) -> Waiting:
        """What waits for a reader at that position."""
        records = size_bytes = oldest_ns = 0
        with self._lock:
            segments = self.spool.segments()
            self._counted = {one: self._counted[one] for one in segments if one in self._counted}
            for segment in segments:
                place = Place(*position.get(segment.writer, ()))
                if segment.number < place.number:
                    continue
                if segment.number > place.number:
                    place = Place(segment.number)
                counted = self._count(segment, place)
                if counted.records <= place.records:
                    continue
                records += counted.records - place.records
                size_bytes += counted.end - place.offset
                said_ns = self._said_first(segment, place)
                oldest_ns = min(oldest_ns or said_ns, said_ns or oldest_ns)
        return Waiting(records=records, size_bytes=size_bytes, oldest_ns=oldest_ns)

    def _count(self, segment: Segment, place: Place) -> _Counted:
        """All that a file has by now; a reader who is within it knows how many records it has read."""
        counted = self._counted.setdefault(segment, _Counted(place.records, place.offset))
        for frame in self.spool.read(segment, counted.end):
            counted.records += frame.kind != DROPPED_KIND
            counted.end = frame.end
        return counted

    def _said_first(self, segment: Segment, place: Place) -> int:
        """When the first record behind a place was said that tells it; 0 where none does."""
        for frame in self.spool.read(segment, place.offset):
            if frame.kind != DROPPED_KIND:
                said_ns = Outgoing(segment.writer, frame.payload).timestamp
                if 0 < said_ns < _MOST_NS:
                    return said_ns
        return 0
