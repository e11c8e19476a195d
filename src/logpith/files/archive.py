"""Archives: the texts inside a tar file, packed or not, each a source of its own: `logs.tar.gz!var/log/syslog`.

Nothing is extracted. An entry's bytes lie in one piece within the unpacked archive, so its blocks are a stretch of that
stream and its parts are parts of it. What is packed inside (`app.log.1.gz`) is unpacked too, but an archive inside an
archive is not looked into.
"""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from logpith.files import packing as bounds
from logpith.files.holes import BlocksAroundHoles
from logpith.files.kind import HEAD_BYTES, Kind, kind_of
from logpith.files.packing import Unpacker
from logpith.files.roots import Roots
from logpith.files.seeking import parts_of
from logpith.files.tar import Entry, TarReader
from logpith.files.text import Block, Identity, Text, TextFile, blocks_of
from logpith.plural import counted
from logpith.quote import shorten, show_hidden
from logpith_emit.errors import Refused

SEPARATOR = "!"
_MOST_NAME = 200
_MOST_KNOWN = 32


Inside = tuple[list["AnyText"], list[str]]


def open_texts(
    path: Path, roots: Roots, known: MutableMapping[tuple[Path, Identity], Inside] | None = None
) -> tuple[list[AnyText], list[str]]:
    """The text of the file at `path`, or those in the archive that it is; and `name: reason` for what was left out.

    What an archive holds is kept in `known`, since telling it takes as long as unpacking all of it.

    Raises:
        OutsideRoots, NotFound, Refused: see `TextFile.open`; or nothing in the archive is text.
    """
    file = TextFile.open(path, roots)
    if not file.is_archive:
        return [file], []
    known = {} if known is None else known
    key = (path, file.identity)
    if key not in known:
        texts, skipped = Archive(file).texts()
        if not texts:
            raise Refused(f"{path} holds no text", remedy="Name an archive with logs in it")
        while len(known) >= _MOST_KNOWN:
            known.pop(next(iter(known)), None)
        known[key] = (list(texts), skipped)
    texts_inside, left_out = known[key]
    return list(texts_inside), list(left_out)


@dataclass
class Archive:
    """A tar file whose members are read, mostly in their order."""

    file: TextFile
    _lent: threading.Lock = field(default_factory=threading.Lock)
    _reading: _Reading | None = None
    _last_offset: int = 0
    _unpacked_bytes: dict[str, int] = field(default_factory=dict)

    def texts(self) -> tuple[list[TextMember], list[str]]:
        """Its members that are text, in their order, and what was left out and why."""
        texts: list[TextMember] = []
        names: dict[str, int] = {}
        binary = 0
        with self.file.pieces() as pieces:
            reader = TarReader(pieces, HEAD_BYTES)
            for entry in reader:
                kind = _kind_of(entry)
                if kind.is_binary or kind.is_archive:
                    binary += 1
                    continue
                self._last_offset = entry.offset
                name = f"{self.file.name}{SEPARATOR}{show_hidden(shorten(entry.name, _MOST_NAME))}"
                # The same name twice is another file each time: tar appends what has changed.
                names[name] = names.get(name, 0) + 1
                again = f"{SEPARATOR}{names[name]}" if names[name] > 1 else ""
                texts.append(TextMember(self, name + again, replace(entry, head=b""), kind.packing))
            trouble = reader.trouble or getattr(pieces, "trouble", "")
        told = [f"{self.file.name}: {trouble}"] if trouble else []
        told += (
            [f"{self.file.name}: {counted(binary, 'binary file')} or archive{'s' * (binary != 1)} inside"]
            if binary
            else []
        )
        told += [f"{self.file.name}: {count} {kind} inside" for kind, count in reader.passed.items()]
        return texts, told

    @contextlib.contextmanager
    def stretch(self, offset: int, size: int) -> Iterator[Stretch]:
        """`size` unpacked bytes from `offset` on.

        Members are read one behind the other, so an unpacking that has come less far is taken up again. It is lent
        to one reader at a time; others unpack on their own.
        """
        reading = self._exchange(None)
        if reading is not None and reading.place > offset:
            reading.close()
            reading = None
        if reading is None:
            reading = _Reading(self.file, offset)
        try:
            yield Stretch(reading, offset, size)
        finally:
            # Behind the last member nobody will go on.
            spare = reading if offset >= self._last_offset else self._exchange(reading)
            if spare is not None:
                spare.close()

    def _exchange(self, reading: _Reading | None) -> _Reading | None:
        with self._lent:
            before, self._reading = self._reading, reading
            return before

    def left_for(self, name: str) -> int:
        """How much the packed member `name` may unpack to: all together no more than what bounds the archive."""
        allowed = max(bounds.ALWAYS_ALLOWED_BYTES, bounds.MOST_RATIO * self.file.identity.size_bytes)
        return max(0, allowed - sum(count for other, count in self._unpacked_bytes.items() if other != name))

    def count(self, name: str, unpacked_bytes: int) -> None:
        """Notes what the packed member `name` has unpacked to."""
        self._unpacked_bytes[name] = unpacked_bytes


