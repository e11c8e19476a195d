"""Marks: how a file is known again, and how far it was read.

A file is known by device, inode and time of birth, by its first bytes, and by the bytes before the place that was read
to. An inode alone names nothing: ext4 gives that of a deleted file to the next one.
"""

from __future__ import annotations

import os
from base64 import b85encode
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

import msgspec

from logpith.files.kind import head_of, kind_of
from logpith.files.packing import Unpacker
from logpith.files.rotation import piece_of

Key = tuple[int, int]
"""Device and inode."""

HEAD_BYTES: Final = 1024
TAIL_BYTES: Final = 256
# With so many first bytes it is known what a file is.
_SURE_BYTES = 64
OPEN_FLAGS: Final = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)


class Mark(msgspec.Struct, array_like=True):
    """How far a file was read, and how it is known again."""

    path: str
    device: int
    inode: int
    born_ns: int
    read_bytes: int
    """Of the unpacked text."""

    seen_bytes: int
    """Its largest size so far."""

    head_bytes: int
    head: str
    """Hash of so many first bytes of the text."""

    tail: str
    """Hash of the last bytes before `read_bytes`; empty where nothing was read."""

    packing: str = ""
    changed_ns: int = 0
    """Of a packed file that was read to its end: when it was last changed."""

    @property
    def unread_bytes(self) -> int:
        """What was seen of a plain file and not taken."""
        return 0 if self.packing else max(0, self.seen_bytes - self.read_bytes)


@dataclass
class KnownFile:
    """A known file."""

    mark: Mark
    stream: str
    descriptor: int = -1
    size: int = -1
    changed_ns: int = -1
    unchanged_since_ns: int = 0
    is_present: bool = True
    """Whether one of the names that are followed leads to it."""

    is_rotated: bool = False
    is_searched: bool = False
    head_text: bytes = b""
    held: bytes = b""
    """What was read and not taken: it may still grow."""

    held_tail: str = ""
    """As `Mark.tail`, for the place behind what is held."""

    is_torn: bool = False

    @property
    def key(self) -> Key:
        return self.mark.device, self.mark.inode

    @property
    def is_finished(self) -> bool:
        """Whether nobody should write to it any more."""
        return self.is_rotated or not self.is_present

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    @property
    def is_held(self) -> bool:
        """Whether it has whole lines that were not taken."""
        if self.mark.packing:
            return self.mark.changed_ns != self.changed_ns
        return self.size > self.mark.read_bytes and (not self.held or b"\n" in self.held)

    def is_settled(self, now_ns: int, flush_after_ns: int) -> bool:
        """Whether its last record is as whole as it will be."""
        return now_ns >= self.settles_ns(flush_after_ns)

    def settles_ns(self, flush_after_ns: int) -> int:
        """When its last record is as whole as it will be, unless the file is changed until then."""
        return min(self.unchanged_since_ns, self.changed_ns) + flush_after_ns

    def note_change(self, status: os.stat_result, now_ns: int) -> None:
        """Remembers its size and when it was last changed."""
        if (status.st_size, status.st_mtime_ns) != (self.size, self.changed_ns):
            self.unchanged_since_ns = now_ns
            self.is_torn = False
        self.size, self.changed_ns = status.st_size, status.st_mtime_ns

    def is_as_read(self) -> bool:
        """Whether a plain file still has what was read of it."""
        mark = self.mark
        size = os.fstat(self.descriptor).st_size
        if size < max(mark.read_bytes, mark.head_bytes):
            return False
        head = os.pread(self.descriptor, HEAD_BYTES, 0)
        if mark.head_bytes and hash_of(head[: mark.head_bytes]) != mark.head:
            return False
        if mark.tail and tail_of(self.descriptor, mark.read_bytes) != mark.tail:
            return False
        # What began empty is met anew when there is something to know it by.
        if mark.head_bytes and (len(head) > mark.head_bytes or not self.head_text):
            learn_head(self)
        mark.seen_bytes = max(mark.seen_bytes, size)
        return True


def new_mark(path: Path, status: os.stat_result, born_ns: int) -> Mark:
    return Mark(str(path), status.st_dev, status.st_ino, born_ns, 0, status.st_size, 0, "", "")


def is_another_kind(file: KnownFile, size: int) -> bool:
    """Whether a file that was empty or packed when it was met is something else now, to be met anew."""
    mark = file.mark
    if mark.head_bytes >= _SURE_BYTES and not mark.packing:
        return False
    if size <= mark.head_bytes and not mark.packing:
        return False
    head, packing, is_text, _ = kind_of_file(file.descriptor)
    if not mark.packing:
        return bool(packing) or not is_text
    return packing != mark.packing or hash_of(head[: mark.head_bytes]) != mark.head


def may_be_copy(copy: KnownFile, mark: Mark) -> bool:
    """Whether a file that begins as a known one began is a copy of it, and no new log with the same first line."""
    if copy.mark.packing or copy.is_rotated or mark.head_bytes == HEAD_BYTES:
        return True
    live = stream_of(mark.path)
    return copy.mark.path != live and copy.mark.path.startswith(live)


def learn_head(file: KnownFile) -> None:
    """Remembers the first bytes of a plain file."""
    file.head_text = os.pread(file.descriptor, HEAD_BYTES, 0)
    file.mark.head_bytes = len(file.head_text)
    file.mark.head = hash_of(file.head_text) if file.head_text else ""


def kind_of_file(descriptor: int) -> tuple[bytes, str, bool, bool]:
    """(first bytes of the text, packing, whether it is text, whether its first bytes are not all there yet)."""
    with os.fdopen(os.dup(descriptor), "rb", buffering=0) as file:
        file.seek(0)
        first = os.pread(descriptor, HEAD_BYTES, 0)
        if not first:
            return b"", "", True, False
        try:
            head = head_of(file)
            file.seek(0)
            kind = kind_of(head, file)
        except OSError:
            return b"", "", False, False
        is_text = not kind.is_binary and not kind.is_archive
        if not kind.packing:
            return first, "", is_text, False
        file.seek(0)
        unpacker = Unpacker(file, kind.packing)
        text = b""
        for piece in unpacker:
            text += piece[:HEAD_BYTES]
            if len(text) >= HEAD_BYTES:
                break
    is_torn = len(text) < HEAD_BYTES and bool(unpacker.trouble)
    return text[:HEAD_BYTES], kind.packing, is_text, is_torn


def key_of(descriptor: int) -> Key:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def is_rotated_name(name: str) -> bool:
    return not piece_of(Path(name).name).is_live


def stream_of(path: str) -> str:
    return str(Path(path).with_name(piece_of(Path(path).name).live or Path(path).name))


def tail_of(descriptor: int, behind: int) -> str:
    """A hash of the last bytes before a place; empty at the beginning."""
    begin = max(0, behind - TAIL_BYTES)
    return hash_of(os.pread(descriptor, behind - begin, begin)) if behind else ""


def hash_of(data: bytes) -> str:
    return b85encode(blake2b(data, digest_size=10).digest()).decode()
