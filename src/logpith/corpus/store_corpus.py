"""A store as a corpus: its segments are the sources, put together when something has changed."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

from logpith.corpus.records import Corpus, Source, join_tables
from logpith.corpus.stored import source_of_segment
from logpith.store.reader import Snapshot, StoreReader
from logpith.store.segment import Segment
from logpith_emit.errors import Refused


class StoreCorpus:
    """Gives the corpus of a store as it is at each moment. May be used by several threads."""

    def __init__(self, reader: StoreReader) -> None:
        self.reader = reader
        self._sources: dict[int, tuple[Segment, Source | str]] = {}
        self._last: tuple[tuple[object, ...], Corpus] | None = None
        self._lock = threading.Lock()

    def open(self, now_ns: int, skipped: Sequence[str] = ()) -> Corpus:
        """All records of the store; `skipped` tells what could not be collected.

        Raises:
            Refused: the store is damaged.
        """
        with self._lock:
            snapshot = self.reader.snapshot(now_ns)
            key = (tuple(skipped), snapshot.damaged, *(id(segment) for segment in snapshot.segments))
            if self._last is None or self._last[0] != key:
                self._last = (key, self._corpus(snapshot, skipped))
            return self._last[1]

    def _corpus(self, snapshot: Snapshot, skipped: Sequence[str]) -> Corpus:
        known = self._sources
        self._sources = {
            id(segment): known.get(id(segment)) or (segment, _opened(segment))
            for segment in snapshot.segments
        }
        opened = [source for _, source in self._sources.values()]
        sources = [source for source in opened if isinstance(source, Source)]
        troubles = [source for source in opened if isinstance(source, str)]
        lacking = (*snapshot.damaged, *troubles)
        return replace(join_tables(sources, (*lacking, *skipped)), is_lacking=bool(lacking))


def _opened(segment: Segment) -> Source | str:
    """The segment as a source, or what is wrong with it."""
    try:
        return source_of_segment(segment)
    except Refused as error:
        return error.problem