class _Reading:
    """An unpacking of the archive that stays open between members."""

    def __init__(self, file: TextFile, offset: int) -> None:
        self._closing = contextlib.ExitStack()
        self.place = 0 if file.packing else offset
        pieces = self._closing.enter_context(file.pieces(self.place))
        self._pieces = iter(pieces)
        self._source = pieces
        self._waiting = b""

    @property
    def trouble(self) -> str:
        """Why it ended before its time."""
        return str(getattr(self._source, "trouble", ""))

    def read(self, most: int) -> bytes:
        """At least one byte and at most `most`; nothing only at the end."""
        while not self._waiting:
            self._waiting = next(self._pieces, b"")
            if not self._waiting:
                return b""
        taken, self._waiting = self._waiting[:most], self._waiting[most:]
        self.place += len(taken)
        return taken

    def close(self) -> None:
        self._closing.close()


class Stretch:
    """A stretch of the unpacked archive, as a stream and as something to read from."""

    def __init__(self, reading: _Reading, offset: int, size: int) -> None:
        self._reading = reading
        self._offset = offset
        self._left = size

    @property
    def trouble(self) -> str:
        """Why it ended before its time; empty when it did not."""
        return (self._reading.trouble or "torn: ends within the archive") if self._left else ""

    def read(self, size: int) -> bytes:
        """At most `size` bytes; nothing only at the end."""
        while self._reading.place < self._offset:
            if not self._reading.read(min(self._offset - self._reading.place, 1 << 20)):
                return b""
        taken = self._reading.read(min(size, self._left)) if self._left else b""
        self._left -= len(taken)
        return taken

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self.read(1 << 20), b"")


@dataclass
class TextMember:
    """The text of one file in an archive."""

    archive: Archive
    name: str
    entry: Entry
    packing: str
    """What lies between the entry's bytes and its text."""

    trouble: str = field(default="", init=False)

    @property
    def path(self) -> Path:
        """Of the archive."""
        return self.archive.file.path

    @property
    def identity(self) -> Identity:
        """Of the archive."""
        return self.archive.file.identity

    @property
    def seekable(self) -> bool:
        """As `TextFile.seekable`: only its archive's reader knows where it stands."""
        return False

    @property
    def changed_ns(self) -> int:
        """When the file was last written to, as its archive says."""
        return self.entry.changed_ns or self.archive.file.changed_ns

    def blocks(self) -> Iterator[Block]:
        """As `TextFile.blocks`."""
        with self.archive.stretch(self.entry.offset, self.entry.size_bytes) as stretch:
            if not self.packing:
                blocks: BlocksAroundHoles = blocks_of(stretch)
                yield from blocks
                self.trouble = stretch.trouble or blocks.in_words()
                return
            unpacker = Unpacker(stretch, self.packing, most_bytes=self.archive.left_for(self.name))
            blocks = blocks_of(unpacker)
            unpacked_bytes = 0
            for block in blocks:
                unpacked_bytes = block.base + block.end
                yield block
            self.archive.count(self.name, unpacked_bytes)
            self.trouble = stretch.trouble or unpacker.trouble or blocks.in_words()

    def parts(self, spans: Sequence[tuple[int, int]]) -> list[bytes]:
        """As `TextFile.parts`."""
        if not self.packing:
            offset = self.entry.offset
            return self.archive.file.parts([(offset + start, offset + end) for start, end in spans])
        with self.archive.stretch(self.entry.offset, self.entry.size_bytes) as stretch:
            parts = parts_of(Unpacker(stretch, self.packing), spans)
        if any(len(part) < end - start for part, (start, end) in zip(parts, spans, strict=True)):
            raise Refused(
                f"{self.name} was rotated or truncated while it was read",
                remedy="Ask again: it is read anew then",
            )
        return parts


AnyText = Text | TextMember


def _kind_of(entry: Entry) -> Kind:
    """What an entry is, by its first bytes alone: a packed one whose first bytes give nothing yet is taken for text."""
    return kind_of(entry.head, io.BytesIO(entry.head))
