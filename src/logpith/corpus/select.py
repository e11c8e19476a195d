"""A query → the records of a corpus that match it.

Each leaf of the query is asked in the cheapest way that is exact: columns by numpy, literal text by a kernel
over whole blocks, a regex by RE2 over whole blocks, all else record by record with the reference meaning of
`query/match.py`, behind the literals that any match must hold. A branch is only asked about the records that
its neighbours have left.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from logpith.corpus.records import Corpus, Source
from logpith.corpus.segment_query import SegmentQuery, is_prepared, is_within, may_name
from logpith.corpus.view import CorpusRecordView, fields_of_record
from logpith.corpus.watch import current
from logpith.corpus.windows import Window, map_windows
from logpith.formats import syslog
from logpith.formats.wrappers import DOCKER_KEY
from logpith.query import (
    And,
    ColumnPredicates,
    Everything,
    Exists,
    Not,
    Or,
    Phrase,
    Query,
    Reading,
    Regex,
    Substring,
    Value,
    Wildcard,
    Word,
    column_predicates,
    fields_of,
    matcher,
    parse,
    parse_with_notes,
    required_literals,
    value_matcher,
)
from logpith.query.fields import FIELD_NAMES, column_named, column_spelled, spellings_of
from logpith.query.plan import ALL_SEVERITIES
from logpith.query.regex import compile_block_regex, mark_matching, read_group
from logpith.query.texts import distinct_texts
from logpith.query.tree import FieldTest, TextTerm
from logpith.query.words import wildcard_regex
from logpith.quote import shorten, show_hidden
from logpith.scan.field_values import ABSENT, ASK, BARE, TEXT, FieldName, find_values
from logpith.scan.search import Literal, mark_records
from logpith.scan.tally import END
from logpith.scan.timestamps import NO_TIME
from logpith.timerange import TimeRange
from logpith_emit.errors import nearest
from logpith_emit.record import flat, normalised

Mask = NDArray[np.bool_]
Result = TypeVar("Result")
ALWAYS = TimeRange()

# Asking a record alone takes as long as RE2 takes for some fifty of them in a row.
_WORTH_ASKING_EACH = 50
_WORTH_FINDING = 4
_SAMPLED = 300
_AT_ONCE = 32
"""Pieces that are asked before the time is looked at again."""

_BACKSLASH = Literal(b"\\")
_BRACE = ord("{")
HOST = "host"
_NO_KEY = "\0"
_MARKED_NAMES = Literal(b"short_message")
"""What an object of GELF has, whose other names bear a mark."""

_WRAPPED = f'{{"{DOCKER_KEY}":'
_PAIR = r"\A[A-Za-z_@][A-Za-z0-9_.@/-]{0,63}="
_BEGINS_KEY = np.array(
    [chr(byte).isascii() and (chr(byte).isalpha() or chr(byte) in "_@") for byte in range(256)]
)


def check_query(text: str) -> None:
    """Nothing, when `text` can be read as a query: a mistake shall be told before a large file is read.

    Raises:
        BadQuery: it cannot; knows the place.
    """
    parse(text, now_ns=0, end_ns=0)


def read_query(corpus: Corpus, text: str, now_ns: int) -> Reading:
    """The query that `text` says of a corpus; a bare `10m` counts back from its last record, in a store from now."""
    return parse_with_notes(text, now_ns=now_ns, end_ns=corpus.counts_back_from_ns)


_NO_SERVICE = "No record here says of which service it is: ask by source."


def unknown_fields(corpus: Corpus, query: Query) -> tuple[str, ...]:
    """What to tell whose query found nothing: the names in it that no record seems to have."""
    asked = sorted(fields_of(query))
    names = [name for name in asked if column_named(name) is None]
    if not len(corpus):
        return ()
    notes = (_NO_SERVICE,) if "service" in asked and len(corpus.services) == 1 else ()
    if not names:
        return notes
    some = np.unique(np.linspace(0, len(corpus) - 1, num=min(len(corpus), _SAMPLED)).astype(np.int64))
    known: set[str] = set()
    for record, raw in zip(some.tolist(), corpus.texts(some.tolist()), strict=True):
        source = corpus.source_of(record)
        fields = fields_of_record(raw.decode("utf-8", "surrogateescape"), source.own_formats, source.columns)
        known.update(normalised(name) for name, _ in flat(fields))
    return notes + tuple(
        f"None of {len(some)} sampled records has a field named {show_hidden(shorten(name, 60))!r}."
        f"{nearest(name, FIELD_NAMES)}"
        for name in names
        if normalised(name) not in known and normalised(name.rpartition(".")[2]) not in known
    )


def select(corpus: Corpus, query: Query, period: TimeRange = ALWAYS) -> NDArray[np.int64]:
    """The numbers of the records in a period that match, in order."""
    predicates, rest = column_predicates(query)
    predicates = replace(predicates, time=predicates.time.intersect(period))
    segments = [source for source in corpus.sources if source.is_segment]
    found = _in_segments(corpus, segments, predicates, rest) if segments else {}
    parts = [
        found[source.first]
        if source.is_segment
        else _in_text(corpus, source, predicates, rest) + source.first
        for source in corpus.sources
    ]
    return np.concatenate([np.empty(0, np.int64), *parts])


def newest(corpus: Corpus, query: Query, period: TimeRange = ALWAYS, limit: int = 20) -> NDArray[np.int64]:
    """The last `limit` records of a period that match, by time, the newest first; of a store only as much is read as
    it takes. Records without a time come last."""
    predicates, rest = column_predicates(query)
    predicates = replace(predicates, time=predicates.time.intersect(period))
    found = np.empty(0, np.int64)
    times = np.empty(0, np.int64)
    waiting = sorted(corpus.sources, key=lambda source: -int(source.table.times[END]))
    for source in waiting:
        if len(times) >= limit and int(source.table.times[END]) < times[limit - 1]:
            break
        for records, of_records in _from_the_end(corpus, source, predicates, rest, limit):
            found, times = np.concatenate([found, records]), np.concatenate([times, of_records])
            order = np.lexsort((found, times))[::-1][:limit]  # NO_TIME is the least, and has no opposite
            found, times = found[order], times[order]
    return found


def _from_the_end(
    corpus: Corpus, source: Source, predicates: ColumnPredicates, rest: Query, limit: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """(numbers, times) of records of a source that match, until so many are found that older ones do not matter."""
    if not source.is_segment:
        chosen = _in_text(corpus, source, predicates, rest)
        yield chosen + source.first, source.table.columns["time_ns"][chosen]
        return
    asked = SegmentQuery(corpus, source, predicates, rest, ask_window)
    count = 0
    for block in reversed(asked.blocks()):
        rows = asked.ask(range(block, block + 1))
        if len(rows):
            times = asked.segment.times([block])[rows - asked.segment.rows_of(block).start]
            yield rows + source.first, times
            count += len(rows)
            # Rows stand in the order of time, but for those without one.
            if count >= limit and not asked.segment.head.undated:
                return


def _in_text(corpus: Corpus, source: Source, predicates: ColumnPredicates, rest: Query) -> NDArray[np.int64]:
    """The records of a text that match, by their numbers in it."""
    wanted = _by_columns(corpus, source, predicates)
    if isinstance(rest, Everything) or not wanted.any():
        return np.flatnonzero(wanted)
    found = np.zeros(source.records, np.bool_)
    asked = map_windows(
        corpus,
        source,
        wanted,
        lambda window, within: ask_window(window, rest, within),
        required_literals(rest),
    )
    for window, matching in asked:
        found[window] = matching
    return np.flatnonzero(found)


def _in_segments(
    corpus: Corpus, sources: Sequence[Source], predicates: ColumnPredicates, rest: Query
) -> dict[int, NDArray[np.int64]]:
    """The records of some segments that match, by the segment's first record: all blocks on all cores. What was asked
    of a segment lately is not asked again."""

    def ask(source: Source) -> tuple[SegmentQuery, list[range]]:
        asked = SegmentQuery(corpus, source, predicates, rest, ask_window)
        return asked, [] if asked.is_everything else asked.pieces()

    found: dict[int, NDArray[np.int64]] = {}
    unknown: list[Source] = []
    for source in sources:
        columns: Any = source.table.columns
        known = columns.found(_question(source, predicates, rest))
        if known is None:
            unknown.append(source)
        else:
            found[source.first] = known + source.first
    work: list[tuple[int, SegmentQuery, range]] = []
    # Where templates are made ready, looking at them takes less than handing the work over.
    is_ready = all(is_prepared(source) for source in unknown)
    opened = [ask(source) for source in unknown] if is_ready else list(workers().map(ask, unknown))
    for source, (asked, pieces) in zip(unknown, opened, strict=True):
        work += [(source.first, asked, piece) for piece in pieces]
    watch = current()
    rows: list[NDArray[np.int64]] = []
    # The newest come first: where time runs out, they are what is known.
    work.reverse()
    for begin in range(0, len(work), _AT_ONCE):
        if watch.is_over():
            watch.scanned.blocks_left += sum(len(piece) for _, _, piece in work[begin:])
            break
        some = work[begin : begin + _AT_ONCE]
        rows += (map if len(some) == 1 else workers().map)(lambda one: one[1].ask(one[2]), some)
    for asked, _ in opened:
        watch.scanned.add(asked.scanned)
    parts: dict[int, list[NDArray[np.int64]]] = {}
    for (first, _, _), matching in reversed(list(zip(work, rows, strict=False))):
        parts.setdefault(first, []).append(matching)
    for source, (asked, _) in zip(unknown, opened, strict=True):
        if asked.is_everything:
            found[source.first] = np.arange(source.first, source.first + source.records)
            continue
        matching = np.concatenate([np.empty(0, np.int64), *parts.get(source.first, ())])
        found[source.first] = matching + source.first
        if len(rows) == len(work):
            columns = source.table.columns
            columns.remember(_question(source, predicates, rest), matching)
    return found


def _question(source: Source, predicates: ColumnPredicates, rest: Query) -> tuple[object, ...]:
    """What tells a question to a segment from others. A period that all of the segment is in is no part of it, so that
    "the last hour" is the same question a moment later."""
    text: Any = source.text
    time = ALWAYS if is_within(text.segment, predicates.time) else predicates.time
    return predicates.severity, time, predicates.source, rest


class _Workers(ThreadPoolExecutor):
    """Threads on which work counts as that of the question that has asked for it."""

    def submit(self, work: Callable[..., Result], /, *given: Any, **named: Any) -> Future[Result]:
        return super().submit(copy_context().run, work, *given, **named)


@cache
def workers() -> ThreadPoolExecutor:
    """A thread for each core, for work that keeps no lock."""
    return _Workers(os.cpu_count() or 1, thread_name_prefix="segments")


def _by_columns(corpus: Corpus, source: Source, predicates: ColumnPredicates) -> Mask:
    """The records of a source that columns let through."""
    low, high = predicates.severity
    some = slice(source.first, source.first + source.records)
    wanted: Mask = np.ones(source.records, np.bool_)
    if (low, high) != ALL_SEVERITIES:
        wanted = (corpus.severity[some] >= low) & (corpus.severity[some] <= high)
    time = predicates.time
    if time.start_ns is not None or time.end_ns is not None:
        times = source.table.columns["time_ns"]
        wanted &= times != NO_TIME
        if time.start_ns is not None:
            wanted &= times >= time.start_ns
        if time.end_ns is not None:
            wanted &= times < time.end_ns
    for query in predicates.source:
        if not value_matcher(query)(source.name):
            wanted[:] = False
    return wanted


def ask_window(window: Window, query: Query, within: Mask) -> Mask:
    """Which of the window's records `within` match."""
    match query:
        case Everything():
            return within
        case And():
            for operand in query.operands:
                if not within.any():
                    break
                within = ask_window(window, operand, within)
            return within
        case Or():
            found = np.zeros_like(within)
            for operand in query.operands:
                found |= ask_window(window, operand, within & ~found)
            return found
        case Not():
            return within & ~ask_window(window, query.operand, within)
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
        case Wildcard(field=None) if window.records is not None and query.pattern.isascii():
            return _ask_wildcard(window, query, within)
        case _:
            return _ask_field(
                window, query, within & (_may_match(window, query) | _told_elsewhere(window, query))
            )


