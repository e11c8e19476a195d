"""Frames: how a spool writes bytes so that a reader finds every whole one again, whatever became of its neighbours.

    magic 4 | length 4 | sequence 8 | kind 4 | checksum of the payload 4 | checksum of these 24 bytes 4 | payload

Numbers are little-endian, checksums CRC-32 that begin with a **salt**, which comes from the file's name. So a frame
inside a payload, such as a spool file that somebody logs, is never taken for one of the file's own. A length is
believed only after its own checksum, so damage neither makes a reader wait for bytes that never come nor take memory
for them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from typing import NamedTuple
from zlib import crc32

from logpith_emit.disk import Data, Reading

MAGIC = b"\xf5lp1"  # no UTF-8 text has a byte F5; the digit is the format's version
MAX_PAYLOAD_BYTES = 1 << 28

DROPPED_KIND = 0xFFFF_FFFF
"""The kind of frame in which a writer says that it dropped records before it; `dropped_in` reads it."""

_HEAD = Struct("<4sIQII")
pack_head = _HEAD.pack
_CRC = Struct("<I")
HEADER_BYTES = _HEAD.size + _CRC.size
_WINDOW_BYTES = 1 << 18


class Frame(NamedTuple):
    """What was appended in one call."""

    sequence: int
    """Counts what one writer appended, from 1 or from where it was told to."""

    kind: int
    """What the payload is; its owner says."""

    payload: bytes

    end: int
    """Its file's first byte behind it, to read on from."""


@dataclass(slots=True)
class Damage:
    """What could not be read, added up."""

    places: int = 0
    """Stretches of a file that held no good frame, though something was written there."""

    bytes: int = 0
    """How many bytes these had."""

    torn_bytes: int = 0
    """Bytes of frames that were being written when their writer ended; nobody was told that these are safe."""

    unreadable_files: int = 0
    """Files that the disk did not give."""

    def __iadd__(self, other: Damage) -> Damage:
        self.places += other.places
        self.bytes += other.bytes
        self.torn_bytes += other.torn_bytes
        self.unreadable_files += other.unreadable_files
        return self

    @property
    def is_worth_keeping(self) -> bool:
        """Whether a file with it should be kept for somebody to look at: a torn end is no reason."""
        return bool(self.places or self.unreadable_files)


def dropped_in(frame: Frame) -> dict[str, int]:
    """The records that a frame of DROPPED_KIND tells of, by reason."""
    return {str(reason): int(records) for reason, records in json.loads(frame.payload).items()}


def head_of(payload: Data, kind: int, sequence: int, salt: int) -> bytes:
    """What stands in a frame before the payload."""
    head = _HEAD.pack(MAGIC, len(payload), sequence, kind, crc32(payload, salt))
    return head + crc32(head, salt).to_bytes(4, "little")


def scan(file: Reading, *, salt: int, start: int = 0, may_grow: bool, damage: Damage) -> Iterator[Frame]:
    """The good frames of a file from byte `start` on, in the order they stand in.

    What is no frame is skipped to the next good one and added to `damage`. At the end of a file that `may_grow` nothing
    is judged yet, and what it grows by meanwhile is left for the next time. Memory: one frame and 256 KiB.

    Raises:
        OSError: the disk does not give the file's bytes.
    """
    window = _Window(file)
    at, end = start, file.size_bytes()
    while at < end:
        frame = _frame_at(window, at, salt)
        if frame is None and (found := _next_good(window, at + 1, salt)) is not None:
            damage.places += 1
            damage.bytes += found - at
            at = found
            frame = _frame_at(window, at, salt)
        if frame is None:
            break
        yield frame
        at = frame.end
    if not may_grow and (left := end - at) > 0:
        if _is_torn(window, at, left, salt):
            damage.torn_bytes += left
        else:
            damage.places += 1
            damage.bytes += left


class _Window:
    """A file's bytes by place, read some hundred kilobytes at a time."""

    def __init__(self, file: Reading) -> None:
        self._file = file
        self._data = b""
        self._start = 0

    def get(self, at: int, size_bytes: int) -> bytes:
        """The bytes from `at` on; fewer at the end of the file."""
        offset = at - self._start
        if offset < 0 or offset + size_bytes > len(self._data):
            self._data = self._file.read(at, max(size_bytes, _WINDOW_BYTES))
            self._start = at
            offset = 0
        return self._data[offset : offset + size_bytes]


def _length_at(window: _Window, at: int, salt: int) -> int | None:
    """How long the payload is whose header stands there whole, as far as its checksum tells."""
    header = window.get(at, HEADER_BYTES)
    if len(header) < HEADER_BYTES or not header.startswith(MAGIC):
        return None
    if _CRC.unpack_from(header, _HEAD.size)[0] != crc32(header[: _HEAD.size], salt):
        return None
    length: int = _HEAD.unpack_from(header)[1]
    return length if length <= MAX_PAYLOAD_BYTES else None


def _frame_at(window: _Window, at: int, salt: int) -> Frame | None:
    length = _length_at(window, at, salt)
    if length is None:
        return None
    data = window.get(at, HEADER_BYTES + length)
    _, _, sequence, kind, checksum = _HEAD.unpack_from(data)
    payload = data[HEADER_BYTES:]
    if len(payload) < length or crc32(payload, salt) != checksum:
        return None
    return Frame(sequence, kind, payload, at + HEADER_BYTES + length)


def _next_good(window: _Window, at: int, salt: int) -> int | None:
    """Where the next good frame stands, looking from `at` on."""
    while data := window.get(at, _WINDOW_BYTES):
        found = data.find(MAGIC)
        while found >= 0:
            if _frame_at(window, at + found, salt) is not None:
                return at + found
            found = data.find(MAGIC, found + 1)
        if len(data) < _WINDOW_BYTES:
            return None
        at += len(data) - len(MAGIC) + 1
    return None


def _is_torn(window: _Window, at: int, left: int, salt: int) -> bool:
    """Whether the rest of a file is the beginning of a frame, or the zeros that some file systems leave behind."""
    length = _length_at(window, at, salt)
    if length is not None:
        return left < HEADER_BYTES + length
    if left < HEADER_BYTES and window.get(at, len(MAGIC)) == MAGIC[:left]:
        return True
    return all(not any(window.get(place, _WINDOW_BYTES)) for place in range(at, at + left, _WINDOW_BYTES))


def salt_in(data: bytes) -> int | None:
    """The salt of the file that begins so, whatever it is called now; None where it is no spool.

    CRC-32 can be run backwards: of the state behind some bytes, its highest byte tells which entry of the table was
    taken for the last of them.
    """
    if not data.startswith(MAGIC) or len(data) < HEADER_BYTES:
        return None
    state: int = _CRC.unpack_from(data, _HEAD.size)[0] ^ 0xFFFF_FFFF
    table = [_table_entry(index) for index in range(256)]
    index_by_top = {entry >> 24: index for index, entry in enumerate(table)}
    for byte in reversed(data[: _HEAD.size]):
        index = index_by_top[state >> 24]
        state = (((state ^ table[index]) << 8) & 0xFFFF_FFFF) | (index ^ byte)
    return state ^ 0xFFFF_FFFF


def _table_entry(index: int) -> int:
    for _ in range(8):
        index = (index >> 1) ^ (0xEDB8_8320 if index & 1 else 0)
    return index
