"""Appending to a spool: one write a record, and no lock across it."""

from __future__ import annotations

import json
import os
import threading
import weakref
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

from logpith_emit.clock import SYSTEM_CLOCK
from logpith_emit.disk import Appending, Data
from logpith_emit.errors import BadArgument, Refused, Unavailable
from logpith_emit.spool.frames import (
    DROPPED_KIND,
    HEADER_BYTES,
    MAGIC,
    MAX_PAYLOAD_BYTES,
    dropped_in,
    head_of,
    pack_head,
)
from logpith_emit.spool.place import load_places, place_files
from logpith_emit.spool.room import NO_SPACE, Room
from logpith_emit.spool.segment import Segment

if TYPE_CHECKING:
    from logpith_emit.spool import Spool

_LOOK_EVERY_S = 0.02
_LOOK_FOR_FILE_EVERY_NS = 1_000_000_000
_monotonic_ns = SYSTEM_CLOCK.monotonic_ns


@dataclass(slots=True)
class Tally:
    """What was written to a file."""

    records: int = 0

    notices: Counter[str] = field(default_factory=Counter)
    """Records that were dropped, by reason, as the file tells."""


class OpenSegment:
    """A file that is being written."""

    def __init__(self, segment: Segment, file: Appending, tally: Tally) -> None:
        self.segment = segment
        self.salt = segment.salt
        self.file = file
        self.write = file.write
        self.tally = tally
        self.busy: list[None] = []
        """One entry for each write to it that goes on right now."""
        self.granted_bytes = 0
        """What it was allowed to grow by without asking for room, when that was last looked at."""
        self.quick_bytes = 0
        """What is left of that."""


