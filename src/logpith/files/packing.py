"""Packed files, unpacked as a stream: gzip (RFC 1952), Zstandard (RFC 8878), bzip2, xz and lzma, of any number of
members, and the spools that programs log to (`logpith_emit.spool`). UTF-16 counts as a packing too: what comes out of
here is bytes whose newlines are single ones.

What can be unpacked is given out; where it ends too soon, or goes on for longer than any log does, the reason
is kept in `trouble` and the stream just ends. Nothing is written to disk.
"""

from __future__ import annotations

import bz2
import json
import lzma
import sys
import zlib
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Protocol

import zstandard

from logpith.files.encoding import transcode
from logpith.plural import counted
from logpith_emit.spool.frames import DROPPED_KIND, Damage, Frame, dropped_in, salt_in, scan

_CHUNK = 256 * 1024
# A zstd block of 4 bytes can mean 128 KiB: small inputs keep single outputs below some MiB.
_ZSTD_CHUNK = 1024
_PIECE = 1 << 20
_FRAMES = 1_000
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE = b"\x2a\x4d\x18"
_ZSTD_WINDOW = 1 << 27  # as `zstd --long`'s default
_BZIP2_MAGIC = b"BZh"
_BZIP2_BLOCK = b"1AY&SY"
_BZIP2_EMPTY = b"\x17\x72\x45\x38\x50\x90"
_XZ_MAGIC = b"\xfd7zXZ\x00"
# `xz -9` wants 65 MiB to unpack; a file that asks for much more is made to hurt.
_XZ_MEMORY_BYTES = 192 << 20
_LZMA_PROPERTIES = 0x5D  # what every encoder of .lzma writes: lc=3, lp=0, pb=2

# Logs pack to a tenth or a thirtieth. Beyond both bounds a file is a bomb, or worth nobody's reading.
MOST_RATIO = 200
ALWAYS_ALLOWED_BYTES = 256 << 20

# Members that begin nearer to each other than this need no point of their own.
_POINT_SPACING = 1 << 20


class Readable(Protocol):
    """What bytes are read from: a file, a pipe, a member of an archive."""

    def read(self, size: int, /) -> bytes: ...


