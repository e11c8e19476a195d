"""The columns of one source while it is read, and afterwards: a table that a corpus is put together from."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logpith.corpus.cache import Draft
from logpith.files.text import Block
from logpith.scan.grams import SIGNATURE_BYTES, signature
from logpith.scan.records import OwnFormat
from logpith.scan.shape_index import ShapeIndex
from logpith.scan.tally import DISORDERED, Tally, new_times, slice_times, tally, time_ranks

KINDS: Mapping[str, type[np.generic]] = {
    "start": np.int64,
    "length": np.uint32,
    "line": np.uint32,
    "time_ns": np.int64,
    "severity": np.uint8,
    "service": np.uint16,
    "shape": np.uint16,
}
"""What is kept of each record: its first byte and its bytes in the unpacked text, its first line counted from 1,
its time (NO_TIME where unknown), the severity that it names (0 for none), its service (0 for none) and its shape
(NONE beyond the bound), both as places in the table's lists."""

CHUNK_KINDS: Mapping[str, type[np.generic]] = {"chunk_start": np.int64, "chunk_first": np.int64}
"""What is kept of each chunk of the text: its first byte, and the number of the first record that begins in it."""

NONE = 0xFFFF
CHUNK_BYTES = 1 << 20
MOST_LENGTH = 0xFFFF_FFFF
_COPIED_AT_ONCE = 16 << 20


@dataclass(frozen=True, kw_only=True)
class Shapes:
    """Distinct shapes of a source, in the order in which they were met."""

    hashes: NDArray[np.uint64]
    counts: NDArray[np.int64]
    samples: tuple[Mapping[int, bytes], ...]
    """Of each shape up to three bodies by the hash of their values."""


