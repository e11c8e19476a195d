"""A query → the records of a corpus that match it.

Each leaf of the query is asked in the cheapest way that is exact: columns by numpy, literal text by a kernel
over whole blocks, a regex by RE2 over whole blocks, all else record by record with the reference meaning of
`query/match.py`, behind the literals that any match must hold. A branch is only asked about the records that
its neighbours have left.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from logpith.corpus.records import Corpus, Source
from logpith.corpus.view import CorpusRecordView
from logpith.files.archive import AnyText, TextMember
from logpith.query import (
    And,
    ColumnPredicates,
    Everything,
    Not,
    Or,
    Phrase,
    Query,
    Reading,
    Regex,
    Substring,
    Word,
    column_predicates,
    matcher,
    parse,
    parse_with_notes,
    required_literals,
    value_matcher,
)
from logpith.query.plan import ALL_SEVERITIES
from logpith.query.regex import compile_block_regex
from logpith.scan.grams import may_hold
from logpith.scan.records import PADDING
from logpith.scan.search import Literal, mark_records
from logpith.scan.timestamps import NO_TIME
from logpith.timerange import TimeRange
from logpith_emit.errors import Refused

Mask = NDArray[np.bool_]
ALWAYS = TimeRange()
PIECE_BYTES = 4 << 20
_NEWLINE = 10
_NOTHING = np.empty(0, np.uint8)
_BACKSLASH = Literal(b"\\")


def check_query(text: str) -> None:
    """Nothing, when `text` can be read as a query: a mistake shall be told before a large file is read.

    Raises:
        BadQuery: it cannot; knows the place.
    """
    parse(text, now_ns=0, end_ns=0)


def read_query(corpus: Corpus, text: str, now_ns: int) -> Reading:
    """The query that `text` says of a corpus; a bare `10m` counts back from the corpus' last record."""
    span = corpus.span_ns
    return parse_with_notes(text, now_ns=now_ns, end_ns=span[1] if span else None)


def select(corpus: Corpus, query: Query, period: TimeRange = ALWAYS) -> NDArray[np.int64]:
    """The numbers of the records in a period that match, in order."""
    predicates, rest = column_predicates(query)
    wanted = _by_columns(corpus, replace(predicates, time=predicates.time.intersect(period)))
    if isinstance(rest, Everything):
        return np.flatnonzero(wanted)
    literals = required_literals(rest)
    for source in corpus.sources:
        inside = wanted[source.first : source.first + source.records]
        pieces = _pieces(source, inside, literals)
        found = np.zeros_like(inside)
        for piece, matching in _asked(corpus, source, pieces, rest, inside):
            found[piece.low : piece.high] = matching
        inside[:] = found
    return np.flatnonzero(wanted)


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
class _Window:
    """The records of a piece, and their bytes."""

    corpus: Corpus
    buf: NDArray[np.uint8]
    first: int
    starts: NDArray[np.int64]
    """In the buffer, as `ends`."""

    ends: NDArray[np.int64]
    is_one_line: NDArray[np.bool_]

    def text(self, place: int) -> bytes:
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


def _asked(
    corpus: Corpus, source: Source, pieces: Sequence[_Piece], query: Query, wanted: Mask
) -> Iterator[tuple[_Piece, Mask]]:
    """Each piece and which of its records match. On all cores where any part can be read alone."""

    def ask(piece: _Piece, buf: NDArray[np.uint8]) -> tuple[_Piece, Mask]:
        return piece, _ask(_window(corpus, source, piece, buf), query, wanted[piece.low : piece.high])

    text = source.text
    if isinstance(text, TextMember) or not text.seekable:
        for piece, buf in _from_blocks(text, pieces):
            yield ask(piece, buf)
        return
    if len(pieces) < 2:
        for piece in pieces:
            yield ask(piece, text.read(piece.start, piece.end))
        return
    with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="select") as pool:
        yield from pool.map(lambda piece: ask(piece, text.read(piece.start, piece.end)), pieces)


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


def _window(corpus: Corpus, source: Source, piece: _Piece, buf: NDArray[np.uint8]) -> _Window:
    some = slice(piece.low, piece.high)
    columns = source.table.columns
    starts = columns["start"][some] - piece.start
    lines = columns["line"]
    behind = lines[piece.high] if piece.high < len(lines) else source.lines + 1
    is_one_line = np.diff(lines[some].astype(np.int64), append=int(behind)) == 1
    return _Window(
        corpus, buf, source.first + piece.low, starts, starts + columns["length"][some], is_one_line
    )


