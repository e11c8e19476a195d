"""Windows: some records of a source beside the bytes that they are read from.

Only what may matter is read: the chunks of a source with wanted records in them, and where literals are given that
any wanted record must hold, only those whose signature may hold one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from logpith.corpus.records import Corpus, Source
from logpith.files.archive import AnyText, TextMember
from logpith.scan.grams import may_hold
from logpith.scan.records import PADDING
from logpith_emit.errors import Refused

Mask = NDArray[np.bool_]
Made = TypeVar("Made")

PIECE_BYTES = 4 << 20
_TEXTS_AT_ONCE = 8_192
_NEWLINE = 10
_NOTHING = np.empty(0, np.uint8)


def map_windows(
    corpus: Corpus,
    source: Source,
    wanted: Mask,
    work: Callable[[Window, Mask], Made],
    literals: tuple[bytes, ...] | None = None,
) -> Iterator[tuple[slice, Made]]:
    """What `work` makes of each window with wanted records: on all cores where any part can be read alone.

    `wanted` has an entry for each of the source's records; each window is given with its part of it, and comes
    back as the slice of the source's records that it was. Without a record that may hold one of the `literals`
    (small letters; any case counts), a window may be left out.
    """
    pieces = _pieces(source, wanted, literals)

    def do(piece: _Piece, buf: NDArray[np.uint8]) -> tuple[slice, Made]:
        return slice(piece.low, piece.high), work(
            _window(corpus, source, piece, buf), wanted[piece.low : piece.high]
        )

    text = source.text
    if isinstance(text, TextMember) or not text.seekable:
        for piece, buf in _from_blocks(text, pieces):
            yield do(piece, buf)
        return
    if len(pieces) < 2:
        for piece in pieces:
            yield do(piece, text.read(piece.start, piece.end))
        return
    with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="windows") as pool:
        yield from pool.map(lambda piece: do(piece, text.read(piece.start, piece.end)), pieces)


def windows(corpus: Corpus, source: Source, wanted: Mask) -> Iterator[Window]:
    """The windows with wanted records, one after the other."""
    text = source.text
    pieces = _pieces(source, wanted, None)
    if isinstance(text, TextMember) or not text.seekable:
        for piece, buf in _from_blocks(text, pieces):
            yield _window(corpus, source, piece, buf)
        return
    for piece in pieces:
        yield _window(corpus, source, piece, text.read(piece.start, piece.end))


def texts_of(corpus: Corpus, records: NDArray[np.int64]) -> Iterator[bytes]:
    """The text of each of the records, which are ascending, whole: for many, where `Corpus.texts` is for a few."""
    for source in corpus.sources:
        low, high = np.searchsorted(records, (source.first, source.first + source.records))
        if low == high:
            continue
        if source.is_segment:
            text: Any = source.text
            for some in range(low, high, _TEXTS_AT_ONCE):
                yield from text.texts(records[some : min(some + _TEXTS_AT_ONCE, high)] - source.first)
            continue
        wanted = np.zeros(source.records, np.bool_)
        wanted[records[low:high] - source.first] = True
        for window in windows(corpus, source, wanted):
            first = window.first - source.first
            chosen = np.flatnonzero(wanted[first : first + len(window.starts)])
            raw = bytes(window.buf[: int(window.ends[-1])])
            for start, end in zip(window.starts[chosen].tolist(), window.ends[chosen].tolist(), strict=True):
                yield raw[start:end]


@dataclass(frozen=True)
class _Piece:
    """Some records of a source whose texts stand behind each other."""

    low: int
    """The first one's number in the source; `high` is behind the last one's."""

    high: int
    start: int
    """In the source's unpacked text; `end` is behind the last byte."""

    end: int


@dataclass(frozen=True)
class Window:
    """Records of a source that stand behind each other, and their bytes."""

    corpus: Corpus
    buf: NDArray[np.uint8]
    first: int
    starts: NDArray[np.int64]
    """In the buffer, as `ends`."""

    ends: NDArray[np.int64]
    is_one_line: NDArray[np.bool_]
    records: NDArray[np.int64] | None = None
    """The numbers of the records, where they do not follow each other from `first` on."""

    def record(self, place: int) -> int:
        """The number in the corpus of the record at `place` in this window."""
        return self.first + place if self.records is None else int(self.records[place])

    def text(self, place: int) -> bytes:
        """The text of the record at `place` in this window."""
        return bytes(self.buf[self.starts[place] : self.ends[place]])


