"""The spool: frames of bytes on disk that survive a crash. One form for a logger, a write-ahead log and an outbox.

A spool is a folder. Every writer has files of its own in it (`WRITER-NUMBER.spool`, WRITER from its pid and chance),
so any number of threads and processes write at once, and any number of readers see all of it.
`docs/format/spool.md` draws the bytes.

    spool = Spool(folder=path)                          settings, a value; nothing is opened

    with spool.open() as writer:                        a logger: one write a record, no lock across it, no sync
        writer.append(payload, kind=1)                  its sequence, or 0 when it was dropped and counted

    with spool.open_durable(first_sequence=n) as log:   a write-ahead log, an outbox
        sequence = log.append(payload, kind=1)
        log.sync()                                      durable; threads share one fdatasync; Unavailable: it is not
        closed = log.roll()                             begins another file; the one before, synced and closed
        log.segment, log.dropped                        the file being written; {reason: records}

    for segment in spool.segments():                    every file, in order of writer and number
        for frame in spool.read(segment):               a segment's good frames; damage is skipped and counted
            frame.sequence, frame.kind, frame.payload, frame.end
    spool.remove(segment)                               once it is consumed, oldest first
    spool.drop_through(segment)                         that one and its writer's before it

    reader = spool.reader("kafka")                      an outbox' end: keeps its place in the folder by this name
    for segment, frame in reader.read(): ...            what is there and was not read; again for what came since
    reader.commit()                                     what was read is done: place saved, whole files removed
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import sys
import threading
import weakref
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass, field
from itertools import count
from pathlib import Path
from typing import Literal
from zlib import crc32

from logpith_emit.clock import SYSTEM_CLOCK
from logpith_emit.disk import Appending, Data, Disk
from logpith_emit.errors import BadArgument, Refused, Unavailable
from logpith_emit.frames import HEADER_BYTES, MAX_PAYLOAD_BYTES, Damage, Frame, pack, scan

__all__ = [
    "DROPPED_KIND",
    "Damage",
    "DurableWriter",
    "Frame",
    "Overflow",
    "Segment",
    "Spool",
    "SpoolReader",
    "SpoolWriter",
    "dropped_in",
]

Overflow = Literal["block", "drop_newest", "drop_oldest", "spill"]

DROPPED_KIND = 0xFFFF_FFFF
"""The kind of frame in which a writer says that it dropped records before it; `dropped_in` reads it."""

_NAME = re.compile(r"([0-9a-f]+-[0-9a-f]+)-(\d{8,19})(?:-after-(\d{1,20}))?\.spool")
_ASIDE = ".damaged"
_PLACE = ".place"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SYNCS_TRIED = 3  # each in a new file
_LOOK_EVERY_S = 0.02
_SPILL_FOR, _SPILL_FOR_AT_MOST = 64, 65_536


@dataclass(frozen=True, kw_only=True)
class Spool:
    """A folder of frames that survive a crash."""

    folder: Path
    """Where its files are; made when it is first written."""

    segment_bytes: int = 64 << 20
    """A file is followed by another when it has this size; never more than an eighth of the limit."""

    limit_bytes: int = 1 << 30
    """What all files in the folder may take together."""

    overflow: Overflow = "drop_oldest"
    """What happens at the limit, and when the disk is full: `block` waits, then says Unavailable; `drop_newest` does
    not write the new record; `drop_oldest` removes the oldest file; `spill` goes on in `spill_folder`, and once that is
    full too removes the oldest file. What is dropped is counted, and told to readers."""

    block_s: float = 0.0
    """How long `block` waits for room."""

    spill_folder: Path | None = None
    """Where `spill` goes on, on another disk best."""

    spill_limit_bytes: int = 1 << 30
    """What all files there may take together."""

    unsynced_bytes: int = 64 << 20
    """What a durable writer keeps in memory, to write it again should a sync fail; beyond, `append` syncs by itself."""

    disk: Disk = field(default_factory=Disk, repr=False)

    def __post_init__(self) -> None:
        if (self.overflow == "spill") != (self.spill_folder is not None):
            raise BadArgument(
                "overflow 'spill' and a spill_folder go together",
                remedy="Name a spill_folder, or choose drop_oldest",
            )

    @contextmanager
    def open(self, *, first_sequence: int = 1) -> Iterator[SpoolWriter]:
        """A writer that makes one write of each record and holds no lock across it; nothing is synced."""
        writer = SpoolWriter(self, first_sequence)
        try:
            yield writer
        finally:
            writer.close()

    @contextmanager
    def open_durable(self, *, first_sequence: int = 1) -> Iterator[DurableWriter]:
        """A writer whose records are durable after `sync`. What was appended last is synced at the end of the block."""
        writer = DurableWriter(self, first_sequence)
        try:
            yield writer
            writer.sync()
        finally:
            writer.close()

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where its files can be."""
        return (self.folder,) if self.spill_folder is None else (self.folder, self.spill_folder)

    def segments(self) -> list[Segment]:
        """Every file, in order of writer and number."""
        found = (_segment(folder, name) for folder in self.folders for name in self.disk.names(folder))
        return sorted((one for one in found if one is not None), key=lambda one: (one.writer, one.number))

    def is_growing(self, segment: Segment) -> bool:
        """Whether its writer may still append to it; an empty one may be about to be written."""
        try:
            # In this order: what has bytes was claimed before it had them, so then a no to the second is final.
            return not self.disk.size_bytes(segment.path) or self.disk.is_claimed(segment.path)
        except FileNotFoundError:
            return False

    def read(self, segment: Segment, offset: int = 0, damage: Damage | None = None) -> Iterator[Frame]:
        """The good frames of a file from byte `offset` on; all else is skipped and added to `damage`.

        What a later file of the same writer holds again, because a sync failed, comes from there only. The rest of a
        file that `is_growing` is left for another call. Nothing comes from a file that is gone or cannot be read.
        """
        damage = Damage() if damage is None else damage
        mine = (
            one for one in self.segments() if one.writer == segment.writer and one.number > segment.number
        )
        last = min((one.after for one in mine if one.after is not None), default=None)
        try:
            may_grow = self.is_growing(segment)  # asked first: what stands there after a no is final
            file = self.disk.reading(segment.path)
        except FileNotFoundError:
            return
        except OSError:
            damage.unreadable_files += 1
            return
        try:
            for frame in scan(file, salt=segment.salt, start=offset, may_grow=may_grow, damage=damage):
                if last is None or frame.sequence <= last:
                    yield frame
        except OSError:
            damage.unreadable_files += 1
        finally:
            file.close()

    def remove(self, *segments: Segment) -> None:
        """Takes files away that are consumed, durably, and oldest first: a later one may say what an earlier one holds
        in vain. One that is still written stays."""
        unsynced: set[Path] = set()
        for segment in segments:
            if segment.after is not None:
                self._sync_folders(unsynced)
            self.disk.remove_unclaimed(segment.path)
            unsynced.add(segment.folder)
        self._sync_folders(unsynced)

    def _sync_folders(self, folders: set[Path]) -> None:
        while folders:
            self.disk.sync_folder(folders.pop())

    def drop_through(self, segment: Segment) -> None:
        """Takes a file away and its writer's before it, once they are consumed."""
        self.remove(
            *(one for one in self.segments() if one.writer == segment.writer and one.number <= segment.number)
        )

    def set_aside(self, segment: Segment) -> None:
        """Keeps a damaged file under another name, where nobody reads it on. It counts towards the limit, and
        goes first when room is needed."""
        with suppress(FileNotFoundError):
            self.disk.rename(segment.path, segment.path.with_name(segment.path.name + _ASIDE))

    def aside(self) -> list[Path]:
        """The damaged files that were kept."""
        return [
            folder / name
            for folder in self.folders
            for name in self.disk.names(folder)
            if name.endswith(".spool" + _ASIDE)
        ]

    def reader(self, name: str) -> SpoolReader:
        """What reads everything once, and keeps its place in the folder by this name."""
        return SpoolReader(self, name)