def _by_columns(corpus: Corpus, predicates: ColumnPredicates) -> Mask:
    low, high = predicates.severity
    wanted: Mask = np.ones(len(corpus), np.bool_)
    if (low, high) != ALL_SEVERITIES:
        wanted = (corpus.severity >= low) & (corpus.severity <= high)
    time = predicates.time
    if time.start_ns is not None or time.end_ns is not None:
        times = corpus.columns.time_ns
        wanted &= times != NO_TIME
        if time.start_ns is not None:
            wanted &= times >= time.start_ns
        if time.end_ns is not None:
            wanted &= times < time.end_ns
    for query in predicates.source:
        meets = value_matcher(query)
        of_source = np.array([meets(source.name) for source in corpus.sources], np.bool_)
        wanted &= of_source[corpus.columns.source]
    return wanted


def _ask(window: _Window, query: Query, within: Mask) -> Mask:
    """Which of the window's records `within` match."""
    match query:
        case Everything():
            return within
        case And():
            for operand in query.operands:
                if not within.any():
                    break
                within = _ask(window, operand, within)
            return within
        case Or():
            found = np.zeros_like(within)
            for operand in query.operands:
                found |= _ask(window, operand, within & ~found)
            return found
        case Not():
            return within & ~_ask(window, query.operand, within)
        case Word(field=None) | Phrase(field=None) if query.text.isascii():
            return _ask_words(window, query, within)
        case Substring() if query.text.isascii():
            text = query.text.lower() if query.ignore_case else query.text
            # A byte that is no UTF-8 came from a command line as half a character, and is looked for as it was.
            return within & _marked(
                window, Literal(text.encode("utf-8", "surrogateescape"), query.ignore_case)
            )
        case Regex(field=None):
            return _ask_regex(window, query, within)
        case _:
            return _ask_each(window, query, within & _may_match(window, query))


def _marked(window: _Window, literal: Literal) -> Mask:
    return mark_records(window.buf, window.starts, window.ends, literal)


def _ask_words(window: _Window, query: Word | Phrase, within: Mask) -> Mask:
    """Words stand in the raw bytes, or behind escapes: only records with a backslash are looked at twice."""
    found = within & _marked(window, Literal(query.text.lower().encode(), ignore_case=True, whole_words=True))
    left = within & ~found
    if not left.any():
        return found
    escaped = left & _marked(window, _BACKSLASH)
    return found | _ask_each(window, query, escaped & _may_match(window, query)) if escaped.any() else found


def _may_match(window: _Window, query: Query) -> Mask:
    """Records that hold a literal that any match must hold."""
    literals = required_literals(query)
    if literals is None:
        return np.ones(len(window.starts), np.bool_)
    found = np.zeros(len(window.starts), np.bool_)
    for literal in literals:
        found |= _marked(window, Literal(literal, ignore_case=True))
    return found


def _ask_each(window: _Window, query: Query, within: Mask) -> Mask:
    """The reference meaning, record by record: for what only Python can tell (attributes, escapes)."""
    found = np.zeros_like(within)
    meets = matcher(query)
    for place in np.flatnonzero(within).tolist():
        view = CorpusRecordView(window.corpus, window.first + place, window.text(place))
        found[place] = meets(view)
    return found


def _ask_regex(window: _Window, query: Regex, within: Mask) -> Mask:
    """RE2 over the whole block where every record is wanted; each record with a hit is then asked alone.

    A record holds a match only if the block has one that begins in it: RE2 finds the leftmost, so none that
    begins before can be missed, and one that runs over a record's end is what asking alone sorts out.
    """
    maybe = within & _may_match(window, query)
    if maybe.sum() * 4 < len(maybe) or "\\A" in query.pattern or "\\z" in query.pattern:
        return _ask_each(window, query, maybe)
    found = np.zeros_like(within)
    candidates = np.zeros_like(within)
    next_match = compile_block_regex(query.pattern)
    text = bytes(window.buf[: int(window.ends[-1]) + 1])
    starts, ends, single = window.starts.tolist(), window.ends.tolist(), window.is_one_line.tolist()
    place = starts[0]
    while True:
        start, end = next_match(text, place)
        if start < 0:
            break
        record = bisect_right(starts, start) - 1
        # Alone on its line, a record has the match that its block has; one that runs over its end is asked again.
        (found if single[record] and end <= ends[record] else candidates)[record] = True
        if record + 1 >= len(starts):
            break
        place = starts[record + 1]
    escaped = _marked(window, _BACKSLASH)
    return (maybe & found) | _ask_each(window, query, maybe & ~found & (candidates | escaped))
