"""Reading a store: what is in it at one moment, in the writer's process or in any other, without a lock.

What is in no segment yet is put into segments that are only in memory, so whoever asks sees one kind of thing.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from logpith.store.building import build_segments
from logpith.store.disk import FORMAT, check_format
from logpith.store.manifest import Entry, Manifest, ManifestReader
from logpith.store.rows import days_of, table_of
from logpith.store.segment import Segment
from logpith.store.spools import BATCH_KIND, Stored, spool_of, unpack_frame, without_void
from logpith.store.writer import SEGMENT_RECORDS, Store, segment_folder
from logpith_emit.disk import Disk
from logpith_emit.errors import NotFound, Refused
from logpith_emit.spool import Segment as SpoolFile

_CLOSED_RECORDS = 8_192
"""So many records are put into a segment in memory that is not made anew when more come."""

_TRIES = 20


@dataclass(frozen=True)
class Snapshot:
    """A store at one moment."""

    manifest: Manifest
    segments: tuple[Segment, ...]
    """In the order in which they were made, those of records that are in the spool only behind them."""

    damaged: tuple[str, ...] = ()
    """Of each segment that cannot be read, what is wrong with it."""


class StoreReader:
    """Reads a store again and again; what has not changed is not read anew. May be used by several threads."""

    def __init__(self, folder: Path, *, store: Store | None = None, disk: Disk | None = None) -> None:
        self.folder = folder
        self._store = store
        self._disk = store.disk if store is not None else disk or Disk()
        self._lock = threading.Lock()
        self._open: dict[str, Segment] = {}
        self._hot = _Hot()
        self._tail = _Tail(folder, self._disk)
        if FORMAT not in self._disk.names(folder):
            raise NotFound(
                f"there is no store in {folder}", remedy="Collect something first, or name another folder"
            )
        check_format(self._disk, folder)

    def snapshot(self, now_ns: int) -> Snapshot:
        """The store as it is now.

        Raises:
            Refused: its manifest is damaged.
        """
        with self._lock:
            for _ in range(_TRIES):
                manifest, frames = self._store.snapshot() if self._store is not None else self._tail.read()
                try:
                    return self._snapshot(manifest, frames, now_ns)
                except FileNotFoundError:  # a segment of it has just gone: there is a newer manifest
                    continue
            return self._snapshot(manifest, frames, now_ns, may_lack=True)

    def _snapshot(
        self, manifest: Manifest, frames: tuple[Stored, ...], now_ns: int, *, may_lack: bool = False
    ) -> Snapshot:
        named = {entry.id for entry in manifest.segments}
        for gone in [name for name in self._open if name not in named]:
            del self._open[gone]
        segments: list[Segment] = []
        damaged: list[str] = []
        for entry in manifest.segments:
            try:
                segment = self._segment(entry)
            except Refused as error:
                damaged.append(error.problem)
                continue
            except FileNotFoundError:
                if not may_lack:
                    raise
                damaged.append(f"{entry.id} is missing")
                continue
            if segment.damage:
                damaged.append(segment.damage)
            else:
                segments.append(segment)
        return Snapshot(manifest, (*segments, *self._hot.segments(frames, now_ns)), tuple(damaged))

    def _segment(self, entry: Entry) -> Segment:
        segment = self._open.get(entry.id)
        if segment is None:
            segment = Segment.open(segment_folder(self.folder, entry), self._disk)
            self._open[entry.id] = segment
        return segment


def read_moment(folder: Path, disk: Disk) -> tuple[Manifest, tuple[Stored, ...]]:
    """The manifest of a store, and what is durable and in none of its segments, of one moment; nobody waits for it.

    Raises:
        Refused: the manifest is damaged.
    """
    return _Tail(folder, disk).read()


class _Tail:
    """What another process has written of late: the manifest, and frames that are in no segment."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self._manifest = ManifestReader(disk, folder)
        self._spool = spool_of(folder, disk, 1 << 62)
        self._frames: dict[int, Stored] = {}
        self._read_to: dict[str, int] = {}

    def read(self) -> tuple[Manifest, tuple[Stored, ...]]:
        """Both, of one moment."""
        manifest = self._manifest.read()
        for _ in range(_TRIES):
            for stored in self._new_frames(manifest.consumed):
                self._frames[stored.sequence] = stored
            now = self._manifest.read()
            if now.generation == manifest.generation:
                break
            manifest = now
        for sequence in [number for number in self._frames if number <= manifest.consumed]:
            del self._frames[sequence]
        return manifest, tuple(without_void(self._frames[number] for number in sorted(self._frames)))

    def _new_frames(self, consumed: int) -> Iterator[Stored]:
        files: list[SpoolFile] = self._spool.segments()
        names = {file.name for file in files}
        self._read_to = {name: place for name, place in self._read_to.items() if name in names}
        for file in files:
            try:
                for frame in self._spool.read(file, self._read_to.get(file.name, 0)):
                    self._read_to[file.name] = frame.end
                    if frame.sequence > consumed and frame.kind == BATCH_KIND:
                        yield unpack_frame(frame.sequence, bytes(frame.payload))
            except FileNotFoundError:  # consumed meanwhile
                continue


class _Hot:
    """Frames as segments in memory. Only the last one is made anew when frames come."""

    def __init__(self) -> None:
        self._closed: list[tuple[int, int, list[Segment]]] = []
        """First and last sequence, and the segments of the frames between."""

        self._last: tuple[tuple[int, ...], list[Segment]] = ((), [])

    def segments(self, frames: tuple[Stored, ...], now_ns: int) -> list[Segment]:
        first = frames[0].sequence if frames else 0
        self._closed = [
            one for one in self._closed if frames and one[0] >= first and one[1] <= frames[-1].sequence
        ]
        behind = self._closed[-1][1] if self._closed else 0
        if self._closed and self._closed[0][0] != first:
            self._closed, behind = [], 0
        some: list[Stored] = []
        for frame in frames:
            if frame.sequence <= behind:
                continue
            some.append(frame)
            if sum(one.batch.num_rows for one in some) >= _CLOSED_RECORDS:
                self._closed.append((some[0].sequence, frame.sequence, self._built(some, now_ns)))
                some = []
        key = tuple(frame.sequence for frame in some)
        if self._last[0] != key:
            self._last = (key, self._built(some, now_ns))
        return [*(segment for _, _, made in self._closed for segment in made), *self._last[1]]

    def _built(self, frames: list[Stored], now_ns: int) -> list[Segment]:
        batches = [frame.batch for frame in frames if frame.batch.num_rows]
        made: list[Segment] = []
        for day, table in days_of(table_of(batches)):
            # Named by what is in it: the same records have the same name as long as they are here.
            names = (f"hot-{day}-{frames[0].sequence}-{frames[-1].sequence}-{n}" for n in itertools.count())
            built = build_segments(table, names.__next__, day, now_ns, most_records=SEGMENT_RECORDS, level=1)
            made += map(Segment.of, built)
        return made


__all__ = ["Snapshot", "StoreReader"]