class SpoolWriter:
    """Appends records to files of its own. Threads may share it; a forked child gets files of its own."""

    def __init__(self, spool: Spool, first_sequence: int) -> None:
        self.spool = spool
        self.dropped: Counter[str] = Counter()
        """Records that were had and not kept, by reason."""
        self.when_dropped: Callable[[str], None] = lambda _reason: None
        """Is told the reason when some are."""
        self._closed = False
        self._first_sequence = first_sequence
        self._most_bytes = min(MAX_PAYLOAD_BYTES, spool.limit_bytes - HEADER_BYTES)
        self._begin_anew()
        _follow_forks(self)

    def _begin_anew(self) -> None:
        """A name of its own, and no file yet."""
        self.name = f"{os.getpid():x}-{os.urandom(6).hex()}"
        # Held to begin and end files and to make room, not while a record is written. A signal handler that logs may
        # come in the middle of that, so the thread that holds it may take it again.
        self._lock = threading.RLock()
        self._sequences = count(self._first_sequence)
        self._numbers = count(1)
        self._current: OpenSegment | None = None
        self._look_ns = 0
        """When to see whether the current file is still there, on the monotonic clock."""
        self._tallies: dict[int, Tally] = {}  # by the number of the file
        self._untold: Counter[str] = Counter()
        self._room = Room(self.spool)

    @property
    def segment(self) -> Segment | None:
        """The file that is being written."""
        current = self._current
        return None if current is None else current.segment

    def append(self, payload: Data, kind: int = 0) -> int:
        """Writes a record, which then survives the end of the process, however that comes. Its sequence, or 0 when it
        was dropped and counted.

        Raises:
            Unavailable: there is no room, or the disk refuses, and overflow is `block`.
            Refused: the payload is larger than 256 MiB or the spool's limit, or the writer is closed.
        """
        current = self._current
        size_bytes = HEADER_BYTES + len(payload)
        if (
            current is not None
            and size_bytes < current.quick_bytes
            and 0 <= kind < DROPPED_KIND
            and _monotonic_ns() < self._look_ns
        ):
            # Nearly every record: nothing to look at, and as few steps as there can be, since each waits for memory.
            try:
                current.busy.append(None)  # so nobody closes it before this is gone again
                try:
                    if current is self._current:
                        sequence = next(self._sequences)
                        head = pack_head(MAGIC, len(payload), sequence, kind, crc32(payload, current.salt))
                        current.write(head + crc32(head, current.salt).to_bytes(4, "little") + payload)
                        # Without a lock two threads may lose an addition: sizes are looked up anew for each file, and
                        # a count is then short by one.
                        current.quick_bytes -= size_bytes
                        current.tally.records += 1
                        return sequence
                finally:
                    current.busy.pop()
                    if current is not self._current:
                        self._let_go(current)
            except OSError as error:  # outside, because the file may have to go to make room
                self._settle(current)
                return self._write_elsewhere(payload, kind, error)
        return self._append_looking(payload, kind)

    def _append_looking(self, payload: Data, kind: int) -> int:
        """As `append`, where something is to be looked at: the payload, the file, the room."""
        if len(payload) > self._most_bytes:
            raise Refused(f"A record of {len(payload)} bytes is too large for a spool", remedy="Split it")
        if not 0 <= kind < DROPPED_KIND:
            raise BadArgument(f"{kind} is no kind of frame", remedy=f"Use 0 to {DROPPED_KIND - 1}")
        if self._closed:
            raise Refused("The spool is closed", remedy="Append inside the with block")
        if self._current is not None:
            self._settle(self._current)
        if _monotonic_ns() >= self._look_ns:
            self._look_for_file()
        try:
            if self._untold or self._room.is_spilling or HEADER_BYTES + len(payload) > self._room.left_bytes:
                sequence = self._write(payload, kind)
            else:
                sequence = self._put(payload, kind)
        except OSError as error:
            sequence = self._write_elsewhere(payload, kind, error)
        current = self._current
        if current is not None:
            left_bytes = self._room.segment_bytes - current.file.size_bytes
            if left_bytes <= 0:
                self._end(current)
            else:
                self._grant(current, left_bytes)
        return sequence

    def roll(self) -> Segment | None:
        """Ends the file that is being written, so that it can be read to its end and removed; the next record begins
        another. None when there is none."""
        return self._end()

    def close(self) -> None:
        """Ends the file that is being written; nothing can be appended any more."""
        if not self._closed and self._untold:
            with suppress(OSError, Unavailable):
                self._tell_dropped()
        self._closed = True
        self._end()

    # ── writing ───────────────────────────────────────────────────────────────────────────────────────────────

    def _write(self, payload: Data, kind: int) -> int:
        """Writes a record where there is room; 0 when there is none.

        Raises:
            OSError: the disk refuses.
            Unavailable: there is no room, and overflow is `block`.
        """
        size_bytes = HEADER_BYTES + len(payload)
        if not self._room.is_there(size_bytes + self._notice_bytes) and not self._make_room(size_bytes):
            return self._drop("drop_newest")
        if self._untold:
            self._tell_dropped()
        return self._put(payload, kind)

    def _grant(self, current: OpenSegment, left_bytes: int) -> None:
        """Lets the current file grow by so much without asking, where there is room for it and nothing to be told."""
        if not (self._closed or self._untold or self._room.is_spilling):
            current.granted_bytes = current.quick_bytes = min(left_bytes, self._room.left_bytes)

    def _settle(self, current: OpenSegment) -> None:
        """Takes what it has grown by meanwhile off the room; the next record asks again."""
        grown_bytes = current.granted_bytes - current.quick_bytes
        current.granted_bytes = current.quick_bytes = 0
        self._room.left_bytes -= grown_bytes

    def _put(self, payload: Data, kind: int) -> int:
        """Writes a record into the current file, with one write."""
        current = self._current or self._begin()
        current.busy.append(None)  # so nobody closes it before this is gone again
        try:
            if current is not self._current:
                return SpoolWriter._put(self, payload, kind)  # it was ended in between
            sequence = next(self._sequences)
            current.file.write(head_of(payload, kind, sequence, current.salt) + payload)
        finally:
            current.busy.pop()
            if current is not self._current:
                self._let_go(current)
        self._room.left_bytes -= HEADER_BYTES + len(payload)
        if kind == DROPPED_KIND:
            current.tally.notices.update(json.loads(bytes(payload)))
        else:
            current.tally.records += 1
        return sequence

    def _begin(self) -> OpenSegment:
        """The current file, begun if there is none."""
        with self._lock:
            if self._current is None:
                self._begun(self._new_file())
            return self._current or self._begin()

    def _begun(self, begun: OpenSegment) -> None:
        if self._current is None:
            self._current = begun
        else:  # a signal handler has begun one in the middle of this
            self._let_go(begun)

    def _new_file(self, after: int | None = None) -> OpenSegment:
        folder = self._room.folder
        self._make_folder(folder)
        self._room.look()
        while True:
            segment = Segment(folder, self.name, next(self._numbers), after)
            file = self.spool.disk.append_to(segment.path)
            if file.claim():
                tally = self._tallies[segment.number] = Tally()
                return OpenSegment(segment, file, tally)
            file.close()  # a reader took it for what a dead writer left empty, and removed it

    def _make_folder(self, folder: Path) -> None:
        self.spool.disk.make_folder(folder)

    def _end(self, only: OpenSegment | None = None) -> Segment | None:
        """Makes the current file (`only` this one) the last but one."""
        with self._lock:
            ended = self._current
            if ended is None or (only is not None and only is not ended):
                return None
            self._settle(ended)
            self._current = None
        self._let_go(ended)
        return ended.segment

    def _let_go(self, ended: OpenSegment) -> None:
        """Closes a file that is no longer current, once nobody writes to it."""
        with self._lock:
            if not ended.busy:
                ended.file.close()
                if not ended.file.size_bytes:
                    with suppress(OSError):
                        self.spool.disk.remove(ended.segment.path)

    def _look_for_file(self) -> None:
        """Ends the current file if somebody has removed it: what is written to it nobody would ever read. What was, is
        counted, though a reader may have had some of it: how far readers were is gone with the folder."""
        self._look_ns = _monotonic_ns() + _LOOK_FOR_FILE_EVERY_NS
        current = self._current
        if current is None:
            return
        try:
            self.spool.disk.size_bytes(current.segment.path)
        except FileNotFoundError:
            if self._end(current) is not None:
                self._drop("removed", self._unread(current.segment)[0])
                self._tallies.pop(current.segment.number, None)
        except OSError:
            return  # of which writing will tell

    # ── when there is no room ─────────────────────────────────────────────────────────────────────────────────

    def _make_room(self, size_bytes: int) -> bool:
        """Whether there is room now, by what `overflow` says.

        Raises:
            Unavailable: there is none, and overflow is `block`.
        """
        spool, room = self.spool, self._room
        with self._lock:
            found = room.find(size_bytes + self._notice_bytes)
            if spool.overflow in ("drop_oldest", "spill"):
                while not found and self._drop_oldest():
                    found = room.find(size_bytes + self._notice_bytes)
            self._follow_room()
            if found:
                return True
        if spool.overflow == "block":
            self._wait_for_room(size_bytes)
            return True
        return False

    def _follow_room(self) -> None:
        """Ends a file that stands in another folder than the one to write to."""
        if self._current is not None and self._current.segment.folder != self._room.folder:
            self._end()

    def _wait_for_room(self, size_bytes: int) -> None:
        until_ns = _monotonic_ns() + int(self.spool.block_s * 1e9)
        never = threading.Event()
        while not self._room.find(size_bytes + self._notice_bytes):
            left_s = (until_ns - _monotonic_ns()) / 1e9
            if left_s <= 0:
                raise Unavailable(
                    f"The spool {self.spool.folder} is full ({self.spool.limit_bytes} bytes)",
                    remedy="Try again when its reader has got on, or raise limit_bytes",
                )
            never.wait(min(left_s, _LOOK_EVERY_S))  # who makes room may be another process

    def _write_elsewhere(self, payload: Data, kind: int, error: OSError) -> int:
        """Writes a record again after the disk has refused it, by what `overflow` says."""
        while True:
            no_space = error.errno in NO_SPACE
            with self._lock:
                if self.spool.overflow == "block":
                    raise Unavailable(
                        f"{self.spool.folder} cannot be written: {error.strerror}",
                        remedy="Free space on that disk" if no_space else "See to that disk",
                    ) from error
                if not no_space:
                    self._end()
                elif self._room.spill():
                    self._follow_room()
                elif self.spool.overflow != "drop_oldest" or not self._drop_oldest():
                    return self._drop("disk_full")
            try:
                return self._write(payload, kind)
            except OSError as again:
                if not (no_space and again.errno in NO_SPACE):
                    return self._drop("disk_failed")
                error = again  # there is another file to drop, or there is none

    def _drop_oldest(self) -> bool:
        """Removes a file: a damaged one, one of a writer that ended or got on, or the first of ours, unless it
        is the one that is being written and has no record. Whether there was one."""
        disk = self.spool.disk
        for path in self.spool.aside():
            with suppress(OSError):
                disk.remove(path)
                return True
        segments = sorted(self.spool.segments(), key=lambda one: (one.writer == self.name, one.number))
        for segment in segments:
            if self._current is not None and segment == self._current.segment:
                if not self._has_records(segment):
                    continue  # that would make no room, for ever, where others have filled the disk
                self._end()
            unread, notices = self._unread(segment)
            with suppress(OSError):
                if disk.remove_unclaimed(segment.path):
                    self._drop("drop_oldest", unread)
                    self._untold += notices
                    if segment.writer == self.name:
                        self._tallies.pop(segment.number, None)
                    return True
        return False

    def _has_records(self, segment: Segment) -> bool:
        tally = self._tallies.get(segment.number)
        return tally is not None and bool(tally.records or tally.notices)

    def _unread(self, segment: Segment) -> tuple[int, Counter[str]]:
        """How many records of a file no reader has done yet, and what it tells of others that no reader knows yet."""
        places = [load_places(self.spool, path)[0].get(segment.writer) for path in place_files(self.spool)]
        done = min((place.done_of(segment) for place in places if place is not None), default=0)
        if segment.writer == self.name:
            tally = self._tallies.get(segment.number, Tally())
            records, notices = tally.records, tally.notices
        else:  # is counted by reading, which takes a second for some hundred megabytes
            records, notices = 0, Counter()
            for frame in self.spool.read(segment):
                if frame.kind == DROPPED_KIND:
                    notices.update(dropped_in(frame))
                else:
                    records += 1
        return max(records - done, 0), Counter() if done else notices

    def _drop(self, reason: str, records: int = 1) -> int:
        with self._lock:
            if self._current is not None:
                self._settle(self._current)  # the next record tells it
            self.dropped[reason] += records
            self._untold[reason] += records
        if records:
            self.when_dropped(reason)
        return 0

    @property
    def _notice_bytes(self) -> int:
        """The room that must be left to tell what was dropped."""
        return HEADER_BYTES + len(json.dumps(self._untold)) if self._untold else 0

    def _tell_dropped(self) -> None:
        """Writes down for readers what was dropped since this was last written."""
        with self._lock:
            untold, self._untold = self._untold, Counter()
        try:
            if untold:
                self._put(json.dumps(untold).encode(), DROPPED_KIND)
        except OSError:
            with self._lock:
                self._untold += untold
            raise


_WRITERS: weakref.WeakSet[SpoolWriter] = weakref.WeakSet()
_follows = False


def _follow_forks(writer: SpoolWriter) -> None:
    """Makes the writer begin anew in a forked child, whose parent goes on writing to the files."""
    global _follows  # noqa: PLW0603  # a process has one list of what to do at a fork, and nothing leaves it
    _WRITERS.add(writer)
    if not _follows and hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_begin_all_anew)
        _follows = True


def _begin_all_anew() -> None:
    for writer in list(_WRITERS):
        writer._begin_anew()
