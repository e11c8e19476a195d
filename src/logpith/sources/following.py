"""Following: files that grow, are rotated, truncated, packed and deleted, each byte of them read once.

Which files there are `known_files` says, and how far each was read its mark (`marks`). Whether a file is still what was
read is looked at whenever it has changed, and again after each block was read: who truncates a file and fills it again
(logrotate's copytruncate) is noticed, however far it was filled meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from logpith.batch import Batch, empty_batch
from logpith.files.holes import BlocksAroundHoles
from logpith.files.packing import Unpacker
from logpith.files.text import Block
from logpith.scan.records import PADDING
from logpith.sources import Delivery
from logpith.sources.gathering import (
    DELIVERY_BYTES,
    WHOLE,
    Extent,
    Gathering,
    Rejoiner,
    UnpackedText,
    block_of,
    closed_parts,
)
from logpith.sources.known_files import LINGER_NS, LOOK_BACK_BYTES, KnownFiles
from logpith.sources.marks import OPEN_FLAGS, KnownFile, key_of, tail_of
from logpith.sources.reading import Found, LineReader
from logpith_emit.errors import Unavailable

BLOCK_BYTES = 8 << 20
# A record longer than this is cut: a file without newlines must fit in memory.
MOST_RECORD_BYTES = 64 << 20


@dataclass(frozen=True, kw_only=True)
class What:
    """What is followed, and how its records are told."""

    name: str
    paths: Sequence[str]
    service: str = ""
    attributes: Mapping[str, object] = field(default_factory=dict)
    flush_after_s: float = 1.0
    begin: Literal["beginning", "end"] = "beginning"
    describe: Callable[[str], tuple[str, Mapping[str, object]]] | None = None
    """The service and the attributes of the records of a stream, by its live file's path."""

    rejoiner: Rejoiner | None = None
    is_complete: bool = False
    """Whether files are taken as they are: what has no end, a last line or a packed file, is not waited for."""