def _marked(window: Window, literal: Literal) -> Mask:
    return mark_records(window.buf, window.starts, window.ends, literal)


def _ask_words(window: Window, query: Word | Phrase, within: Mask) -> Mask:
    """Words stand in the raw bytes, or behind escapes: only records with a backslash are looked at twice."""
    found = within & _marked(window, Literal(query.text.lower().encode(), ignore_case=True, whole_words=True))
    left = within & ~found
    if not left.any():
        return found
    escaped = left & _marked(window, _BACKSLASH)
    return found | _ask_each(window, query, escaped & _may_match(window, query)) if escaped.any() else found


def _ask_wildcard(window: Window, query: Wildcard, within: Mask) -> Mask:
    """Lines of a segment, in one call; those with a backslash may say it behind an escape."""
    pattern = wildcard_regex(query.pieces, any_case=True)
    found = within & mark_matching(pattern, window.buf, window.starts, window.ends)
    escaped = within & ~found & _marked(window, _BACKSLASH)
    return found | _ask_each(window, query, escaped & _may_match(window, query)) if escaped.any() else found


def _may_match(window: Window, query: Query) -> Mask:
    """Records that hold a literal that any match must hold."""
    literals = required_literals(query)
    if literals is None:
        return np.ones(len(window.starts), np.bool_)
    found = np.zeros(len(window.starts), np.bool_)
    for literal in literals:
        found |= _marked(window, Literal(literal, ignore_case=True))
    return found