class _Member(Protocol):
    """One member while it is unpacked: `bz2` and `lzma` have the same interface."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes: ...


def packing_of(head: bytes) -> str:
    """`gzip`, `zstd`, `bzip2`, `xz`, `lzma`, `spool` or "" by the first bytes of a file; its name says nothing
    reliable."""
    if head.startswith(_GZIP_MAGIC):
        return "gzip"
    if head.startswith(_ZSTD_MAGIC) or (head[1:4] == _ZSTD_SKIPPABLE and head[:1] >= b"\x50"):
        return "zstd"
    if head.startswith(_BZIP2_MAGIC) and head[3:4] in b"123456789" and _is_any_beginning(head[4:10]):
        return "bzip2"
    if head.startswith(_XZ_MAGIC):
        return "xz"
    if salt_in(head) is not None:
        return "spool"
    if len(head) >= 13 and head[0] == _LZMA_PROPERTIES and _is_lzma_header(head):
        return "lzma"
    return ""


def _is_any_beginning(block: bytes) -> bool:
    return len(block) == 6 and block in (_BZIP2_BLOCK, _BZIP2_EMPTY)


def _is_lzma_header(head: bytes) -> bool:
    """The old format has no magic bytes; this is the test that xz(1) makes: a likely dictionary and a likely size."""
    dictionary = int.from_bytes(head[1:5], "little")
    likely = (
        {1 << n for n in range(12, 32)} | {(1 << n) + (1 << (n - 1)) for n in range(12, 31)} | {2**32 - 1}
    )
    size = int.from_bytes(head[5:13], "little")
    return dictionary in likely and (size == 2**64 - 1 or size < 1 << 38)


class Unpacker:
    """The unpacked bytes of a stream, in pieces of about 1 MiB or less.

    `packing` is one of `packing_of`, an encoding of `encoding_of`, or both: `gzip+utf-16-le`.
    """

    def __init__(
        self,
        packed: Readable,
        packing: str,
        most_ratio: int = MOST_RATIO,
        *,
        most_bytes: int | None = None,
        packed_bytes: int | None = None,
    ) -> None:
        self._packed = packed
        names = packing.split("+")
        self._encoding = next((name for name in names if name.startswith("utf-")), "")
        self._packing = next((name for name in names if not name.startswith("utf-")), "")
        self._most_ratio = most_ratio
        self._most_bytes = most_bytes
        self._left_bytes = packed_bytes
        self._read_bytes = 0
        self._given_bytes = 0
        self.trouble = ""
        """Why the stream ended before its time; empty when it did not."""

        self.members: list[tuple[int, int]] = []
        """(unpacked, packed) bytes before members that unpacking may begin at; those that lie far apart."""

    def __iter__(self) -> Iterator[bytes]:
        pieces = self._bounded_pieces()
        if not self._encoding:
            return pieces
        return transcode(pieces, self._encoding, self._note)

    def _note(self, trouble: str) -> None:
        self.trouble = self.trouble or trouble

    def _bounded_pieces(self) -> Iterator[bytes]:
        for piece in self._pieces():
            self._given_bytes += len(piece)
            yield piece
            if not self._packing:
                continue
            if self._given_bytes > max(ALWAYS_ALLOWED_BYTES, self._most_ratio * self._read_bytes):
                self.trouble = (
                    f"unpacks to more than {self._most_ratio} times its size: "
                    f"stopped after {self._given_bytes:,} bytes"
                )
                return
            if self._most_bytes is not None and self._given_bytes > self._most_bytes:
                self.trouble = (
                    f"unpacks to more than its archive may hold: stopped after {self._given_bytes:,} bytes"
                )
                return

    def _pieces(self) -> Iterator[bytes]:
        match self._packing:
            case "gzip":
                return self._gzip()
            case "zstd":
                return self._zstd()
            case "bzip2":
                return self._members(bz2.BZ2Decompressor, _BZIP2_MAGIC)
            case "xz":
                return self._members(lambda: self._lzma_member(lzma.FORMAT_XZ), _XZ_MAGIC)
            case "lzma":
                return self._members(lambda: self._lzma_member(lzma.FORMAT_ALONE), b"")
            case "spool":
                return self._spool()
            case _:
                return iter(lambda: self._next_chunk(_PIECE), b"")

    def _lzma_member(self, form: int) -> _Member:
        return lzma.LZMADecompressor(format=form, memlimit=_XZ_MEMORY_BYTES)

    def _next_chunk(self, size: int) -> bytes:
        if self._left_bytes is not None:
            size = min(size, self._left_bytes)
        chunk = self._packed.read(size) if size else b""
        self._read_bytes += len(chunk)
        if self._left_bytes is not None:
            self._left_bytes -= len(chunk)
        return chunk

    def _torn(self) -> None:
        self.trouble = f"torn: ends within the packed data, after {self._given_bytes:,} unpacked bytes"

    def _damaged(self) -> None:
        self.trouble = f"damaged after {self._given_bytes:,} unpacked bytes"

    def _begin_member(self, waiting_bytes: int) -> None:
        """Notes that a member begins here, `waiting_bytes` before the end of what was read."""
        last = self.members[-1][0] if self.members else -_POINT_SPACING
        if self._given_bytes - last >= _POINT_SPACING:
            self.members.append((self._given_bytes, self._read_bytes - waiting_bytes))

    def _gzip(self) -> Iterator[bytes]:
        member = zlib.decompressobj(wbits=31)
        waiting = b""
        self._begin_member(0)
        while True:
            if not waiting:
                waiting = self._next_chunk(_CHUNK)
                if not waiting:
                    break
            try:
                piece = member.decompress(waiting, _PIECE)
            except zlib.error:
                self._damaged()
                return
            if piece:
                yield piece
            waiting = member.unconsumed_tail
            if member.eof:
                # Padding with zeros behind the last member is allowed (as of gzip(1)).
                waiting = (member.unused_data or b"").lstrip(b"\0")
                while not waiting:
                    chunk = self._next_chunk(_CHUNK)
                    if not chunk:
                        return
                    waiting = chunk.lstrip(b"\0")
                self._begin_member(len(waiting))
                member = zlib.decompressobj(wbits=31)
        # What is still inside can be more than one piece holds.
        try:
            while piece := member.decompress(member.unconsumed_tail, _PIECE):
                yield piece
        except zlib.error:
            self._damaged()
            return
        if not member.eof:
            self._torn()

    def _zstd(self) -> Iterator[bytes]:
        unpack = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        frame = unpack.decompressobj()
        fresh = True
        self._begin_member(0)
        while chunk := self._next_chunk(_ZSTD_CHUNK):
            while chunk:
                try:
                    piece = frame.decompress(chunk)
                except zstandard.ZstdError:
                    self._damaged()
                    return
                fresh = False
                if piece:
                    yield piece
                chunk = b""
                if frame.eof:
                    chunk = frame.unused_data
                    frame = unpack.decompressobj()
                    fresh = True
                    self._begin_member(len(chunk))
        if not fresh:
            self._torn()

    def _members(self, begin: Callable[[], _Member], magic: bytes) -> Iterator[bytes]:
        """bzip2 and xz: members one behind the other, each begun by `magic`; .lzma, which has none, is one member."""
        member = begin()
        self._begin_member(0)
        waiting = b""
        while True:
            if member.needs_input and not waiting:
                waiting = self._next_chunk(_CHUNK)
                if not waiting:
                    self._torn()
                    return
            try:
                piece = member.decompress(waiting, _PIECE)
            except (OSError, EOFError, ValueError, lzma.LZMAError, MemoryError):
                self._damaged()
                return
            waiting = b""
            if piece:
                yield piece
            if not member.eof:
                continue
            waiting = member.unused_data.lstrip(b"\0")  # xz pads with zeros, tapes do too
            while not waiting:
                chunk = self._next_chunk(_CHUNK)
                if not chunk:
                    return
                waiting = chunk.lstrip(b"\0")
            while len(waiting) < len(magic) and (chunk := self._next_chunk(_CHUNK)):
                waiting += chunk
            if not magic or not (waiting.startswith(magic) or magic.startswith(waiting)):
                self.trouble = f"something else follows after {self._given_bytes:,} unpacked bytes"
                return
            self._begin_member(len(waiting))
            member = begin()

    def _spool(self) -> Iterator[bytes]:
        """What programs said by logpith-emit, a line each, and how much was dropped before. A frame at the end that is
        not whole may be being written."""
        file, damage = _Held(self._next_chunk), Damage()
        salt = salt_in(file.read(0, _CHUNK)) or 0
        frames = scan(file, salt=salt, may_grow=True, damage=damage)
        while some := list(islice(frames, _FRAMES)):
            yield b"".join(line_of_frame(frame) + b"\n" for frame in some)
        if damage.places:
            self.trouble = f"damaged: {damage.bytes:,} bytes of it are no records"


class _Held:
    """A stream as `scan` reads it: what was read of it stays in memory, as a file of a spool is not large."""

    def __init__(self, next_chunk: Callable[[int], bytes]) -> None:
        self._next_chunk = next_chunk
        self._data = bytearray()

    def size_bytes(self) -> int:
        return sys.maxsize  # as far as anybody knows before its end

    def read(self, offset: int, size_bytes: int) -> bytes:
        while len(self._data) < offset + size_bytes and (chunk := self._next_chunk(_CHUNK)):
            self._data += chunk
        return bytes(self._data[offset : offset + size_bytes])

    def close(self) -> None:
        """Whoever gave the stream closes it."""


def line_of_frame(frame: Frame) -> bytes:
    """A frame of a spool as a line of JSON: a record, or how many were dropped there."""
    if frame.kind != DROPPED_KIND:
        return frame.payload
    dropped = dropped_in(frame)
    lost = sum(dropped.values())
    told = {
        "level": "warn",
        "message": f"{counted(lost, 'record')} {'was' if lost == 1 else 'were'} dropped here",
        "dropped": dropped,
    }
    return json.dumps(told).encode()