class Following:
    """Files while they are followed: a live source."""

    def __init__(self, what: What, position: str | None) -> None:
        self._what = what
        self._known = KnownFiles(
            what.paths, position, begins_at_end=what.begin == "end", is_complete=what.is_complete
        )
        self._readers: dict[str, LineReader] = {}
        self._flush_after_ns = int(what.flush_after_s * 1e9)
        self._looked_ns = 0

    def close(self) -> None:
        """Lets go of all files."""
        self._known.close()

    def poll(self, now_ns: int, *, at_once: bool = False) -> Iterator[Delivery]:
        """See `LiveSource.poll`."""
        problems = self._known.look(now_ns)
        self._looked_ns = now_ns
        gathering = Gathering(self._deliver)
        if self._known.skips_what_is_there:
            self._known.skips_what_is_there = False
            yield Delivery(batch=empty_batch(), position=self._known.position())
        yield from self._take_orphans(gathering, now_ns)
        for file in self._known.in_order():
            for batch, applied in self._records_of(file, now_ns, at_once=at_once):
                yield from gathering.add(batch, applied)
        yield from gathering.flush()
        self._known.tidy(now_ns)
        streams = {file.stream for file in self._known.files.values()}
        self._readers = {stream: reader for stream, reader in self._readers.items() if stream in streams}
        if problems:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            raise Unavailable(
                f"{problems[0]}{more}", remedy="Everything else was read; mend that, or leave it out"
            )

    def held_until_ns(self) -> int | None:
        """See `HoldingSource.held_until_ns`: when the last records of all files are as whole as they will be."""
        settles = [
            file.settles_ns(self._flush_after_ns) for file in self._known.files.values() if file.is_held
        ]
        return max((when_ns for when_ns in settles if when_ns > self._looked_ns), default=None)

    def _deliver(self, batch: Batch) -> Delivery:
        losses, self._known.losses = self._known.losses, {}
        return Delivery(batch=batch, position=self._known.position(), losses=losses)

    def _records_of(
        self, file: KnownFile, now_ns: int, *, at_once: bool
    ) -> Iterator[tuple[Batch, Callable[[], None]]]:
        """What has come in a file, in batches, each with what is to be done when it is taken."""
        if file.mark.packing:
            yield from self._unpacked_records(file, now_ns, at_once=at_once)
            return
        settled = at_once or file.is_settled(now_ns, self._flush_after_ns)
        if file.size <= file.mark.read_bytes or (
            len(file.held) == file.size - file.mark.read_bytes and not settled
        ):
            return
        if file.descriptor < 0:
            try:
                file.descriptor = os.open(file.mark.path, OPEN_FLAGS)
            except OSError:
                return  # the next poll tells where it went
            if key_of(file.descriptor) != file.key:
                file.close()
                return
        place = file.mark.read_bytes
        want = BLOCK_BYTES
        while place < file.size:
            data = os.pread(file.descriptor, min(want, file.size - place), place)
            if not data or not file.is_as_read():
                return  # truncated meanwhile: what was read may be of two files; the next poll sees it
            is_last = place + len(data) >= file.size
            is_finished = file.is_finished and file.is_settled(now_ns, LINGER_NS)
            ends = is_last and (is_finished or self._what.is_complete)
            whole = len(data) if ends else data.rfind(b"\n") + 1
            is_full = not is_last and want >= MOST_RECORD_BYTES
            if not whole and is_full:
                whole = len(data)
            taken = place
            if whole:
                # Who asks at once gets a record that may grow, and never a piece of a line.
                extent = Extent(
                    all_records=(is_last and settled) or is_full,
                    all_pieces=(is_last and (ends or file.is_settled(now_ns, self._flush_after_ns)))
                    or is_full,
                )
                for batch, behind in self._read(file, memoryview(data)[:whole], place, now_ns, extent):
                    yield batch, self._reads(file, behind)
                    taken = behind
            if is_last:
                held = data[taken - place :]
                file.held = held if len(held) <= DELIVERY_BYTES else b""
                file.held_tail = tail_of(file.descriptor, place + len(data))
                return
            want = BLOCK_BYTES if taken > place else want * 2
            place = taken

    def _reads(self, file: KnownFile, behind: int) -> Callable[[], None]:
        """What is to be done when all that stands before `behind` was taken."""
        tail = tail_of(file.descriptor, behind)

        def apply() -> None:
            file.mark.read_bytes, file.mark.tail = behind, tail

        return apply

    def _read(
        self, file: KnownFile, data: memoryview, base: int, now_ns: int, extent: Extent
    ) -> Iterator[tuple[Batch, int]]:
        """The records of whole lines that begin at `base`, in batches, each with the place in the file behind it."""
        if not data:
            return
        reader = self._reader(file, base, now_ns)
        blocks = list(BlocksAroundHoles([block_of(data, base)]))
        for number, block in enumerate(blocks):
            is_last = number == len(blocks) - 1
            limit = base + len(data) if is_last else blocks[number + 1].base
            for batch, behind in self._read_block(reader, block, now_ns, extent if is_last else WHOLE):
                yield batch, min(block.base + behind, limit)

    def _read_block(
        self, reader: LineReader, block: Block, now_ns: int, extent: Extent
    ) -> Iterator[tuple[Batch, int]]:
        rejoiner = self._what.rejoiner
        end = block.end
        if rejoiner is not None:
            end = block.end if extent.all_pieces else rejoiner.whole_bytes(block.buf, block.begin, block.end)
            joined = rejoiner.join(block.buf, block.begin, end)
            if joined is not None:
                buf, places = joined
                found = reader.read(buf, 0, len(buf) - PADDING, now_ns)
                behind = places[np.cumsum(found.lines) - 1]
                yield from closed_parts(Found(found.batch, behind, found.lines), extent)
                return
        found = reader.read(block.buf, block.begin, end, now_ns)
        yield from found.parts(extent.records_of(found))

    def _reader(self, file: KnownFile, base: int, now_ns: int) -> LineReader:
        reader = self._readers.get(file.stream)
        if reader is None:
            reader = self._readers[file.stream] = self._new_reader(file.stream)
        if reader.is_fresh and base and not file.mark.packing:
            begin = max(0, base - LOOK_BACK_BYTES)
            text = os.pread(file.descriptor, base - begin, begin)
            reader.look_back(text[text.find(b"\n") + 1 if begin else 0 :], now_ns)
        return reader

    def _new_reader(self, stream: str) -> LineReader:
        service, attributes = self._what.service, dict(self._what.attributes)
        if self._what.describe is not None:
            told, more = self._what.describe(stream)
            service, attributes = told or service, {**more, **attributes}
        return LineReader(self._what.name, service=service, extra=attributes)

    def _take_orphans(self, gathering: Gathering, now_ns: int) -> Iterator[Delivery]:
        """What had been read of files that are gone."""
        orphans, self._known.orphans = self._known.orphans, []
        left = len(orphans)

        def apply() -> None:
            nonlocal left
            left -= 1

        try:
            for stream, text in orphans:
                reader = self._readers.get(stream) or self._new_reader(stream)
                found = reader.read_text(text, now_ns)
                for batch, _ in found.parts(len(found)):
                    yield from gathering.add(batch, apply)
            yield from gathering.flush()
            left = 0
        finally:
            if left > 0:
                self._known.orphans = orphans[-left:]

    def _unpacked_records(
        self, file: KnownFile, now_ns: int, *, at_once: bool
    ) -> Iterator[tuple[Batch, Callable[[], None]]]:
        """What a packed file holds behind what was read of it, once nobody writes to it any more."""
        mark = file.mark
        settled = at_once or file.is_settled(now_ns, self._flush_after_ns)
        waited = self._what.is_complete or file.is_settled(now_ns, LINGER_NS)
        if not settled or mark.changed_ns == file.changed_ns or (file.is_torn and not waited):
            return
        if file.descriptor < 0:
            try:
                file.descriptor = os.open(mark.path, OPEN_FLAGS)
            except OSError:
                return
        with os.fdopen(os.dup(file.descriptor), "rb") as packed:
            packed.seek(0)
            unpacker = Unpacker(packed, mark.packing, packed_bytes=file.size)
            text = UnpackedText(unpacker, mark.read_bytes)
            if not text.pass_over(mark.tail):
                # Another text that only begins as a known one did.
                packed.seek(0)
                unpacker = Unpacker(packed, mark.packing, packed_bytes=file.size)
                text = UnpackedText(unpacker, 0)
            for data, is_last in text.blocks(BLOCK_BYTES):
                ended = is_last and (not unpacker.trouble or waited)
                whole = len(data) if ended else data.rfind(b"\n") + 1
                taken = text.place
                extent = Extent(all_records=ended, all_pieces=ended)
                for batch, behind in self._read(file, memoryview(data)[:whole], text.place, now_ns, extent):
                    yield batch, self._unpacks(file, behind)
                    taken = behind
                text.take(taken - text.place)
            if unpacker.trouble and not waited:
                file.is_torn = True
                return
            if unpacker.trouble:
                self._known.losses.setdefault("torn_bytes", 0)
            yield empty_batch(), self._is_unpacked(file)

    def _is_unpacked(self, file: KnownFile) -> Callable[[], None]:
        changed_ns = file.changed_ns

        def apply() -> None:
            file.mark.changed_ns = changed_ns

        return apply

    def _unpacks(self, file: KnownFile, behind: int) -> Callable[[], None]:
        def apply() -> None:
            file.mark.read_bytes, file.mark.tail = behind, ""

        return apply


@contextmanager
def follow(what: What, position: str | None) -> Iterator[Following]:
    """Files while they are followed, from a position on."""
    following = Following(what, position)
    try:
        yield following
    finally:
        following.close()