def _ask_field(window: Window, query: Query, within: Mask) -> Mask:
    """What a field holds in objects of JSON and in pairs is read off without building them, and asked once for each
    value."""
    field = query.field if isinstance(query, TextTerm | FieldTest) else None
    if field is None or isinstance(query, Exists) or not within.any():
        return _ask_each(window, query, within)
    source = window.corpus.source_of(window.record(0))
    if column_named(field) not in (None, HOST) or source.columns or source.own_formats:
        return _ask_each(window, query, within)
    within_text = within & ~_told_elsewhere(window, query)
    rows = _read_off(window, within_text)
    kinds, spans = find_values(window.buf, window.starts[rows], window.ends[rows], _finder(field))
    meets = value_matcher(query)
    found, decided = np.zeros_like(within), np.zeros_like(within)
    for kind in (TEXT,) if column_named(field) else (TEXT, BARE):
        some = np.flatnonzero(kinds == kind)
        places, values = distinct_texts(window.buf, spans[some, 0], spans[some, 1])
        found[rows[some]] = np.array([_meets(meets, kind, value) for value in values], np.bool_)[places]
    # What other spellings of a column say must be asked, too, where this one does not match.
    is_told = (kinds != ASK) & ((kinds != BARE) | (column_named(field) is None))
    # A key of logfmt that stands alone is true.
    is_told &= (kinds != ABSENT) | (window.buf[window.starts[rows]] == _BRACE)
    decided[rows] = is_told & (found[rows] | (column_spelled(field) is None))
    if HOST in (column_named(field), column_spelled(field)):
        rows = np.flatnonzero(within_text & ~decided)
        places, hosts = hosts_in_headers(window.buf, window.starts[rows], window.ends[rows])
        found[rows] |= np.array([*map(meets, hosts), False], np.bool_)[places]
        decided[rows] = places >= 0
    return found | _ask_each(window, query, within & ~decided)


