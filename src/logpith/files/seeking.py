"""Seeking: parts of a packed file without unpacking all that stands before them.

Unpacking can begin where a member begins (bgzip, `zstd` of many frames, rotated files put together): `Unpacker` notes
where that is. Within a gzip member it can begin wherever the last 32 KiB of text are known: indexed_gzip (after zran.c
of zlib) keeps those as it goes, once every few MiB. Both can be saved as bytes, 0.1 % of the text.

Whatever indexed_gzip cannot read, a file torn or damaged further on, is unpacked from the last member as before.
"""

from __future__ import annotations

import bisect
import hashlib
import io
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import BinaryIO

from logpith.files.packing import Unpacker

_VERSION = b"\x01"
_DIGEST_BYTES = 16
_HEADER = struct.Struct("<qqI")
_MEMBER = struct.Struct("<qq")
_MOST_MEMBERS = 100_000
_MOST_SAVED_BYTES = 64 << 20

# A second of unpacking is 300 MB: within 8 MiB nobody waits, and 8 MiB keep 32 KiB.
SPACING_BYTES = 8 << 20
Span = tuple[int, int]


@dataclass(frozen=True)
class Points:
    """Where unpacking a file can begin."""

    members: tuple[tuple[int, int], ...] = ()
    """(unpacked, packed) bytes before some of its members, ascending."""

    gzip_index: bytes = b""
    """What indexed_gzip exports."""

    def __bool__(self) -> bool:
        return bool(self.members or self.gzip_index)

    def member_before(self, place: int) -> tuple[int, int]:
        """The last member that begins at or before `place` of the unpacked text, and where it lies."""
        found = bisect.bisect_right(self.members, (place, 1 << 62))
        return self.members[found - 1] if found else (0, 0)

    def to_bytes(self, size_bytes: int, changed_ns: int) -> bytes:
        """These points, bound to a file of that size and time."""
        body = _HEADER.pack(size_bytes, changed_ns, len(self.members))
        body += b"".join(_MEMBER.pack(*member) for member in self.members)
        body += zlib.compress(self.gzip_index, 1)
        return _VERSION + hashlib.blake2b(body, digest_size=_DIGEST_BYTES).digest() + body

    @classmethod
    def from_bytes(cls, saved: bytes, size_bytes: int, changed_ns: int) -> Points | None:
        """What `to_bytes` made for the same file, or None. Nothing of it is believed before its digest is right:
        an index goes into C code."""
        digest, body = saved[1 : 1 + _DIGEST_BYTES], saved[1 + _DIGEST_BYTES :]
        if saved[:1] != _VERSION or hashlib.blake2b(body, digest_size=_DIGEST_BYTES).digest() != digest:
            return None
        size, changed, count = _HEADER.unpack_from(body)
        if (size, changed) != (size_bytes, changed_ns) or count > _MOST_MEMBERS:
            return None
        behind = _HEADER.size + count * _MEMBER.size
        members = tuple(_MEMBER.iter_unpack(body[_HEADER.size : behind]))
        index = zlib.decompressobj().decompress(body[behind:], _MOST_SAVED_BYTES)
        return cls(tuple((unpacked, packed) for unpacked, packed in members), index)


def read_spans(
    file: BinaryIO, packing: str, size_bytes: int, spans: Sequence[Span], points: Points
) -> tuple[list[bytes], Points]:
    """The unpacked bytes of each span, ascending and without overlap, and what is known of the file now.

    `file` is `size_bytes` long. A part is shorter than its span where the file is damaged, torn or shorter.
    """
    if "utf-16" in packing:  # its text is another one than its members'
        file.seek(0)
        return parts_of(Unpacker(file, packing, packed_bytes=size_bytes), spans), points
    if packing == "gzip" and spans and _is_far(spans, points):
        found = _by_gzip_index(file, spans, points)
        if found is not None:
            return found
    parts: list[bytes] = []
    for (unpacked, packed), group in groupby(spans, lambda span: points.member_before(span[0])):
        file.seek(packed)
        unpacker = Unpacker(file, packing, packed_bytes=size_bytes - packed)
        parts += parts_of(unpacker, [(start - unpacked, end - unpacked) for start, end in group])
    return parts, points


def _is_far(spans: Sequence[Span], points: Points) -> bool:
    """Whether much would be unpacked for little."""
    return any(start - points.member_before(start)[0] > SPACING_BYTES for start, _ in spans)


def _by_gzip_index(
    file: BinaryIO, spans: Sequence[Span], points: Points
) -> tuple[list[bytes], Points] | None:
    """As `read_spans`; None where the index cannot be made or used."""
    try:
        import indexed_gzip  # noqa: PLC0415  # 50 ms, and only large files need it
    except ImportError:  # there is no wheel for every system
        return None
    file.seek(0)
    try:
        with indexed_gzip.IndexedGzipFile(fileobj=file, spacing=SPACING_BYTES) as unpacked:
            if points.gzip_index:
                unpacked.import_index(fileobj=io.BytesIO(points.gzip_index))
            known = sum(1 for _ in unpacked.seek_points())
            parts = []
            for start, end in spans:
                unpacked.seek(start)
                parts.append(unpacked.read(end - start))
            if sum(1 for _ in unpacked.seek_points()) > known:
                exported = io.BytesIO()
                unpacked.export_index(fileobj=exported)
                points = replace(points, gzip_index=exported.getvalue())
    except (OSError, ValueError, EOFError, MemoryError):
        return None
    if any(len(part) < end - start for part, (start, end) in zip(parts, spans, strict=True)):
        return None
    return parts, points


def parts_of(pieces: Iterable[bytes], spans: Sequence[Span]) -> list[bytes]:
    """The bytes of each span of the text that `pieces` put together; they are taken no further than needed."""
    parts: list[bytearray] = [bytearray() for _ in spans]
    base = 0
    first = 0
    for piece in pieces:
        behind = base + len(piece)
        for k in range(first, len(spans)):
            start, end = spans[k]
            if start >= behind:
                break
            parts[k] += piece[max(0, start - base) : end - base]
            if end <= behind:
                first = k + 1
        base = behind
        if first >= len(spans):
            break
    return [bytes(part) for part in parts]