@dataclass(frozen=True)
class Segment:
    """One file of a spool."""

    folder: Path

    writer: str
    """Who writes it: pid and chance, in hex."""

    number: int
    """Counts the writer's files, from 1."""

    after: int | None = None
    """Set when a sync failed: what the writer's files before hold of later sequences stands here again."""

    @property
    def name(self) -> str:
        again = "" if self.after is None else f"-after-{self.after}"
        return f"{self.writer}-{self.number:08d}{again}.spool"

    @property
    def path(self) -> Path:
        return self.folder / self.name

    @property
    def salt(self) -> int:
        """Where the checksums of its frames begin."""
        return crc32(self.name.encode())


def _segment(folder: Path, name: str) -> Segment | None:
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    segment = Segment(folder, match[1], int(match[2]), int(match[3]) if match[3] else None)
    return segment if segment.name == name else None


def dropped_in(frame: Frame) -> dict[str, int]:
    """The records that a frame of DROPPED_KIND tells of, by reason."""
    return {str(reason): int(records) for reason, records in json.loads(frame.payload).items()}


class _Open:
    """A file that is being written."""

    def __init__(self, segment: Segment, file: Appending) -> None:
        self.segment = segment
        self.file = file
        self.busy: dict[int, None] = {}
        """One entry for each write to it that goes on right now."""