def hosts_in_headers(
    buf: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> tuple[NDArray[np.int32], list[str]]:
    """(places, hosts): the host of each line that begins as syslog does, as a place among all; -1 for lines of which a
    header does not tell alone."""
    places, hosts = read_group(syslog.HOST, HOST, buf, starts, ends)
    in_pairs, _ = find_values(buf, starts, ends, _finder(HOST))
    is_told = np.array([*(host not in syslog.NO_HOSTS for host in hosts), False], np.bool_)[places]
    return np.where(is_told & (in_pairs == ABSENT), places, np.int32(-1)), hosts


@lru_cache(maxsize=256)
def _finder(field: str) -> FieldName:
    # Of a column the name itself is one spelling among others, by its rank.
    return FieldName.of(_NO_KEY if column_named(field) else field, spellings_of(field))


def _read_off(window: Window, within: Mask) -> NDArray[np.int64]:
    """Those of some records that say what they say: objects of JSON and pairs, with no wrapper around them."""
    first = window.buf[window.starts]
    object_like = within & (first == _BRACE)
    if object_like.any():
        object_like &= ~_marked(window, _MARKED_NAMES)
    plain = object_like | (within & _BEGINS_KEY[first])
    places = np.flatnonzero(plain)
    starts, ends = window.starts[places], window.ends[places]
    is_pair = mark_matching(_PAIR, window.buf, starts, ends)
    is_wrapped = mark_matching(f"\\A{re.escape(_WRAPPED)}", window.buf, starts, ends)
    return places[np.where(first[places] == _BRACE, ~is_wrapped, is_pair)]


def _meets(meets: Callable[[Value], bool], kind: int, value: bytes) -> bool:
    text = value.decode("utf-8", "surrogateescape")
    return meets(json.loads(text) if kind == BARE else text)


def _told_elsewhere(window: Window, query: Query) -> Mask:
    """Records of which more is known than their text says, and it may be what a query asks about."""
    source = window.corpus.source_of(window.record(0)) if len(window.starts) else None
    field = getattr(query, "field", None)
    if source is None or field is None or not source.table.extras:
        return np.zeros(len(window.starts), np.bool_)
    named = np.array([may_name(extra, field) for extra in source.table.extras], np.bool_)
    numbers = (
        np.arange(window.first, window.first + len(window.starts))
        if window.records is None
        else window.records
    )
    told: Mask = named[source.table.columns["extra"][numbers - source.first]]
    return told


def _ask_each(window: Window, query: Query, within: Mask) -> Mask:
    """The reference meaning, record by record: for what only Python can tell (attributes, escapes)."""
    found = np.zeros_like(within)
    meets = matcher(query)
    for place in np.flatnonzero(within).tolist():
        view = CorpusRecordView(window.corpus, window.record(place), window.text(place))
        found[place] = meets(view)
    return found


def _ask_regex(window: Window, query: Regex, within: Mask) -> Mask:
    """RE2 over the whole block where many records are wanted; each with a match that is not its own is asked alone."""
    maybe = within
    # A short literal stands nearly everywhere: RE2 is as quick as looking for it. Of a segment only such records
    # are here as hold one.
    if window.records is None and min(map(len, required_literals(query) or (b"",))) >= _WORTH_FINDING:
        maybe = within & _may_match(window, query)
    is_few = maybe.sum() * _WORTH_ASKING_EACH < len(maybe)
    if is_few or "\\A" in query.pattern or "\\z" in query.pattern:
        return _ask_each(window, query, maybe & _may_match(window, query))
    found, candidates = _of_block(window, query)
    holds_any = b"\\" in bytes(window.buf[: int(window.ends[-1])])
    escaped = _marked(window, _BACKSLASH) if holds_any else np.zeros_like(within)
    return (maybe & found) | _ask_each(window, query, maybe & ~found & (candidates | escaped))


def _of_block(window: Window, query: Regex) -> tuple[Mask, Mask]:
    """(records that match, records that may: they have several lines, or a match that runs over their end).

    Lines of a segment are each asked, in one call. A text is searched as a whole: a record of it holds a match only if
    the block has one that begins in the record, since RE2 finds the leftmost, and none that begins before is missed.
    """
    if window.records is not None:
        hit = mark_matching(query.pattern, window.buf, window.starts, window.ends)
        return hit & window.is_one_line, hit & ~window.is_one_line
    next_match = compile_block_regex(query.pattern)
    text = bytes(window.buf[: int(window.ends[-1]) + 1])
    spans: list[tuple[int, int]] = []
    place = int(window.starts[0])
    while place >= 0:
        start, end = next_match(text, place)
        if start < 0:
            break
        spans.append((start, end))
        place = text.find(b"\n", start) + 1 or -1  # the next line: one match tells enough of this one
    hits = np.array(spans, np.int64).reshape(-1, 2)
    records = np.searchsorted(window.starts, hits[:, 0], side="right") - 1
    # Alone on its line, a record has the match that its block has; one that runs over its end is asked again.
    is_own = window.is_one_line[records] & (hits[:, 1] <= window.ends[records])
    found, candidates = np.zeros(len(window.starts), np.bool_), np.zeros(len(window.starts), np.bool_)
    found[records[is_own]] = True
    candidates[records[~is_own]] = True
    return found, candidates
