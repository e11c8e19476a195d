"""Scope: a desk for who may see the records of some services only.

Nothing that such a reader is told is made of other records: the corpus is put together anew from the texts of those
in scope, so counts, templates, samples, periods, refs and notes know of nothing else.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from logpith.corpus.desk import Desk
from logpith.corpus.reading import CorpusReader
from logpith.corpus.records import Corpus, Source
from logpith.corpus.refs import Ref
from logpith.files.text import TextStream
from logpith_emit.errors import LogpithError, NotFound, Refused


class ScopedDesk(Desk):
    """A desk behind which only the records of some services are."""

    def __init__(self, desk: Desk, services: frozenset[str]) -> None:
        super().__init__(desk.roots)
        self._whole = desk
        self._services = services
        self._last: tuple[Corpus, Corpus] | None = None
        """What was opened last, and what of it is in scope."""

        self._opening = threading.Lock()

    def now_ns(self) -> int:
        return self._whole.now_ns()

    def open(self, sources: Sequence[str] = (), *, whole_lines: bool = False) -> Corpus:
        try:
            whole = self._whole.open(sources, whole_lines=whole_lines)
        except LogpithError as error:  # its words may name what is out of scope
            raise NotFound(
                "there is nothing to read here", remedy="Leave `sources` out, or ask who runs the server"
            ) from error
        with self._opening:
            if self._last is None or self._last[0] is not whole:
                self._last = (whole, within_services(whole, self._services, self.now_ns()))
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


def within_services(corpus: Corpus, services: frozenset[str], now_ns: int) -> Corpus:
    """The records of a corpus that name one of the services as theirs."""
    wanted = np.array([name in services for name in corpus.services], np.bool_)
    chosen = np.flatnonzero(wanted[corpus.columns.service])
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
    skipped = () if corpus.whole else ("stopped before the end; ask again to go on",)
    narrowed = CorpusReader(may_keep=False).read(texts, skipped, streams)
    return replace(narrowed, whole=corpus.whole)