class SpoolWriter:
    """Appends records to files of its own. Threads may share it; a forked child gets files of its own."""

    def __init__(self, spool: Spool, first_sequence: int) -> None:
        self.spool = spool
        self.dropped: Counter[str] = Counter()
        """Records that were had and not kept, by reason."""
        self._closed = False
        self._first_sequence = first_sequence
        self._begin_anew()
        _follow_forks(self)

    def _begin_anew(self) -> None:
        """A name of its own, and no file yet."""
        self.name = f"{os.getpid():x}-{secrets.token_hex(6)}"
        # Held to begin and end files and to make room, not while a record is written. A signal handler that logs may
        # come in the middle of that, so the thread that holds it may take it again.
        self._lock = threading.RLock()
        self._sequences = count(self._first_sequence)
        self._numbers = count(1)
        self._tickets = count()
        self._current: _Open | None = None
        self._records: Counter[int] = Counter()  # by the number of the file
        self._notices: dict[int, Counter[str]] = {}
        self._untold: Counter[str] = Counter()
        self._room = _Room(self.spool)

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
            Refused: the payload is larger than 256 MiB, or the writer is closed.
        """
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise Refused(f"A record of {len(payload)} bytes is too large for a spool", remedy="Split it")
        if not 0 <= kind < DROPPED_KIND:
            raise BadArgument(f"{kind} is no kind of frame", remedy=f"Use 0 to {DROPPED_KIND - 1}")
        if self._closed:
            raise Refused("The spool is closed", remedy="Append inside the with block")
        try:
            return self._write(payload, kind)
        except OSError as error:
            return self._write_elsewhere(payload, kind, error)

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

    def _put(self, payload: Data, kind: int) -> int:
        """Writes a record into the current file, with one write."""
        ticket = next(self._tickets)
        current = self._enter(ticket)
        try:
            sequence = next(self._sequences)
            current.file.write(pack(payload, kind=kind, sequence=sequence, salt=current.segment.salt))
        finally:
            self._leave(current, ticket)
        self._count(current, payload, kind, sequence)
        if current.file.size_bytes >= self._room.segment_bytes:
            self._end(current)
        return sequence

    def _count(self, current: _Open, payload: Data, kind: int, sequence: int) -> None:
        """Adds up what was written, before its file may end."""
        # Without a lock two threads may lose an addition: a count is then short by one, and sizes are looked up anew
        # for each file.
        number = current.segment.number
        if kind == DROPPED_KIND:
            self._notices.setdefault(number, Counter()).update(json.loads(bytes(payload)))
        else:
            self._records[number] += 1
        self._room.used[current.segment.folder] += HEADER_BYTES + len(payload)

    def _enter(self, ticket: int) -> _Open:
        """The current file, which nobody closes before `_leave`."""
        while True:
            current = self._current or self._begin()
            current.busy[ticket] = None
            if current is self._current:
                return current
            self._leave(current, ticket)  # it was ended in between

    def _leave(self, current: _Open, ticket: int) -> None:
        del current.busy[ticket]
        if current is not self._current:
            self._let_go(current)

    def _begin(self) -> _Open:
        """The current file, begun if there is none."""
        with self._lock:
            if self._current is None:
                self._begun(self._new_file())
            return self._current or self._begin()

    def _begun(self, begun: _Open) -> None:
        if self._current is None:
            self._current = begun
        else:  # a signal handler has begun one in the middle of this
            self._let_go(begun)

    def _new_file(self, after: int | None = None) -> _Open:
        folder = self._room.folder
        self._make_folder(folder)
        self._room.look()
        while True:
            segment = Segment(folder, self.name, next(self._numbers), after)
            file = self.spool.disk.append_to(segment.path)
            if file.claim():
                return _Open(segment, file)
            file.close()  # a reader took it for what a dead writer left empty, and removed it

    def _make_folder(self, folder: Path) -> None:
        self.spool.disk.make_folder(folder)

    def _end(self, only: _Open | None = None) -> Segment | None:
        """Makes the current file (`only` this one) the last but one."""
        with self._lock:
            ended = self._current
            if ended is None or (only is not None and only is not ended):
                return None
            self._current = None
        self._let_go(ended)
        return ended.segment

    def _let_go(self, ended: _Open) -> None:
        """Closes a file that is no longer current, once nobody writes to it."""
        with self._lock:
            if not ended.busy:
                ended.file.close()
                if not ended.file.size_bytes:
                    with suppress(OSError):
                        self.spool.disk.remove(ended.segment.path)

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
        until_ns = SYSTEM_CLOCK.monotonic_ns() + int(self.spool.block_s * 1e9)
        never = threading.Event()
        while not self._room.find(size_bytes + self._notice_bytes):
            left_s = (until_ns - SYSTEM_CLOCK.monotonic_ns()) / 1e9
            if left_s <= 0:
                raise Unavailable(
                    f"The spool {self.spool.folder} is full ({self.spool.limit_bytes} bytes)",
                    remedy="Try again when its reader has got on, or raise limit_bytes",
                )
            never.wait(min(left_s, _LOOK_EVERY_S))  # who makes room may be another process

    def _write_elsewhere(self, payload: Data, kind: int, error: OSError) -> int:
        """Writes a record again after the disk has refused it, by what `overflow` says."""
        is_full = error.errno in _FULL
        with self._lock:
            if self.spool.overflow == "block":
                raise Unavailable(
                    f"{self.spool.folder} cannot be written: {error.strerror}",
                    remedy="Free space on that disk" if is_full else "See to that disk",
                ) from error
            if not is_full:
                self._end()
            elif self._room.spill():
                self._follow_room()
            elif self.spool.overflow != "drop_oldest" or not self._drop_oldest():
                return self._drop("disk_full")
        try:
            return self._write(payload, kind)
        except OSError as again:
            if is_full and again.errno in _FULL:
                return self._write_elsewhere(payload, kind, again)  # once for each file that can be dropped
            return self._drop("disk_failed")

    def _drop_oldest(self) -> bool:
        """Removes a file: a damaged one, one of a writer that ended or got on, or the first of ours. Whether there was
        one."""
        disk = self.spool.disk
        for path in self.spool.aside():
            disk.remove(path)
            return True
        segments = sorted(self.spool.segments(), key=lambda one: (one.writer == self.name, one.number))
        for segment in segments:
            if self._current is not None and segment == self._current.segment:
                self._end()
            unread, notices = self._unread(segment)
            with suppress(OSError):
                if disk.remove_unclaimed(segment.path):
                    self._drop("drop_oldest", unread)
                    self._untold += notices
                    if segment.writer == self.name:
                        del self._records[segment.number]
                    return True
        return False

    def _unread(self, segment: Segment) -> tuple[int, Counter[str]]:
        """How many records of a file no reader has done yet, and what it tells of others that no reader knows yet."""
        places = [_load_places(self.spool, path)[0].get(segment.writer) for path in _place_files(self.spool)]
        done = min((place.done_of(segment) for place in places if place is not None), default=0)
        if segment.writer == self.name:
            records, notices = self._records[segment.number], self._notices.pop(segment.number, Counter())
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
            self.dropped[reason] += records
            self._untold[reason] += records
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


class DurableWriter(SpoolWriter):
    """Appends records that are durable after `sync`. Until then it keeps them in memory, because a sync that fails may
    have thrown away what it should have written (fsyncgate): then they are written again to a new file, and the
    failed one is never synced again."""

    def __init__(self, spool: Spool, first_sequence: int) -> None:
        super().__init__(spool, first_sequence)
        self.failed_syncs = 0
        """How often the disk refused to sync."""

    def _begin_anew(self) -> None:
        super()._begin_anew()
        self._turn = threading.Condition(self._lock)
        self._rounds_begun = 0
        self._rounds_ended = 0
        self._failure: Unavailable | None = None
        self._appended = self._durable = self._first_sequence - 1
        self._unsynced: deque[tuple[int, int, bytes]] = deque()
        self._unsynced_bytes = 0
        self._to_sync: list[_Open] = []
        """Files that are no longer current and have records that are not durable."""
        self._new_names: set[Path] = set()
        """Folders with names that are not durable."""
        self._must_write_again = False
        self._known_folders: set[Path] = set()

    @property
    def durable_sequence(self) -> int:
        """The last record that is durable, and all before it."""
        return self._durable

    def append(self, payload: Data, kind: int = 0) -> int:
        if self._unsynced_bytes >= self.spool.unsynced_bytes:
            self.sync()
        with self._lock:  # so that sequences stand in order
            return super().append(payload, kind)

    def sync(self) -> None:
        """Returns when all that was appended before is durable. Threads that ask at the same time share one sync.

        Raises:
            Unavailable: it is not, and nobody may be told that it is. It is tried again, in a new file, with the next
                call.
        """
        with self._turn:
            wanted, round_wanted = self._appended, self._rounds_begun + 1
            while self._durable < wanted and self._rounds_ended < round_wanted:
                if self._rounds_begun > self._rounds_ended:
                    self._turn.wait()
                    continue
                self._rounds_begun += 1
                self._lead_round()
            if self._durable < wanted:
                raise self._failure or Unavailable("It is not synced", remedy="Try again")

    def roll(self) -> Segment | None:
        """Ends the file that is being written, syncs and closes it; the next record begins another. None when there is
        none.

        Raises:
            Unavailable: it could not be synced; see `sync`.
        """
        ended = self._end()
        self.sync()
        return ended

    def close(self) -> None:
        super().close()
        with self._lock:
            for ended in self._to_sync:
                ended.file.close()

    # ── syncing ───────────────────────────────────────────────────────────────────────────────────────────────

    def _lead_round(self) -> None:
        """One sync for all who wait. Holds the lock, but not while the disk works."""
        self._failure = None
        try:
            for _ in range(_SYNCS_TRIED):
                try:
                    self._sync_once()
                    return
                except OSError as error:
                    self.failed_syncs += 1
                    self._must_write_again = True
                    self._failure = Unavailable(
                        f"{self.spool.folder} cannot be synced: {error.strerror}", remedy="See to that disk"
                    )
        finally:
            self._rounds_ended = self._rounds_begun
            self._turn.notify_all()

    def _sync_once(self) -> None:
        if self._must_write_again:
            self._write_again()
        through, ended, names = self._appended, self._to_sync, self._new_names
        self._to_sync, self._new_names = [], set()
        try:
            self._sync_unlocked([*ended, self._current] if self._current is not None else ended, names)
        except OSError:
            self._to_sync[:0] = ended
            self._new_names |= names
            raise
        for one in ended:
            one.file.close()
        self._durable = through
        while self._unsynced and self._unsynced[0][0] <= through:
            self._unsynced_bytes -= len(self._unsynced.popleft()[2])

    def _sync_unlocked(self, files: list[_Open], names: set[Path]) -> None:
        self._lock.release()
        try:
            for one in files:
                one.file.sync()
            for folder in names:
                # A folder above the spool may be none of ours to open.
                with suppress(*() if folder in self.spool.folders else (PermissionError,)):
                    self.spool.disk.sync_folder(folder)
        finally:
            self._lock.acquire()

    def _write_again(self) -> None:
        """Writes all that is not durable to a new file, whose name says so, and ends those that hold it in vain."""
        begun = self._new_file(after=self._durable)
        try:
            for sequence, kind, payload in self._unsynced:
                begun.file.write(pack(payload, kind=kind, sequence=sequence, salt=begun.segment.salt))
        except OSError:
            begun.file.close()
            with suppress(OSError):
                self.spool.disk.remove(begun.segment.path)
            raise
        # The old ones end only now: while they are claimed, a reader does not take them for all that there is.
        for one in (*self._to_sync, self._current):
            if one is not None:
                one.file.close()
        self._count_again(
            [one.segment.number for one in (*self._to_sync, self._current) if one], begun.segment.number
        )
        self._to_sync, self._current = [], begun
        self._must_write_again = False

    def _count_again(self, old: list[int], new: int) -> None:
        """Moves what was counted for the records that are not durable from the files that hold them in vain."""
        told = [json.loads(payload) for _, kind, payload in self._unsynced if kind == DROPPED_KIND]
        self._notices[new] = sum(map(Counter, told), Counter())
        self._records[new] = left = len(self._unsynced) - len(told)
        for number in reversed(old):
            self._notices.pop(number, None)
            in_vain = min(left, self._records[number])
            self._records[number] -= in_vain
            left -= in_vain

    # ── what differs in writing ───────────────────────────────────────────────────────────────────────────────

    def _put(self, payload: Data, kind: int) -> int:
        with self._lock:
            current = self._current
            size_bytes = current.file.size_bytes if current is not None else 0
            try:
                return super()._put(payload, kind)
            except OSError:
                self._cut_back(self._current, size_bytes if self._current is current else 0)
                raise

    def _count(self, current: _Open, payload: Data, kind: int, sequence: int) -> None:
        super()._count(current, payload, kind, sequence)
        self._appended = sequence
        self._unsynced.append((sequence, kind, bytes(payload)))
        self._unsynced_bytes += len(payload)

    def _cut_back(self, current: _Open | None, size_bytes: int) -> None:
        """Takes away the part of a record that was written when the disk was full, or ends the file behind it."""
        if current is None or current.file.size_bytes == size_bytes:
            return
        try:
            self.spool.disk.truncate(current.segment.path, size_bytes)
            current.file.size_bytes = size_bytes
        except OSError:
            self._end(current)

    def _make_folder(self, folder: Path) -> None:
        above = [folder.parent]  # also when it was there: who made it may not have got to syncing it
        while above[-1] != above[-1].parent and above[-1].name not in self.spool.disk.names(above[-1].parent):
            above.append(above[-1].parent)
        super()._make_folder(folder)
        self._new_names.update((folder, *above) if folder not in self._known_folders else (folder,))
        self._known_folders.add(folder)

    def _let_go(self, ended: _Open) -> None:
        with self._lock:
            if self._durable < self._appended:
                self._to_sync.append(ended)
            else:
                ended.file.close()


class _Room:
    """What a spool's files take, and the folder to write to."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._limits = dict(zip(spool.folders, (spool.limit_bytes, spool.spill_limit_bytes), strict=False))
        self._has_looked = False
        self._is_spilling = False
        self._spill_for = 0
        self._patience = _SPILL_FOR
        self.segment_bytes = max(min(spool.segment_bytes, spool.limit_bytes // 8), 1)
        self.used = dict.fromkeys(spool.folders, 0)

    @property
    def folder(self) -> Path:
        """Where to write."""
        return self._spool.folders[self._is_spilling]

    def is_there(self, size_bytes: int) -> bool:
        """Whether so much can be written to `folder`, as far as is known without looking."""
        if self._is_spilling:
            self._spill_for -= 1
            if self._spill_for < 0:
                return False  # time to see whether the first folder has room again
        return self._has_looked and self._fits(self.folder, size_bytes)

    def find(self, size_bytes: int) -> bool:
        """Looks for a folder to write so much to; whether there is one."""
        self.look()
        self._is_spilling = False
        return self._fits(self.folder, size_bytes) or (self.spill() and self._fits(self.folder, size_bytes))

    def spill(self) -> bool:
        """Turns to the spill folder for the next records, if there is one, and each time for longer: turning back
        costs a file."""
        if self._is_spilling or self._spool.spill_folder is None:
            return False
        self._is_spilling = True
        self._spill_for = self._patience
        self._patience = min(2 * self._patience, _SPILL_FOR_AT_MOST)
        return True

    def look(self) -> None:
        """Adds up what the files take."""
        disk = self._spool.disk
        for folder in self._spool.folders:
            used = 0
            for name in disk.names(folder):
                if name.endswith((".spool", _ASIDE)):
                    with suppress(OSError):
                        used += disk.size_bytes(folder / name)
            self.used[folder] = used
        self._has_looked = True

    def _fits(self, folder: Path, size_bytes: int) -> bool:
        return self.used[folder] + size_bytes <= self._limits[folder]


@dataclass(frozen=True)
class Place:
    """How far a reader is with the files of one writer."""

    number: int = 0
    """The file it is in; it is done with those before."""

    offset: int = 0
    """The byte of it to read on from."""

    sequence: int = 0
    """The last record read."""

    records: int = 0
    """How many were read of that file."""

    def done_of(self, segment: Segment) -> int:
        """How many records of a file are read; for all, more than a file can have."""
        if segment.number == self.number:
            return self.records
        return sys.maxsize if segment.number < self.number else 0


class SpoolReader:
    """Reads every record of every writer: in order within each, one writer after another.

    `commit` saves how far it is. What was read after the last commit is read again by the next reader of the same name,
    so who must not do a thing twice keeps (segment.writer, frame.sequence). A spool has one reader that commits: a
    commit removes files.
    """

    def __init__(self, spool: Spool, name: str) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
            raise BadArgument(
                f"{name!r} is no name for a reader", remedy="Use letters, digits, '_', '-' and '.'"
            )
        self.spool = spool
        self.damage = Damage()
        """What could not be read."""
        self.files_set_aside = 0
        """Files that were kept aside because something in them could not be read."""
        self._path = spool.folder / f"{name}{_PLACE}"
        self._places, is_good = _load_places(spool, self._path)
        if not is_good:  # what was read before is then read again
            self.damage.places += 1
        self._saved = dict(self._places)
        self._damaged: set[Segment] = set()
        self._perhaps_empty: set[Segment] = set()

    def read(self) -> Iterator[tuple[Segment, Frame]]:
        """What is there and was not read yet; it ends where the writers are now."""
        stop_at = ""
        for segment in self.spool.segments():
            place = self._places.get(segment.writer, Place())
            if segment.writer == stop_at or segment.number < place.number:
                continue
            if segment.number > place.number:
                place = Place(segment.number, 0, place.sequence)
            is_growing = self.spool.is_growing(segment)
            damage = Damage()
            given = place.sequence if segment.after is not None else 0
            try:
                for frame in self.spool.read(segment, place.offset, damage):
                    place = Place(
                        segment.number,
                        frame.end,
                        frame.sequence,
                        place.records + (frame.kind != DROPPED_KIND),
                    )
                    self._places[segment.writer] = place
                    if frame.sequence > given:
                        yield segment, frame
            finally:
                self.damage += damage
                if damage.is_worth_keeping:
                    self._damaged.add(segment)
            if is_growing:
                stop_at = segment.writer
                if not place.offset:
                    self._perhaps_empty.add(segment)
            else:
                self._places[segment.writer] = Place(segment.number + 1, 0, place.sequence)

    def commit(self) -> None:
        """Says that what was read is done: saves the place, durably, then removes the files that are read to their
        end. Damaged ones are kept aside.

        Raises:
            OSError: the place is not saved, or files are still there; call it again.
        """
        try:
            self._save()
            self._clear()
        except OSError as error:
            if error.errno not in _FULL:
                raise
            self._clear()  # which makes room for the place
            self._save()
        writers = {one.writer for one in self.spool.segments()}
        self._places = {writer: place for writer, place in self._places.items() if writer in writers}

    def _save(self) -> None:
        if self._places != self._saved:
            _save_places(self.spool, self._path, self._places)
            self._saved = dict(self._places)

    def _clear(self) -> None:
        """Takes away the files that are read to their end."""
        done = [
            one for one in self.spool.segments() if one.number < self._places.get(one.writer, Place()).number
        ]
        for segment in self._damaged.intersection(done):
            self.spool.set_aside(segment)
            self.files_set_aside += 1
        self.spool.remove(*(one for one in done if one not in self._damaged))
        self._damaged.difference_update(done)
        # What a writer left that ended before it wrote anything. One that is just beginning takes another.
        for segment in self._perhaps_empty:
            self.spool.disk.remove_unclaimed(segment.path, only_empty=True)
        self._perhaps_empty.clear()


def _place_files(spool: Spool) -> list[Path]:
    return [spool.folder / name for name in spool.disk.names(spool.folder) if name.endswith(_PLACE)]


def _load_places(spool: Spool, path: Path) -> tuple[dict[str, Place], bool]:
    """The places that a reader saved, and whether what stands there is good; none when it has not saved any."""
    try:
        checksum, _, text = spool.disk.read(path).partition(b"\n")
    except FileNotFoundError:
        return {}, True
    except OSError:
        return {}, False
    if checksum != b"%08x" % crc32(text):
        return {}, False
    return {writer: Place(*numbers) for writer, numbers in json.loads(text).items()}, True


def _save_places(spool: Spool, path: Path, places: Mapping[str, Place]) -> None:
    text = json.dumps({writer: astuple(place) for writer, place in places.items()}).encode()
    new = path.with_name(path.name + ".new")
    spool.disk.remove(new)
    spool.disk.write_new(new, b"%08x\n%b" % (crc32(text), text))
    spool.disk.rename(new, path)
    spool.disk.sync_folder(spool.folder)


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
