"""Scope: a desk for who may see the records of some services only, and a part of a store as a corpus of its own.

Nothing that such a reader is told is made of other records. A segment with records of others, too, is put together
anew from those in scope, and so is a text; so counts, templates, samples, periods, refs and notes know of nothing else.
"""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from logpith.corpus.desk import Collected, Desk
from logpith.corpus.reading import CorpusReader
from logpith.corpus.records import Corpus, Source, join_tables
from logpith.corpus.refs import Ref
from logpith.corpus.stored import SegmentText, source_of_segment
from logpith.files.text import TextStream
from logpith.store.rows import rows_of
from logpith.store.segment import Segment, segment_table
from logpith.store.segment_writer import build_segment
from logpith_emit.errors import LogpithError, NotFound, Refused

_KEPT_SEGMENTS = 64


class ScopedDesk(Desk):
    """A desk behind which only the records of some services are."""

    def __init__(self, desk: Desk, services: frozenset[str]) -> None:
        super().__init__(desk.roots, embedding=desk.embedding, time_limit_s=desk.time_limit_s)
        self.slow_s = desk.slow_s
        self._whole = desk
        self._scope = _Scope(services)
        self._last: tuple[Corpus, Corpus] | None = None
        """What was opened last, and what of it is in scope."""

        self._opening = threading.Lock()

    def now_ns(self) -> int:
        return self._whole.now_ns()

    def open(self, sources: Sequence[str] = (), *, whole_lines: bool = False) -> Corpus:
        wanted = self.collected(sources)
        # Names may say what is out of scope, so a store is not asked for them: its part in scope is.
        corpus = self._open(() if wanted else sources, whole_lines=whole_lines)
        if wanted is None:
            return corpus
        named = np.array([name in wanted.sources for name in corpus.origins], np.bool_)
        return part_of(corpus, np.flatnonzero(named[corpus.columns.origin]), self.now_ns())

    def newest(self, sources: Sequence[str], error: Exception) -> Corpus:
        try:
            whole = self._whole.newest((), error)
        except LogpithError as again:  # as above
            raise _nothing_here() from again
        corpus = self._scope.within(whole, self.now_ns())
        if not sources:
            return corpus
        named = np.array([name in sources for name in corpus.origins], np.bool_)
        return part_of(corpus, np.flatnonzero(named[corpus.columns.origin]), self.now_ns())

    def collected(self, sources: Sequence[str]) -> Collected | None:
        if not sources:
            return None
        corpus = self._open(())
        if not corpus.is_stored:
            return None
        if not set(sources) <= set(corpus.origins):
            raise _nothing_here()
        return Collected(sources=tuple(sources))

    def _open(self, sources: Sequence[str], *, whole_lines: bool = False) -> Corpus:
        try:
            whole = self._whole.open(sources, whole_lines=whole_lines)
        except LogpithError as error:  # its words may name what is out of scope
            raise _nothing_here() from error
        with self._opening:
            if self._last is None or self._last[0] is not whole:
                self._last = (whole, self._scope.within(whole, self.now_ns()))
            return self._last[1]

    def names_of(self, sources: Sequence[str]) -> frozenset[str]:
        return frozenset(source.name for source in self.open(sources).sources)

    def find_source(self, ref: Ref, sources: Sequence[str]) -> tuple[Corpus, Source]:
        corpus = self.open(sources)
        for source in corpus.sources:
            if source.key == ref.source_key:
                return corpus, source
        raise NotFound(
            f"no source with the key {ref.source_key} is known here",
            remedy="Ask log_overview or log_grep again and use the refs of that answer",
        )


def _nothing_here() -> NotFound:
    return NotFound("there is nothing to read here", remedy="Leave `sources` out, or ask who runs the server")


class _Scope:
    """The records of some services, as a part of any corpus."""

    def __init__(self, services: frozenset[str]) -> None:
        self._services = services
        self._made: OrderedDict[int, tuple[Segment, Source]] = OrderedDict()
        """What is in scope of the segments asked lately."""

    def within(self, corpus: Corpus, now_ns: int) -> Corpus:
        """The records of a corpus that name one of the services as theirs."""
        skipped = () if corpus.whole else ("stopped before the end; ask again to go on",)
        if corpus.is_stored:
            parts = [self._of_segment(source, now_ns) for source in corpus.sources]
            return join_tables([part for part in parts if part], skipped, whole=corpus.whole)
        return replace(self._of_texts(corpus, skipped, now_ns), whole=corpus.whole)

    def _of_segment(self, source: Source, now_ns: int) -> Source | None:
        text: object = source.text
        if not isinstance(text, SegmentText):
            return None
        segment = text.segment
        named = set(segment.templates.services)
        if not named & self._services:
            return None
        if named <= self._services:
            return source
        known = self._made.get(id(segment))
        if known is None:
            import pyarrow.compute as pc  # noqa: PLC0415  takes long to load, and questions need none of it

            table = segment_table(segment)
            wanted = pa.array(sorted(self._services), pa.string())
            table = table.filter(pc.is_in(table["service"], value_set=wanted))
            if not table.num_rows:
                return None
            made = build_segment(rows_of(table), segment.name, segment.head.day, now_ns, level=1)
            known = (segment, source_of_segment(Segment.of(made)))
            self._made[id(segment)] = known
            while len(self._made) > _KEPT_SEGMENTS:
                self._made.popitem(last=False)
        self._made.move_to_end(id(segment))
        return known[1]

    def _of_texts(self, corpus: Corpus, skipped: tuple[str, ...], now_ns: int) -> Corpus:
        in_scope = np.array([name in self._services for name in corpus.services], np.bool_)
        chosen = np.flatnonzero(in_scope[corpus.columns.service])
        texts: list[TextStream] = []
        streams: dict[str, str] = {}
        for source in corpus.sources:
            low, high = np.searchsorted(chosen, (source.first, source.first + source.records)).tolist()
            if low == high:
                continue
            lines = corpus.texts(chosen[low:high].tolist())
            try:
                texts.append(TextStream.drain(io.BytesIO(b"\n".join([*lines, b""])), source.name, now_ns))
            except Refused:  # a text so odd that it would not pass for one again
                continue
            streams[source.name] = source.stream or source.name
        return CorpusReader(may_keep=False).read(texts, skipped, streams)


def part_of(corpus: Corpus, chosen: NDArray[np.int64], now_ns: int) -> Corpus:
    """Some records of a store, by their ascending numbers, as a corpus of their own."""
    parts: list[Source] = []
    for source in corpus.sources:
        low, high = np.searchsorted(chosen, (source.first, source.first + source.records)).tolist()
        text: object = source.text
        if low == high or not isinstance(text, SegmentText):
            continue
        if high - low == source.records:
            parts.append(source)
            continue
        table = segment_table(text.segment).take(pa.array(chosen[low:high] - source.first))
        head = text.segment.head
        made = build_segment(rows_of(table), text.segment.name, head.day, now_ns, level=1)
        parts.append(source_of_segment(Segment.of(made)))
    return join_tables(parts, corpus.skipped, whole=corpus.whole)
