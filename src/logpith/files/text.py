"""One file or stream: its text in blocks of whole lines, and any part of it again later.

Blocks are read, never mapped: a mapped log that somebody truncates kills the process that reads it.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from logpith.files.packing import Unpacker, packing_of
from logpith.files.roots import Roots, is_regular
from logpith.scan.records import PADDING
from logpith_emit.errors import Refused

BLOCK_BYTES = 8 << 20
# A line longer than this is cut into records of this size: a file without newlines must fit in memory.
MOST_LINE_BYTES = 128 << 20
_NEWLINE = 10
_HEAD_BYTES = 64 << 10
_NOTHING = np.empty(0, np.uint8)


@dataclass(frozen=True)
class Block:
    """Whole lines: `buf[:end]` ends with a newline (added where the file has none) and PADDING follows."""

    base: int
    """Where the block begins in the unpacked text."""

    buf: NDArray[np.uint8]
    end: int
    cut: bool = False
    """Whether it ends within a line that is longer than MOST_LINE_BYTES."""

    carried: int = 0
    """How many of its first bytes had been read before, with the block before it."""

    last: bool = False
    """Whether the text ended in it: it would be another block if there were more text."""


@dataclass(frozen=True)
class Identity:
    """Tells a file from another one that later has its name."""

    device: int
    inode: int
    size_bytes: int
    changed_ns: int


@dataclass
class TextFile:
    """The text of one file."""

    path: Path
    roots: Roots
    name: str
    identity: Identity
    packing: str
    trouble: str = field(default="", init=False)
    """Why the text ended before its time; empty when it did not. Known after the last block."""

    @classmethod
    def open(cls, path: Path, roots: Roots, name: str | None = None) -> TextFile:
        """The file at `path`.

        Raises:
            OutsideRoots, NotFound, Refused: see `Roots.open`; and it is a folder, a device, a FIFO, or binary.
        """
        descriptor = roots.open(path)
        if not is_regular(descriptor):
            os.close(descriptor)
            raise Refused(f"{path} is not a regular file", remedy="Name a file, or pipe the stream in")
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            head = file.read(_HEAD_BYTES)
            status = os.fstat(file.fileno())
        packing = packing_of(head)
        if not packing and looks_binary(head):
            raise Refused(
                f"{path} is binary, not text", remedy="Name a text log, or one packed with gzip or zstd"
            )
        identity = Identity(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        return cls(path, roots, name or str(path), identity, packing)

    @property
    def changed_ns(self) -> int:
        """When the file was last written to."""
        return self.identity.changed_ns

    @property
    def seekable(self) -> bool:
        """Whether any part can be read without what stands before it."""
        return not self.packing

    def blocks(self, start: int = 0, read_to: int = 0) -> Iterator[Block]:
        """The text in order, from the beginning, or from a block on: its base, and how far was read before it.

        Only what is `seekable` can begin at a later block.
        """
        with self._opened() as file:
            if self.packing:
                unpacker = Unpacker(file, self.packing)
                yield from _blocks(_fill_from_pieces(unpacker))
                self.trouble = unpacker.trouble
            else:
                carry = os.pread(file.fileno(), read_to - start, start)
                file.seek(read_to)
                fill = _fill_from_file(file, self.identity.size_bytes - read_to)
                yield from _blocks(fill, start, np.frombuffer(carry, np.uint8))

    def read(self, start: int, end: int) -> NDArray[np.uint8]:
        """The bytes from `start` to `end` of a seekable text, with a newline and PADDING behind; from any thread.

        Raises:
            Refused: the file is not the one that was opened, or has become shorter.
        """
        with self._opened() as file:
            return _read_at(file.fileno(), start, end, self.name)

    def raw(self, start: int, end: int) -> bytes:
        """Bytes of the file as it is, packed or not; fewer where it ends."""
        with self._opened() as file:
            return os.pread(file.fileno(), end - start, start)

    def parts(self, spans: Sequence[tuple[int, int]]) -> list[bytes]:
        """The bytes of each (start, end) of the unpacked text; `spans` is sorted and does not overlap.

        Raises:
            Refused: the file is not the one that was opened, or has become shorter.
        """
        with self._opened() as file:
            if self.packing:
                return list(_parts_of_pieces(Unpacker(file, self.packing), spans))
            return [os.pread(file.fileno(), end - start, start) for start, end in spans]

    def parts_in_order(self, spans: Sequence[tuple[int, int]]) -> Iterator[bytes]:
        """As `parts`, of a packed text, one at a time: they need not all fit in memory."""
        with self._opened() as file:
            yield from _parts_of_pieces(Unpacker(file, self.packing), spans)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        with os.fdopen(self.roots.open(self.path), "rb", buffering=0) as file:
            status = os.fstat(file.fileno())
            same = (status.st_dev, status.st_ino) == (self.identity.device, self.identity.inode)
            if not same or status.st_size < self.identity.size_bytes:
                raise _changed(self.name)
            yield file


@dataclass
class TextStream:
    """The text of a pipe, kept in an unnamed temporary file so that it can be read again."""

    name: str
    packing: str
    changed_ns: int
    _kept: BinaryIO
    _size_bytes: int
    trouble: str = field(default="", init=False)

    def __post_init__(self) -> None:
        weakref.finalize(self, self._kept.close)

    @classmethod
    def drain(cls, stream: BinaryIO, name: str, now_ns: int) -> TextStream:
        """All that `stream` gives until it ends.

        Raises:
            Refused: it is binary.
        """
        kept: BinaryIO = tempfile.TemporaryFile(prefix="logpith-")  # noqa: SIM115  # lives as long as this value
        size = 0
        head = b""
        while piece := stream.read(1 << 20):
            if len(head) < _HEAD_BYTES:
                head += piece[:_HEAD_BYTES]
            kept.write(piece)
            size += len(piece)
        kept.flush()
        packing = packing_of(head)
        if not packing and looks_binary(head):
            kept.close()
            raise Refused(
                f"{name} is binary, not text", remedy="Pipe text in, or text packed with gzip or zstd"
            )
        return cls(name, packing, now_ns, kept, size)

    @property
    def seekable(self) -> bool:
        """As `TextFile.seekable`."""
        return not self.packing

    def read(self, start: int, end: int) -> NDArray[np.uint8]:
        """As `TextFile.read`."""
        return _read_at(self._kept.fileno(), start, end, self.name)

    @property
    def size_bytes(self) -> int:
        """Of what was piped in."""
        return self._size_bytes

    def blocks(self) -> Iterator[Block]:
        """The text from the beginning, in order."""
        self._kept.seek(0)
        if self.packing:
            unpacker = Unpacker(self._kept, self.packing)
            yield from _blocks(_fill_from_pieces(unpacker))
            self.trouble = unpacker.trouble
        else:
            yield from _blocks(_fill_from_file(self._kept, self._size_bytes))

    def parts_in_order(self, spans: Sequence[tuple[int, int]]) -> Iterator[bytes]:
        """As `TextFile.parts_in_order`."""
        self._kept.seek(0)
        yield from _parts_of_pieces(Unpacker(self._kept, self.packing), spans)

    def parts(self, spans: Sequence[tuple[int, int]]) -> list[bytes]:
        """As `TextFile.parts`."""
        if self.packing:
            self._kept.seek(0)
            return list(_parts_of_pieces(Unpacker(self._kept, self.packing), spans))
        return [os.pread(self._kept.fileno(), end - start, start) for start, end in spans]


Text = TextFile | TextStream


def looks_binary(head: bytes) -> bool:
    """Whether the first bytes of a file are no text: many NULs, or many control bytes that no terminal log has."""
    if not head:
        return False
    counts = np.bincount(np.frombuffer(head, np.uint8), minlength=256)
    control = int(counts[:32].sum() - counts[[8, 9, 10, 12, 13, 27]].sum() + counts[127])
    return control > len(head) * 0.1


def _read_at(descriptor: int, start: int, end: int, name: str) -> NDArray[np.uint8]:
    buf = np.empty(end - start + 1 + PADDING, np.uint8)
    target = buf.data[: end - start]
    done = 0
    while done < len(target):
        count = os.preadv(descriptor, [target[done:]], start + done)
        if not count:
            raise _changed(name)
        done += count
    buf[end - start] = _NEWLINE
    buf[end - start + 1 :] = 0
    return buf


def _changed(name: str) -> Refused:
    return Refused(
        f"{name} was rotated or truncated while it was read", remedy="Ask again: it is read anew then"
    )


def _blocks(
    fill: Callable[[memoryview], int], base: int = 0, carry: NDArray[np.uint8] = _NOTHING
) -> Iterator[Block]:
    """Blocks of the text that `fill` writes into the memory it is given; it fills less only at the end.

    Where a block ends depends on what stands before its end alone: last lines are cut off at each BLOCK_BYTES.
    """
    ended = False
    while not ended:
        buf = np.empty(len(carry) + BLOCK_BYTES + 1 + PADDING, np.uint8)
        buf[: len(carry)] = carry
        count = fill(buf.data[len(carry) : len(carry) + BLOCK_BYTES])
        filled = len(carry) + count
        ended = count < BLOCK_BYTES
        cut = False
        whole = filled if ended else _behind_last_newline(buf, filled)
        if not whole and filled >= MOST_LINE_BYTES:
            whole, cut = filled, True
        carry = buf[whole:filled].copy()
        if whole:
            end = whole
            if buf[whole - 1] != _NEWLINE:
                buf[whole] = _NEWLINE
                end += 1
            buf[end : end + PADDING] = 0
            yield Block(base, buf, end, cut, carried=filled - count, last=ended)
            base += whole


def _fill_from_file(file: BinaryIO, size: int) -> Callable[[memoryview], int]:
    """Fills from the first `size` bytes of a file: what is appended meanwhile belongs to the next reading."""
    left = size

    def fill(target: memoryview) -> int:
        nonlocal left
        target = target[: max(0, left)]
        filled = 0
        while filled < len(target):
            count = file.readinto(target[filled:])  # type: ignore[attr-defined]  # raw and buffered files have it
            if not count:
                break
            filled += count
        left -= filled
        return filled

    return fill


def _fill_from_pieces(pieces: Iterable[bytes]) -> Callable[[memoryview], int]:
    source = iter(pieces)
    waiting = b""

    def fill(target: memoryview) -> int:
        nonlocal waiting
        filled = 0
        while filled < len(target):
            if not waiting:
                waiting = next(source, b"")
                if not waiting:
                    break
            part = waiting[: len(target) - filled]
            target[filled : filled + len(part)] = part
            waiting = waiting[len(part) :]
            filled += len(part)
        return filled

    return fill


def _behind_last_newline(buf: NDArray[np.uint8], filled: int) -> int:
    window = 1 << 16
    high = filled
    while high > 0:
        low = max(0, high - window)
        found = bytes(buf[low:high]).rfind(b"\n")
        if found >= 0:
            return low + found + 1
        high = low
        window *= 4
    return 0


def _parts_of_pieces(pieces: Unpacker, spans: Sequence[tuple[int, int]]) -> Iterator[bytes]:
    waiting = iter(spans)
    span = next(waiting, None)
    part = bytearray()
    base = 0
    for piece in pieces:
        behind = base + len(piece)
        while span is not None and span[0] < behind:
            start, end = span
            part += piece[max(0, start - base) : end - base]
            if end > behind:
                break
            yield bytes(part)
            part.clear()
            span = next(waiting, None)
        base = behind
        if span is None:
            return
    while span is not None:  # the packed file has become shorter, or is torn now
        yield bytes(part)
        part.clear()
        span = next(waiting, None)