def _pieces(source: Source, wanted: Mask, literals: tuple[bytes, ...] | None) -> list[_Piece]:
    """What must be read of a source: the chunks that may hold a match, put together up to PIECE_BYTES."""
    table = source.table
    if not len(table):
        return []
    firsts = table.chunks["chunk_first"]
    edges = np.append(firsts, len(table))
    # A chunk whose first record is the next one's too holds only a part of the record before.
    candidates = np.flatnonzero(edges[1:] > edges[:-1])
    asked = np.add.reduceat(wanted.astype(np.int64), edges[:-1][candidates]) > 0
    candidates = candidates[asked & _may_hold(source, literals)[candidates]]
    starts, lengths = table.columns["start"], table.columns["length"]
    pieces: list[_Piece] = []
    for chunk in candidates.tolist():
        low, high = int(edges[chunk]), int(edges[chunk + 1])
        start, end = int(starts[low]), int(starts[high - 1]) + int(lengths[high - 1])
        last = pieces[-1] if pieces else None
        if last is not None and last.high == low and end - last.start <= PIECE_BYTES:
            pieces[-1] = _Piece(last.low, high, last.start, end)
        else:
            pieces.append(_Piece(low, high, start, end))
    return pieces


def _may_hold(source: Source, literals: tuple[bytes, ...] | None) -> Mask:
    """For each chunk whether a record that begins in it may hold one of the literals."""
    table = source.table
    chunks = len(table.chunks["chunk_start"])
    if literals is None or table.signatures is None or any(b"\n" in literal for literal in literals):
        return np.ones(chunks, np.bool_)
    may = np.zeros(chunks, np.bool_)
    for literal in literals:
        may |= may_hold(table.signatures, literal)
    # The last record that begins in a chunk may go on into the next ones, and hold it there.
    begins, firsts = table.chunks["chunk_start"], table.chunks["chunk_first"]
    last = np.maximum(np.append(firsts[1:], len(table)) - 1, 0)
    ends = table.columns["start"][last] + table.columns["length"][last]
    behind = np.searchsorted(begins, ends)
    for chunk in np.flatnonzero(behind > np.arange(chunks) + 1).tolist():
        may[chunk] |= may[chunk + 1 : behind[chunk]].any()
    return may


def _from_blocks(text: AnyText, pieces: Sequence[_Piece]) -> Iterator[tuple[_Piece, NDArray[np.uint8]]]:
    """Each piece with its bytes, out of a text that must be read from the beginning."""
    waiting = iter(pieces)
    piece = next(waiting, None)
    buf = _NOTHING
    for block in text.blocks():
        behind = block.base + block.end
        while piece is not None and piece.start < behind:
            if not len(buf):
                buf = np.zeros(piece.end - piece.start + 1 + PADDING, np.uint8)
                buf[piece.end - piece.start] = _NEWLINE
            low, high = max(piece.start, block.base), min(piece.end, behind)
            buf[low - piece.start : high - piece.start] = block.buf[low - block.base : high - block.base]
            if piece.end > behind:
                break
            yield piece, buf
            buf = _NOTHING
            piece = next(waiting, None)
        if piece is None:
            return
    if piece is not None:
        raise Refused(
            f"{text.name} was rotated or truncated while it was read",
            remedy="Ask again: it is read anew then",
        )


def _window(corpus: Corpus, source: Source, piece: _Piece, buf: NDArray[np.uint8]) -> Window:
    some = slice(piece.low, piece.high)
    columns = source.table.columns
    starts = columns["start"][some] - piece.start
    lines = columns["line"]
    behind = lines[piece.high] if piece.high < len(lines) else source.lines + 1
    is_one_line = np.diff(lines[some].astype(np.int64), append=int(behind)) == 1
    return Window(
        corpus, buf, source.first + piece.low, starts, starts + columns["length"][some], is_one_line
    )
