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

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from logpith_emit.disk import Disk
from logpith_emit.errors import BadArgument
from logpith_emit.spool.durable import DurableWriter
from logpith_emit.spool.frames import DROPPED_KIND, Damage, Frame, dropped_in, scan
from logpith_emit.spool.place import begin_below, begin_places, readers_of_all
from logpith_emit.spool.reader import SpoolReader
from logpith_emit.spool.segment import ASIDE, Segment, segment_named
from logpith_emit.spool.writer import SpoolWriter

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


@dataclass(frozen=True, kw_only=True)
class Spool:
    """A folder of frames that survive a crash."""

    folder: Path
    """Where its files are; made when it is first written."""

    segment_bytes: int = 64 << 20
    """A file is followed by another when it has this size; never more than an eighth of the limit."""

    limit_bytes: int = 1 << 30
    """What all files in the folder may take together. Each writer knows of the others what there was when it began its
    last file."""

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
        found = (segment_named(folder, name) for folder in self.folders for name in self.disk.names(folder))
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
        for segment in segments:
            self.disk.remove_unclaimed(segment.path)
        for folder in {segment.folder for segment in segments}:
            self.disk.sync_folder(folder)

    def drop_through(self, segment: Segment) -> None:
        """Takes a file away and its writer's before it, once they are consumed."""
        self.remove(
            *(one for one in self.segments() if one.writer == segment.writer and one.number <= segment.number)
        )

    def set_aside(self, segment: Segment) -> None:
        """Keeps a damaged file under another name, where nobody reads it on. It counts towards the limit, and
        goes first when room is needed."""
        with suppress(FileNotFoundError):
            self.disk.rename(segment.path, segment.path.with_name(segment.path.name + ASIDE))

    def aside(self) -> list[Path]:
        """The damaged files that were kept."""
        return [
            folder / name
            for folder in self.folders
            for name in self.disk.names(folder)
            if name.endswith(".spool" + ASIDE)
        ]

    def wait_for(self, name: str) -> None:
        """Lets files wait for the reader of this name from now on, before it has committed anything; and for those that
        have said that they wait for all spools here."""
        self.disk.make_folder(self.folder)
        for reader in dict.fromkeys([name, *readers_of_all(self)]):
            begin_places(self, reader)

    def wait_for_all_below(self, name: str) -> None:
        """Lets files here, and in the spools of folders in this one, wait for the reader of this name from now on; also
        of those that come."""
        self.disk.make_folder(self.folder)
        begin_below(self, name)

    def reader(self, name: str) -> SpoolReader:
        """What reads everything once, and keeps its place in the folder by this name."""
        return SpoolReader(self, name)
