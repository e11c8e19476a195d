"""Gathering: what was read of files, cut to records and put together to deliveries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from logpith.batch import MOST_RECORDS, Batch, join_batches
from logpith.files.text import Block
from logpith.scan.records import PADDING
from logpith.sources import Delivery
from logpith.sources.marks import TAIL_BYTES, hash_of
from logpith.sources.reading import Found

# What a delivery holds about; small files share one, so that the store need not sync for each of them.
DELIVERY_BYTES: Final = 8 << 20

_NEWLINE: Final = 10

OPEN_GROUP: Final = -1
"""In the place of a line that cannot be parted from those behind it."""


@dataclass(frozen=True, kw_only=True)
class Rejoiner:
    """How lines that a program's runtime has cut are put together before they are read."""

    whole_bytes: Callable[[NDArray[np.uint8], int, int], int]
    """(buffer, begin, end) → behind the last line that is not waiting for another piece."""

    join: Callable[[NDArray[np.uint8], int, int], tuple[NDArray[np.uint8], NDArray[np.int64]] | None]
    """The text with its pieces joined, and for each of its line ends the place in the buffer; None when it has none."""


@dataclass(frozen=True, kw_only=True)
class Extent:
    """How much of a block is taken."""

    all_records: bool
    """Whether its last record is taken too, which may grow."""

    all_pieces: bool
    """Whether lines are taken that wait for another piece."""

    def records_of(self, found: Found) -> int:
        """How many of the records."""
        return max(0, len(found) - (not self.all_records))


WHOLE = Extent(all_records=True, all_pieces=True)


class Gathering:
    """Batches of several files on their way to one delivery."""

    def __init__(self, deliver: Callable[[Batch], Delivery]) -> None:
        self._deliver = deliver
        self._waiting: list[tuple[Batch, Callable[[], None]]] = []
        self._records = self._bytes = 0

    def add(self, batch: Batch, applied: Callable[[], None]) -> Iterator[Delivery]:
        """Adds a batch; `applied` is called when it is delivered, which some calls do and some do not yet."""
        if self._records + batch.num_rows > MOST_RECORDS:
            yield from self.flush()
        self._waiting.append((batch, applied))
        self._records += batch.num_rows
        self._bytes += batch.nbytes
        if self._bytes >= DELIVERY_BYTES:
            yield from self.flush()

    def flush(self) -> Iterator[Delivery]:
        """Delivers what waits."""
        waiting, self._waiting = self._waiting, []
        self._records = self._bytes = 0
        for _, applied in waiting:
            applied()
        batches = [batch for batch, _ in waiting if batch.num_rows]
        if batches:
            yield self._deliver(join_batches(batches))


class UnpackedText:
    """Unpacked text from a place on, in blocks of which as much is taken as was read."""

    def __init__(self, pieces: Iterable[bytes], place: int) -> None:
        self._pieces = iter(pieces)
        self.place = place
        self._rest = b""

    def pass_over(self, tail: str) -> bool:
        """Goes to the place; whether what stands before it is what `Mark.tail` says, if it says anything."""
        passed = 0
        before = b""
        while passed < self.place:
            piece = next(self._pieces, b"")
            if not piece:
                self.place = passed
                return False
            before = (before + piece)[-len(piece) - TAIL_BYTES :]
            passed += len(piece)
        rest_bytes = passed - self.place
        self._rest = before[len(before) - rest_bytes :]
        return not tail or hash_of(before[: len(before) - rest_bytes][-TAIL_BYTES:]) == tail

    def take(self, count: int) -> None:
        """The first bytes of the last block were read."""
        self.place += count
        self._rest = self._rest[count:]

    def blocks(self, block_bytes: int) -> Iterator[tuple[bytes, bool]]:
        """Each block, and whether the text ends with it."""
        want = block_bytes
        while True:
            parts = [self._rest]
            have = len(self._rest)
            while have < want:
                piece = next(self._pieces, b"")
                if not piece:
                    break
                parts.append(piece)
                have += len(piece)
            self._rest = b"".join(parts)
            is_last = have < want
            place = self.place
            yield self._rest, is_last
            if is_last:
                return
            want = block_bytes if self.place > place else want + block_bytes


def closed_parts(found: Found, extent: Extent) -> Iterator[tuple[Batch, int]]:
    """The records in batches that end where none of them goes on, each with the place behind it."""
    closed = np.flatnonzero(found.ends[: extent.records_of(found)] != OPEN_GROUP) + 1
    first = 0
    while len(closed) and first < closed[-1]:
        fitting = closed[(closed > first) & (closed <= first + MOST_RECORDS)]
        behind = int(fitting[-1] if len(fitting) else closed[closed > first][0])
        for batch_first in range(first, behind, MOST_RECORDS):
            last = min(batch_first + MOST_RECORDS, behind)
            yield found.batch.slice(batch_first, last - batch_first), int(found.ends[behind - 1])
        first = behind


def block_of(data: memoryview, base: int) -> Block:
    """Whole lines that begin at `base`, as the scan wants them."""
    end = len(data) + (data[-1] != _NEWLINE)
    buf = np.frombuffer(b"".join((data, b"\n"[: end - len(data)], bytes(PADDING))), np.uint8)
    return Block(base, buf, end)
