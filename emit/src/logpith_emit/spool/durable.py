"""Appending to a spool so that it survives a power cut."""

from __future__ import annotations

import json
import threading
from collections import Counter, deque
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from logpith_emit.disk import Data
from logpith_emit.errors import Unavailable
from logpith_emit.spool.frames import DROPPED_KIND, head_of
from logpith_emit.spool.segment import Segment
from logpith_emit.spool.writer import OpenSegment, SpoolWriter

if TYPE_CHECKING:
    from logpith_emit.spool import Spool

_SYNCS_TRIED = 3  # each in a new file


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
        self._to_sync: list[OpenSegment] = []
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
        except BaseException:  # an interrupt, too, leaves it open what was synced
            self._to_sync[:0] = ended
            self._new_names |= names
            self._must_write_again = True
            raise
        for one in ended:
            one.file.close()
        self._durable = through
        while self._unsynced and self._unsynced[0][0] <= through:
            self._unsynced_bytes -= len(self._unsynced.popleft()[2])

    def _sync_unlocked(self, files: list[OpenSegment], names: set[Path]) -> None:
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
                begun.file.write(head_of(payload, kind, sequence, begun.salt) + payload)
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
        left = len(self._unsynced) - len(told)
        self._tallies[new].notices.update(sum(map(Counter, told), Counter()))
        self._tallies[new].records = left
        for number in reversed(old):
            tally = self._tallies[number]
            tally.notices.clear()
            in_vain = min(left, tally.records)
            tally.records -= in_vain
            left -= in_vain

    # ── what differs in writing ───────────────────────────────────────────────────────────────────────────────

    def _grant(self, current: OpenSegment, left_bytes: int) -> None:
        """Nothing: each record is kept in memory, too."""

    def _put(self, payload: Data, kind: int) -> int:
        with self._lock:  # so that sequences stand in order
            current = self._current
            size_bytes = current.file.size_bytes if current is not None else 0
            try:
                sequence = super()._put(payload, kind)
            except OSError:
                self._cut_back(self._current, size_bytes if self._current is current else 0)
                raise
            self._appended = sequence
            self._unsynced.append((sequence, kind, bytes(payload)))
            self._unsynced_bytes += len(payload)
            return sequence

    def _cut_back(self, current: OpenSegment | None, size_bytes: int) -> None:
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

    def _let_go(self, ended: OpenSegment) -> None:
        with self._lock:
            if self._durable < self._appended:
                self._to_sync.append(ended)
            else:
                ended.file.close()