class PartlyRead(Mapping[str, NDArray[Any]]):
    """Columns that can be read for some records alone."""

    @abstractmethod
    def of(self, rows: NDArray[np.int64]) -> Callable[[str], NDArray[Any]]:
        """What columns have of some records, which are ascending, by their names."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """All that is kept of one source."""

    columns: Mapping[str, NDArray[Any]]
    """By the names of KINDS, one entry a record."""

    chunks: Mapping[str, NDArray[Any]]
    """By the names of CHUNK_KINDS, one entry a chunk. A chunk begins where a line does."""

    signatures: NDArray[np.uint8] | None
    """(chunks, SIGNATURE_BYTES), see `scan/grams.py`; None where none were made."""

    shapes: Shapes
    tally: Tally
    """Of the records by shape, with the severities that they name themselves."""

    slice_times: NDArray[np.int64]
    """When each of its slices begins (`scan/tally.py`)."""

    services: tuple[str, ...]
    formats: Counter[tuple[str, str]]
    """Records by format and name of the time layout."""

    recognised: Mapping[str, Any]
    """What was found out about its formats: see `Recognised.state`."""

    lines: int
    size_bytes: int
    """Of the unpacked text."""

    times: NDArray[np.int64]
    """See `scan/tally.py`: first, last, undated…"""

    own_formats: tuple[OwnFormat, ...] = ()
    """The formats of this user with which it was read."""

    trouble: str = ""
    note: str = ""
    """What happened to the index of this source, when that is worth telling."""

    origins: tuple[str, ...] = ()
    """Where its records came from, when they came from several places: the column `origin` has places in it."""

    extras: tuple[Mapping[str, object], ...] = ()
    """Distinct attributes that its texts do not say: the column `extra` has places in it, the first is none."""

    rows: int = -1
    """How many records it has, when its columns are not at hand."""

    def __len__(self) -> int:
        return self.rows if self.rows >= 0 else len(self.columns["start"])

    def of(self, rows: NDArray[np.int64]) -> Callable[[str], NDArray[Any]]:
        """What columns have of some records, which are ascending, by their names."""
        columns = self.columns
        return columns.of(rows) if isinstance(columns, PartlyRead) else lambda name: columns[name][rows]


@dataclass
class Growing:
    """What is known of a source beside its columns while its blocks come in."""

    records: int = 0
    lines: int = 0
    chunks: int = 0
    size_bytes: int = 0
    kinds: Counter[int] = field(default_factory=Counter)
    services: dict[str, int] = field(default_factory=dict)
    shapes: ShapeIndex = field(default_factory=ShapeIndex)
    samples: list[dict[int, bytes]] = field(default_factory=list)
    times: NDArray[np.int64] = field(default_factory=new_times)

    def copy(self) -> Growing:
        """As it is now, whatever happens to this one."""
        return Growing(
            self.records,
            self.lines,
            self.chunks,
            self.size_bytes,
            Counter(self.kinds),
            dict(self.services),
            self.shapes.copy(),
            [dict(samples) for samples in self.samples],
            self.times.copy(),
        )

    def shape_list(self) -> Shapes:
        """The shapes as a table keeps them."""
        return Shapes(
            hashes=self.shapes.hashes.copy(), counts=self.shapes.counts.copy(), samples=tuple(self.samples)
        )


class ColumnStore:
    """Arrays that grow: in the files of a draft while there is one, or in memory.

    What was added last can still be changed: where a block ends within a record, the next one lengthens it.
    """

    def __init__(self, draft: Draft | None) -> None:
        self.draft = draft
        self.trouble = ""
        """Why it is in memory although there was a draft."""

        self._parts: dict[str, list[NDArray[Any]]] = {}
        self.last: dict[str, NDArray[Any]] = {}
        """The arrays of the last block that held a record, not yet put away."""

    def add(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Adds the columns of a block's records."""
        if len(arrays["start"]):
            self._settle()
            self.last = dict(arrays)

    def put(self, name: str, array: NDArray[Any]) -> None:
        """Adds to an array that nothing changes any more."""
        if self.draft is not None:
            try:
                self.draft.append(name, array)
                return
            except OSError as error:
                self.fall_back(error.strerror or "the cache cannot be written")
        self._parts.setdefault(name, []).append(array)

    def copy(self, name: str, array: NDArray[Any]) -> None:
        """Adds what an index holds, which may be much."""
        rows = max(1, _COPIED_AT_ONCE // max(1, array[:1].nbytes))
        for first in range(0, len(array), rows):
            self.put(name, array[first : first + rows])

    def _settle(self) -> None:
        for name, array in self.last.items():
            self.put(name, array)
        self.last = {}

    def fall_back(self, reason: str) -> None:
        """Takes what was written back into memory: a full disk shall not end the reading."""
        draft, self.draft = self.draft, None
        self.trouble = reason.lower()
        if draft is not None:
            for name, octets in draft.take_back():
                kind = {**KINDS, **CHUNK_KINDS}.get(name, np.uint8)
                array = octets.view(kind)
                self._parts[name] = [array.reshape(-1, SIGNATURE_BYTES) if name == "signatures" else array]

    def finish(self) -> None:
        """Puts the last block away."""
        self._settle()

    def so_far(self, kinds: Mapping[str, type[np.generic]]) -> dict[str, NDArray[Any]]:
        """Copies of all that was added until now; more may follow."""
        written = self.draft.so_far(kinds) if self.draft is not None else {}
        found: dict[str, NDArray[Any]] = {}
        for name, kind in kinds.items():
            parts = [written[name]] if name in written else self._parts.get(name, [])
            found[name] = np.concatenate([np.empty(0, kind), *parts, self.last.get(name, np.empty(0, kind))])
        return found

    def arrays(self, kinds: Mapping[str, type[np.generic]]) -> dict[str, NDArray[Any]]:
        """The arrays of a store in memory."""
        found: dict[str, NDArray[Any]] = {}
        for name, kind in kinds.items():
            parts = self._parts.pop(name, [])
            found[name] = parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, kind), *parts])
        return found

    def signatures(self) -> NDArray[np.uint8] | None:
        """The signatures of a store in memory."""
        parts = self._parts.pop("signatures", [])
        return np.concatenate(parts) if parts else None


def tally_of(columns: Mapping[str, NDArray[Any]], growing: Growing) -> tuple[Tally, NDArray[np.int64]]:
    """The tally of a source's records by shape, and when its slices begin."""
    times = columns["time_ns"]
    rank = time_ranks(times) if growing.times[DISORDERED] else None
    by_shape = tally(columns["shape"], len(growing.shapes), times, columns["severity"], rank)
    return by_shape, slice_times(times, rank)


@dataclass(frozen=True)
class Chunks:
    """The chunks of one block."""

    starts: NDArray[np.int64]
    """In the block's buffer."""

    signatures: NDArray[np.uint8] | None


def chunks_of(block: Block, starts: NDArray[np.int64], *, signed: bool) -> Chunks:
    """A block in chunks of about CHUNK_BYTES, each from the start of a record on."""
    edges = [0, *_edges(block, starts)]
    rows = None
    if signed:
        ends = [*edges[1:], block.end]
        rows = np.stack(
            [signature(block.buf, start, end, block.end) for start, end in zip(edges, ends, strict=True)]
        )
    return Chunks(np.array(edges, np.int64), rows)


def _edges(block: Block, starts: NDArray[np.int64]) -> Iterator[int]:
    edge = 0
    for wanted in range(CHUNK_BYTES, block.end, CHUNK_BYTES):
        place = int(np.searchsorted(starts, wanted))
        if place < len(starts) and starts[place] > edge:
            edge = int(starts[place])
            yield edge
