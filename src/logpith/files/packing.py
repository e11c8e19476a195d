"""Packed files, unpacked as a stream: gzip (RFC 1952) and Zstandard (RFC 8878), of any number of members.

What can be unpacked is given out; where it ends too soon, or goes on for longer than any log does, the reason
is kept in `trouble` and the stream just ends. Nothing is written to disk.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO

import zstandard

_CHUNK = 256 * 1024
# A zstd block of 4 bytes can mean 128 KiB: small inputs keep single outputs below some MiB.
_ZSTD_CHUNK = 1024
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE = b"\x2a\x4d\x18"
_ZSTD_WINDOW = 1 << 27  # as `zstd --long`'s default

# Logs pack to a tenth or a thirtieth. Beyond both bounds a file is a bomb, or worth nobody's reading.
MOST_RATIO = 200
ALWAYS_ALLOWED_BYTES = 256 << 20


def packing_of(head: bytes) -> str:
    """`gzip`, `zstd` or "" by the first bytes of a file; its name says nothing reliable."""
    if head.startswith(_GZIP_MAGIC):
        return "gzip"
    if head.startswith(_ZSTD_MAGIC) or (head[1:4] == _ZSTD_SKIPPABLE and head[:1] >= b"\x50"):
        return "zstd"
    return ""


class Unpacker:
    """The unpacked bytes of a stream, in pieces of about 1 MiB or less."""

    def __init__(self, packed: BinaryIO, packing: str, most_ratio: int = MOST_RATIO) -> None:
        self._packed = packed
        self._packing = packing
        self._most_ratio = most_ratio
        self._read_bytes = 0
        self._given_bytes = 0
        self.trouble = ""
        """Why the stream ended before its time; empty when it did not."""

    def __iter__(self) -> Iterator[bytes]:
        pieces = self._gzip() if self._packing == "gzip" else self._zstd()
        for piece in pieces:
            self._given_bytes += len(piece)
            yield piece
            if self._given_bytes > max(ALWAYS_ALLOWED_BYTES, self._most_ratio * self._read_bytes):
                self.trouble = (
                    f"unpacks to more than {self._most_ratio} times its size: "
                    f"stopped after {self._given_bytes:,} bytes"
                )
                return

    def _next_chunk(self, size: int) -> bytes:
        chunk = self._packed.read(size)
        self._read_bytes += len(chunk)
        return chunk

    def _gzip(self) -> Iterator[bytes]:
        member = zlib.decompressobj(wbits=31)
        waiting = b""
        while True:
            if not waiting:
                waiting = self._next_chunk(_CHUNK)
                if not waiting:
                    break
            try:
                piece = member.decompress(waiting, 1 << 20)
            except zlib.error:
                self.trouble = f"damaged after {self._given_bytes:,} unpacked bytes"
                return
            if piece:
                yield piece
            waiting = member.unconsumed_tail
            if member.eof:
                # Padding with zeros behind the last member is allowed (as of gzip(1)).
                waiting = (member.unused_data or b"").lstrip(b"\0") or self._next_chunk(_CHUNK).lstrip(b"\0")
                if not waiting:
                    return
                member = zlib.decompressobj(wbits=31)
        # What is still inside can be more than one piece holds.
        while piece := member.decompress(member.unconsumed_tail, 1 << 20):
            yield piece
        if not member.eof:
            self.trouble = f"torn: ends within the packed data, after {self._given_bytes:,} unpacked bytes"

    def _zstd(self) -> Iterator[bytes]:
        unpack = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        frame = unpack.decompressobj()
        fresh = True
        while chunk := self._next_chunk(_ZSTD_CHUNK):
            while chunk:
                try:
                    piece = frame.decompress(chunk)
                except zstandard.ZstdError:
                    self.trouble = f"damaged after {self._given_bytes:,} unpacked bytes"
                    return
                fresh = False
                if piece:
                    yield piece
                chunk = b""
                if frame.eof:
                    chunk = frame.unused_data
                    frame = unpack.decompressobj()
                    fresh = True
        if not fresh:
            self.trouble = f"torn: ends within the packed data, after {self._given_bytes:,} unpacked bytes"
