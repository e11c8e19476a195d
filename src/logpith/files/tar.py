"""Tar archives as a stream (POSIX.1-2001, pax and GNU names): which regular files are inside, and where.

Names are only names: nothing is ever opened or written under them. Links, devices and folders are passed over.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_BLOCK = 512
_MOST_HEADER_BYTES = 1 << 20
"""Of one long name or of one set of pax records."""

MOST_MEMBERS = 2_000
_PAX = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
_TELLING = (*_PAX, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
_WITHOUT_DATA = (
    tarfile.LNKTYPE,
    tarfile.SYMTYPE,
    tarfile.CHRTYPE,
    tarfile.BLKTYPE,
    tarfile.DIRTYPE,
    tarfile.FIFOTYPE,
)
_REGULAR = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)


@dataclass(frozen=True)
class Entry:
    """A regular file in an archive."""

    name: str
    offset: int
    """Where its bytes begin in the unpacked archive."""

    size_bytes: int
    changed_ns: int
    head: bytes
    """Its first bytes."""


def is_tar(head: bytes) -> bool:
    """Whether an archive begins here: its first header has the right checksum."""
    if len(head) < _BLOCK or head[0] == 0:
        return False
    try:
        tarfile.TarInfo.frombuf(head[:_BLOCK], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


class TarReader:
    """The entries of an archive, found in one pass over its bytes."""

    def __init__(self, pieces: Iterable[bytes], head_bytes: int) -> None:
        self._pieces = iter(pieces)
        self._waiting = memoryview(b"")
        self._place = 0
        self._head_bytes = head_bytes
        self.trouble = ""
        """Why the archive ended before its time; empty when it did not."""

        self.passed: dict[str, int] = {}
        """How many of what kind were passed over."""

    def __iter__(self) -> Iterator[Entry]:
        told: dict[str, str] = {}
        count = 0
        while len(block := self._take(_BLOCK)) == _BLOCK and any(block):
            try:
                header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
            except tarfile.HeaderError:
                return self._damaged(_BLOCK)
            if header.size < 0 or (header.type in _TELLING and header.size > _MOST_HEADER_BYTES):
                return self._damaged(_BLOCK)
            if header.type in _TELLING:
                told.update(self._what_it_tells(header))
                continue
            name = told.get("path", header.name)
            size = _size_in(told.get("size", ""), header)
            told = {}
            if header.type not in _REGULAR or name.endswith("/"):
                self._note(header)
                if header.type == tarfile.GNUTYPE_SPARSE:
                    self._pass_sparse_map(block)
                self._pass(_padded(size))
                continue
            count += 1
            if count > MOST_MEMBERS:
                self.trouble = f"more than {MOST_MEMBERS:,} files in the archive: the first ones are read"
                return None
            offset = self._place
            head = self._take(min(size, self._head_bytes))
            yield Entry(name, offset, size, _nanoseconds(header.mtime), head)
            self._pass(offset + _padded(size) - self._place)
        if not block:
            self.trouble = self.trouble or "torn: the archive has no end mark"
        return None

    def _damaged(self, behind_bytes: int) -> None:
        self.trouble = f"damaged archive after {self._place - behind_bytes:,} bytes"

    def _what_it_tells(self, header: tarfile.TarInfo) -> dict[str, str]:
        """What a header's data say of the next entry."""
        data = self._take(header.size)
        self._pass(_padded(header.size) - len(data))
        if header.type == tarfile.GNUTYPE_LONGNAME:
            return {"path": data.split(b"\0")[0].decode("utf-8", "surrogateescape")}
        return _pax_records(data) if header.type in _PAX else {}

    def _note(self, header: tarfile.TarInfo) -> None:
        if header.isdir() or header.type == tarfile.XGLTYPE:
            return
        kind = "links" if header.issym() or header.islnk() else "special files"
        self.passed[kind] = self.passed.get(kind, 0) + 1

    def _pass_sparse_map(self, header: bytes) -> None:
        """GNU's old sparse files have more headers, each telling of the next one."""
        more = header[482]
        while more:
            block = self._take(_BLOCK)
            more = block[504] if len(block) == _BLOCK else 0

    def _take(self, count: int) -> bytes:
        """The next bytes, fewer only at the end of a torn archive."""
        taken = bytearray()
        while len(taken) < count and self._fill():
            part = self._waiting[: count - len(taken)]
            taken += part
            self._waiting = self._waiting[len(part) :]
        self._place += len(taken)
        if 0 < len(taken) < count:
            self.trouble = "torn: ends within the archive"
        return bytes(taken)

    def _pass(self, count: int) -> None:
        left = count
        while left > 0 and self._fill():
            step = min(left, len(self._waiting))
            self._waiting = self._waiting[step:]
            left -= step
        self._place += count - max(left, 0)
        if left > 0:
            self.trouble = "torn: ends within the archive"

    def _fill(self) -> bool:
        while not len(self._waiting):
            piece = next(self._pieces, b"")
            if not piece:
                return False
            self._waiting = memoryview(piece)
        return True


def _padded(size: int) -> int:
    return size + -size % _BLOCK


def _size_in(told: str, header: tarfile.TarInfo) -> int:
    """How many bytes follow a header; a pax record says it where the header's field is too small."""
    if header.type in _WITHOUT_DATA:
        return 0
    return int(told) if told.isascii() and told.isdigit() and len(told) < 19 else header.size


def _nanoseconds(seconds: float) -> int:
    return max(0, min(int(seconds), (1 << 62) // 10**9)) * 10**9


def _pax_records(data: bytes) -> dict[str, str]:
    """The path and the size among `LENGTH key=value` lines; what is none of these ends them."""
    records: dict[str, str] = {}
    place = 0
    while place < len(data):
        digits, _, _ = data[place : place + 20].partition(b" ")
        if not digits.isdigit():
            break
        behind = place + int(digits)
        key, equals, value = data[place + len(digits) + 1 : behind].partition(b"=")
        if behind <= place or not equals:
            break
        if key in (b"path", b"size"):  # whatever else is told may be much, and is not asked for
            records[key.decode()] = value.removesuffix(b"\n").decode("utf-8", "surrogateescape")
        place = behind
    return records
