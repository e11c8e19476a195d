"""Bodies: what a request brings, read and unpacked within bounds.

What is packed tells nothing true about its size: 200 MiB of zeros are 200 kB of gzip. So it is unpacked piece by
piece, and thrown away as soon as there is more than was allowed.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import zstandard

from logpith.server.replies import Wrong

_PIECE_BYTES = 64 << 10
# A block of zstd may be 4 bytes that stand for 128 KiB: so many bytes in are at most 8 MiB out.
_ZSTD_PIECE_BYTES = 256
_ZSTD_MOST_WINDOW_BYTES = 8 << 20
"""What RFC 8878 says that every decoder should take; a frame may ask for far more memory."""


@dataclass(frozen=True, kw_only=True)
class BodyLimits:
    """How much a request may bring."""

    most_bytes: int = 16 << 20
    """As it is sent."""

    most_unpacked_bytes: int = 32 << 20


async def read_body(stream: AsyncIterator[bytes], limits: BodyLimits, declared: str | None) -> bytes:
    """All that a request sends.

    Raises:
        Wrong: too much; as soon as that is known.
    """
    if declared and declared.isascii() and declared.isdigit() and int(declared[:19]) > limits.most_bytes:
        raise _too_large(limits.most_bytes)
    body = bytearray()
    async for piece in stream:
        body += piece
        if len(body) > limits.most_bytes:
            raise _too_large(limits.most_bytes)
    return bytes(body)


def unpack(body: bytes, encoding: str, limits: BodyLimits) -> bytes:
    """The body as it was before it was packed, once.

    Raises:
        Wrong: no such encoding, damaged, or too much.
    """
    match encoding.strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip":
            pieces = _inflate(body)
        case "zstd":
            pieces = _unzstd(body)
        case _:
            raise Wrong(
                status=415,
                code="unsupported_encoding",
                message="the content encoding is not known",
                hint="Send it with gzip, zstd or none; once, not one in the other",
            )
    unpacked = bytearray()
    for piece in pieces:
        unpacked += piece
        if len(unpacked) > limits.most_unpacked_bytes:
            raise _too_large(limits.most_unpacked_bytes, "unpacked ")
    return bytes(unpacked)


def _inflate(body: bytes) -> Iterator[bytes]:
    """The members of a gzip body, one after the other."""
    rest = body
    try:
        while rest:
            member = zlib.decompressobj(wbits=31)
            piece = member.decompress(rest, _PIECE_BYTES)
            while True:
                yield piece
                if member.eof or not (piece or member.unconsumed_tail):
                    break
                piece = member.decompress(member.unconsumed_tail, _PIECE_BYTES)
            if not member.eof:
                raise _damaged()
            rest = member.unused_data
    except zlib.error as error:
        raise _damaged() from error


def _unzstd(body: bytes) -> Iterator[bytes]:
    """The frames of a zstd body, one after the other."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_MOST_WINDOW_BYTES)
    frame = decompressor.decompressobj()
    try:
        for place in range(0, len(body), _ZSTD_PIECE_BYTES):
            rest = body[place : place + _ZSTD_PIECE_BYTES]
            while rest:
                if frame.eof:
                    frame = decompressor.decompressobj()
                yield frame.decompress(rest)
                rest = frame.unused_data
    except zstandard.ZstdError as error:
        raise _damaged() from error
    if not frame.eof:
        raise _damaged()


def _too_large(most_bytes: int, kind: str = "") -> Wrong:
    return Wrong(
        status=413,
        code="too_large",
        message=f"a {kind}body may have {most_bytes:,} bytes",
        hint="Send it in several requests",
        more={"limit": most_bytes},
    )


def _damaged() -> Wrong:
    return Wrong(
        status=400,
        code="damaged_body",
        message="the body cannot be unpacked",
        hint="Pack it and send it anew",
    )
