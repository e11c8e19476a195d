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

from logpith.files.encoding import UTF_8_MARK
from logpith.files.holes import BlocksAroundHoles
from logpith.files.kind import HEAD_BYTES, head_of, kind_of
from logpith.files.packing import Unpacker
from logpith.files.roots import Roots, is_regular
from logpith.files.seeking import Points, parts_of, read_spans
from logpith.scan.records import PADDING
from logpith_emit.errors import Refused

BLOCK_BYTES = 8 << 20
# A line longer than this is cut into records of this size: a file without newlines must fit in memory.
MOST_LINE_BYTES = 128 << 20
_NEWLINE = 10
# With so many bytes at its beginning a file is known again: a first line, its time among them.
_FIRST_BYTES = 256
_ZIP = b"PK\x03\x04"
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

    @property
    def begin(self) -> int:
        """Where in `buf` its text begins: behind the mark that some programs put before UTF-8."""
        marked = self.base == 0 and bytes(self.buf[: len(UTF_8_MARK)]) == UTF_8_MARK
        return len(UTF_8_MARK) if marked else 0


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
    """What lies between the file's bytes and its text, as `Unpacker` takes it; empty when they are the same."""

    is_archive: bool = False
    """Whether the text is a tar archive: `archive.py` gives the texts of its members."""

    trouble: str = field(default="", init=False)
    """Why the text ended before its time; empty when it did not. Known after the last block."""

    _first_bytes: bytes = b""
    _points: Points = field(default_factory=Points, init=False)

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
            try:
                head = head_of(file)
                first_bytes = os.pread(file.fileno(), _FIRST_BYTES, 0)
            except OSError as error:
                raise Refused(f"{path}: {error.strerror}", remedy="Name another file") from error
            status = os.fstat(file.fileno())
            file.seek(0)
            kind = kind_of(head, file)
        if kind.is_binary:
            is_zip = first_bytes.startswith(_ZIP)
            remedy = "Unpack it first: zip is not read" if is_zip else "Name a text log, packed or not"
            raise Refused(f"{path} is binary, not text", remedy=remedy)
        identity = Identity(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        return cls(path, roots, name or str(path), identity, kind.packing, kind.is_archive, first_bytes)

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

        Raises:
            Refused: the file is not the one that was opened; when that shows in the midst of it, `trouble` tells.
        """
        with self._opened() as file:
            if self.packing:
                unpacker = Unpacker(file, self.packing, packed_bytes=self.identity.size_bytes)
                blocks = blocks_of(unpacker)
                yield from blocks
                self._points = self._points or Points(members=tuple(unpacker.members))
                self.trouble = unpacker.trouble or blocks.in_words()
            else:
                carry = np.frombuffer(os.pread(file.fileno(), read_to - start, start), np.uint8)
                file.seek(read_to)
                fill = _fill_from_file(file, self.identity.size_bytes - read_to)
                blocks = BlocksAroundHoles(_blocks(self._while_same(file, fill), start, carry))
                yield from blocks
                self.trouble = self.trouble or blocks.in_words()

    def parts(self, spans: Sequence[tuple[int, int]]) -> list[bytes]:
        """The bytes of each (start, end) of the unpacked text; `spans` is sorted and does not overlap.

        Raises:
            Refused: the file is not the one that was opened, or has become shorter.
        """
        with self._opened() as file:
            if self.packing:
                size = self.identity.size_bytes
                parts, self._points = read_spans(file, self.packing, size, spans, self._points)
            else:
                parts = [os.pread(file.fileno(), end - start, start) for start, end in spans]
                self._require_same(file)
            if any(len(part) < end - start for part, (start, end) in zip(parts, spans, strict=True)):
                raise self._changed()
            return parts

    def read(self, start: int, end: int) -> NDArray[np.uint8]:
        """The bytes from `start` to `end` of a seekable text, with a newline and PADDING behind; from any thread.

        Raises:
            Refused: the file is not the one that was opened, or has become shorter.
        """
        with self._opened() as file:
            buf = _read_at(file.fileno(), start, end)
            self._require_same(file)
        if buf is None:
            raise self._changed()
        return buf

    def raw(self, start: int, end: int) -> bytes:
        """Bytes of the file as it is, packed or not; fewer where it ends."""
        with self._opened() as file:
            return os.pread(file.fileno(), end - start, start)

    def saved_points(self) -> bytes:
        """What makes `parts` of a packed file quick, to be kept by the caller: see `use_points`."""
        return self._points.to_bytes(self.identity.size_bytes, self.identity.changed_ns)

    def use_points(self, saved: bytes) -> bool:
        """Takes what `saved_points` gave for this very file; whether it was that, and whole."""
        points = Points.from_bytes(saved, self.identity.size_bytes, self.identity.changed_ns)
        self._points = points or self._points
        return points is not None

    @contextlib.contextmanager
    def pieces(self, start: int = 0) -> Iterator[Iterable[bytes]]:
        """The unpacked bytes from `start` on; of a packed file only from the beginning."""
        with self._opened() as file:
            if not self.packing:
                file.seek(start)
            yield Unpacker(file, self.packing, packed_bytes=self.identity.size_bytes - start)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        with os.fdopen(self.roots.open(self.path), "rb", buffering=0) as file:
            self._require_same(file)
            yield file

    def _require_same(self, file: BinaryIO) -> None:
        """Nothing, when this is still the file that was opened and has all that it had.

        Who truncates a file and fills it again (logrotate's copytruncate) gives it another beginning.
        """
        status = os.fstat(file.fileno())
        same = (status.st_dev, status.st_ino) == (self.identity.device, self.identity.inode)
        first = os.pread(file.fileno(), len(self._first_bytes), 0)
        if not same or status.st_size < self.identity.size_bytes or first != self._first_bytes:
            raise self._changed()

    def _changed(self) -> Refused:
        return Refused(
            f"{self.name} was rotated or truncated while it was read",
            remedy="Ask again: it is read anew then",
        )

    def _while_same(self, file: BinaryIO, fill: Callable[[memoryview], int]) -> Callable[[memoryview], int]:
        """As `fill`, but what is read after the file was truncated is none of its text: there it ends."""

        def fill_checked(target: memoryview) -> int:
            count = fill(target)
            try:
                self._require_same(file)
            except Refused as refused:
                self.trouble = f"{refused.problem.removeprefix(self.name).strip()}"
                return 0
            return count

        return fill_checked


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
            Refused: it is binary, or an archive.
        """
        kept: BinaryIO = tempfile.TemporaryFile(prefix="logpith-")  # noqa: SIM115  # lives as long as this value
        size = 0
        head = b""
        while piece := stream.read(1 << 20):
            if len(head) < HEAD_BYTES:
                head += piece[:HEAD_BYTES]
            kept.write(piece)
            size += len(piece)
        kept.flush()
        kept.seek(0)
        kind = kind_of(head, kept)
        if kind.is_archive:
            kept.close()
            raise Refused(
                f"{name} is a tar archive", remedy="Name the archive's file instead of piping it in"
            )
        if kind.is_binary:
            kept.close()
            raise Refused(f"{name} is binary, not text", remedy="Pipe text in, packed or not")
        return cls(name, kind.packing, now_ns, kept, size)

    @property
    def seekable(self) -> bool:
        """As `TextFile.seekable`."""
        return not self.packing

    @property
    def size_bytes(self) -> int:
        """Of what was piped in."""
        return self._size_bytes

    def read(self, start: int, end: int) -> NDArray[np.uint8]:
        """As `TextFile.read`."""
        buf = _read_at(self._kept.fileno(), start, end)
        if buf is None:
            raise Refused(f"{self.name} cannot be read again", remedy="Pipe it in anew")
        return buf

    def blocks(self) -> Iterator[Block]:
        """The text from the beginning, in order."""
        self._kept.seek(0)
        if self.packing:
            unpacker = Unpacker(self._kept, self.packing)
            blocks = blocks_of(unpacker)
            yield from blocks
            self.trouble = unpacker.trouble or blocks.in_words()
        else:
            blocks = BlocksAroundHoles(_blocks(_fill_from_file(self._kept, self._size_bytes)))
            yield from blocks
            self.trouble = blocks.in_words()

    def parts(self, spans: Sequence[tuple[int, int]]) -> list[bytes]:
        """As `TextFile.parts`."""
        if self.packing:
            self._kept.seek(0)
            return parts_of(Unpacker(self._kept, self.packing), spans)
        return [os.pread(self._kept.fileno(), end - start, start) for start, end in spans]


Text = TextFile | TextStream


def blocks_of(pieces: Iterable[bytes]) -> BlocksAroundHoles:
    """Blocks of the text that `pieces` put together."""
    return BlocksAroundHoles(_blocks(_fill_from_pieces(pieces)))


def _read_at(descriptor: int, start: int, end: int) -> NDArray[np.uint8] | None:
    """The bytes with a newline and PADDING behind; None where they end too soon."""
    buf = np.empty(end - start + 1 + PADDING, np.uint8)
    target = buf.data[: end - start]
    done = 0
    while done < len(target):
        count = os.preadv(descriptor, [target[done:]], start + done)
        if not count:
            return None
        done += count
    buf[end - start] = _NEWLINE
    buf[end - start + 1 :] = 0
    return buf


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
