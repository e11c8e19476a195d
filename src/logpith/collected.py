"""Collected: all that the store holds, as a desk, whoever collects it.

A server collects by itself. Where none runs, whoever asks collects first: what is new in each source goes through the
stages into the store, for a short time and under its lock, and then all that is stored is read without a lock. So any
number of questions may be asked at once, beside a server or without one; who finds the store locked reads only.

How each source was when it was last read stands in a small file beside the store. So a process that has just begun
knows which sources are stale, and leaves alone for a while what failed in the process before.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Literal, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from logpith import timerange
from logpith.corpus.desk import Collected, Desk
from logpith.corpus.meaning import Embedding
from logpith.corpus.newest import Newest
from logpith.corpus.reading import Progress
from logpith.corpus.records import Corpus, Source
from logpith.corpus.refs import STORE_KEY, Ref
from logpith.corpus.scope import part_of
from logpith.corpus.services import Services
from logpith.corpus.states import SourceState
from logpith.corpus.store_corpus import StoreCorpus
from logpith.pipeline import (
    Pipeline,
    SourceStatus,
    doubling_ns,
    open_stages,
    redaction_key,
    source_named,
    stages_of,
)
from logpith.quote import shorten, show_hidden
from logpith.settings import Settings
from logpith.sources import Source as CollectedSource
from logpith.sources import source_types
from logpith.sources.reading import LineReader
from logpith.stages import Stage
from logpith.store import Store, StoreLimits, open_store
from logpith.store.classes import classify_by
from logpith.store.disk import replace_file, writer_lock
from logpith.store.keeping import Keeper, disk_room, policy_of
from logpith.store.reader import StoreReader
from logpith_emit.disk import Disk
from logpith_emit.errors import BadArgument, LogpithError, NotFound, Unavailable, nearest

When = Literal["stale", "now", "never"]
"""Which sources a question reads first: those that were not read of late, all, or none."""

ALONE_FACTOR = 10
"""How many times `refresh_within` a question waits where nobody else collects: connections are made anew each time."""

FORCED_WITHIN_NS = 60 * timerange.NS_PER_S
_STOP_WITHIN_S = 2.0
_SEAL_RECORDS = 5_000
"""So many records are put into a segment by whoever collects alone: each process would build it in memory again."""

_LINES = b"""{"time": "2026-01-01T00:00:00Z", "level": "info", "msg": "a \\\\ b"}
2026-01-01 00:00:00 ERROR a 1
  File "a.py", line 1
"""
"""A line of each kind."""

_MOST_OFFERED = 20
_NAME_WIDTH = 60


class Collector(Protocol):
    """Whoever brings what is new into the store."""

    def refresh(self) -> Sequence[str]:
        """Collects what a question should find; `name: why` of each source whose latest records may be missing."""

    def states(self) -> tuple[SourceState, ...]:
        """How each source is."""


class StoreDesk(Desk):
    """A desk whose corpus is the store's, after a look at what is new in the sources.

    Names mean sources and groups of the settings; with `files` they mean files first.
    """

    def __init__(
        self,
        reader: Callable[[], StoreReader],
        collector: Collector,
        settings: Settings,
        *,
        clock: Callable[[], int] = timerange.now_ns,
        files: Desk | None = None,
        progress: Progress | None = None,
        newest: Newest | None = None,
    ) -> None:
        search = settings.search
        super().__init__(
            files.roots if files else None,
            groups=settings.groups,
            progress=progress,
            embedding=Embedding.of(search.embeddings_url, search.embeddings_model, search.embeddings_key),
        )
        self._reader = reader
        self._corpora: StoreCorpus | None = None
        self._collector = collector
        self._settings = settings
        self._now_ns = clock
        self._files = files
        self._last: tuple[Corpus, Collected, Corpus] | None = None
        """The last part of a corpus that was asked for, and what it was of."""

        self._newest = newest
        self._beside: tuple[Corpus, Corpus] | None = None
        """The last corpus that lacked something, and what it became with what is in memory."""

        self._parting = threading.Lock()
        self._opening = threading.Lock()

    def now_ns(self) -> int:
        return self._now_ns()

    def open(self, sources: Sequence[str] = (), *, whole_lines: bool = False) -> Corpus:
        wanted = self.collected(sources)
        if sources and wanted is None and self._files:
            return self._files.open(sources, whole_lines=whole_lines)
        corpus = self._stored(self._collector.refresh())
        if corpus.is_lacking and self._newest:
            corpus = self._mended(corpus, self._newest)
        return corpus if wanted is None else self._part(corpus, wanted)

    def newest(self, sources: Sequence[str], error: Exception) -> Corpus:
        if self._newest is None:
            raise error
        why = error.problem if isinstance(error, LogpithError) else getattr(error, "strerror", None)
        corpus = self._newest.corpus(
            f"the store cannot be read: {why or type(error).__name__}", self.now_ns()
        )
        if not sources:
            return corpus
        groups = tuple(name for name in sources if name in self.groups)
        named = tuple(name for name in sources if name not in self.groups)
        return self._part(corpus, Collected(sources=named, groups=groups))

    def _mended(self, corpus: Corpus, newest: Newest) -> Corpus:
        """A corpus that lacks some of the store, with what is in memory of that."""
        with self._parting:
            if self._beside is None or self._beside[0] is not corpus:
                self._beside = (corpus, newest.beside(corpus, self.now_ns()))
            return self._beside[1]

    def remember(self) -> None:
        """Takes the newest records into memory, for when the store cannot be read.

        Raises:
            LogpithError, OSError: it cannot be read now.
        """
        if self._newest is not None:
            self._newest.remember(self._stored())

    def collected(self, sources: Sequence[str]) -> Collected | None:
        if not sources:
            return None
        groups = {name for name in sources if name in self._settings.groups}
        known = {*self._settings.sources, *groups}
        files = [name for name in sources if self._files and self._files.has_file(name)]
        if len(files) == len(sources):
            return None
        unknown = [name for name in sources if name not in known and name not in files]
        if unknown and (there := self._origins()):
            unknown = [name for name in unknown if name not in there]
            known |= there
        if unknown:
            raise self._unknown(unknown[0], known)
        if files:
            raise BadArgument(
                f"'{_shown(files[0])}' is a file, and the others were collected",
                remedy="Ask about files or about sources",
            )
        return Collected(
            sources=tuple(name for name in sources if name not in groups),
            groups=tuple(name for name in sources if name in groups),
        )

    def states(self) -> tuple[SourceState, ...]:
        return self._collector.states()

    def names_of(self, sources: Sequence[str]) -> frozenset[str]:
        if sources and self.collected(sources) is None and self._files:
            return self._files.names_of(sources)
        return frozenset(self.open(sources).origins)

    def find_source(self, ref: Ref, sources: Sequence[str]) -> tuple[Corpus, Source]:
        if ref.source_key != STORE_KEY and self._files:
            return self._files.find_source(ref, sources)
        corpus = self.open(() if ref.source_key == STORE_KEY else sources)
        for source in corpus.sources:
            if source.key == ref.source_key:
                return corpus, source
        raise NotFound(
            f"no part of the store has the key {ref.source_key}: it was put together anew, or has gone",
            remedy="Ask again and use the refs of that answer",
        )

    def _stored(self, skipped: Sequence[str] = ()) -> Corpus:
        """All that is stored.

        Raises:
            NotFound: there is no store yet.
        """
        with self._opening:
            if self._corpora is None:
                try:
                    self._corpora = StoreCorpus(self._reader())
                except NotFound as error:
                    if not skipped:
                        raise
                    raise NotFound(f"nothing is stored yet. {skipped[0]}", remedy=error.remedy) from error
            return self._corpora.open(self.now_ns(), skipped)

    def _origins(self) -> frozenset[str]:
        """The sources of all records, also of what was brought and is in no settings."""
        try:
            return frozenset(self._stored().origins)
        except NotFound:
            return frozenset()

    def _unknown(self, name: str, known: Iterable[str]) -> NotFound:
        offered = sorted({_shown(one) for one in (*known, *self._settings.groups)})
        told = f"The sources are {', '.join(offered[:_MOST_OFFERED])}" if offered else "No source is known"
        more = f" and {len(offered) - _MOST_OFFERED} more" if len(offered) > _MOST_OFFERED else ""
        what = "neither a source nor a file" if self._files else "no source"
        return NotFound(
            f"there is {what} named '{_shown(name)}'",
            remedy=f"{nearest(name, offered)} {told}{more}".strip(),
        )

    def _part(self, corpus: Corpus, wanted: Collected) -> Corpus:
        with self._parting:
            if self._last is None or self._last[0] is not corpus or self._last[1] != wanted:
                chosen = part_of(corpus, self._chosen(corpus, wanted), self.now_ns())
                self._last = (corpus, wanted, chosen)
            return self._last[2]

    def _chosen(self, corpus: Corpus, wanted: Collected) -> NDArray[np.int64]:
        named = np.array([name in wanted.sources for name in corpus.origins], np.bool_)
        everything = np.arange(len(corpus))
        chosen = everything[named[corpus.columns.origin]] if len(corpus) else everything
        if wanted.groups:
            grouped = Services(corpus, self.groups).chosen(everything, wanted.groups)
            chosen = np.union1d(chosen, grouped)
        return chosen


def _shown(name: str) -> str:
    return show_hidden(shorten(name, _NAME_WIDTH))


# ── Who collects ────────────────────────────────────────────────────────────────────────────────────────────


class Serving:
    """The collector of a server: its pipeline, which runs all the time."""

    def __init__(self, pipeline: Pipeline, settings: Settings) -> None:
        self._pipeline = pipeline
        self._collect = settings.collect
        self._file = StateFile(settings)
        self._noted: tuple[SourceState, ...] = ()

    def refresh(self) -> Sequence[str]:
        """See `Collector.refresh`."""
        if not self._collect.refresh_before_search:
            return ()
        failed = self._pipeline.refresh(
            within_ns=self._collect.refresh_within_ns, older_than_ns=self._collect.max_staleness_ns
        )
        return [f"{name}: {why}" for name, why in failed.items()]

    def states(self) -> tuple[SourceState, ...]:
        """See `Collector.states`."""
        return tuple(map(_state_of, self._pipeline.status()))

    def note_states(self) -> None:
        """Tells other processes how the sources are.

        Raises:
            OSError: the disk fails.
        """
        states = self.states()
        if states != self._noted:
            self._file.write(states)
            self._noted = states


class Alone:
    """The collector of a process that is no server: it collects what is stale, unless another process has the store."""

    def __init__(
        self, settings: Settings, *, when: When = "stale", clock: Callable[[], int] = timerange.now_ns
    ) -> None:
        self._settings = settings
        self._when: When = when if settings.collect.refresh_before_search or when == "now" else "never"
        self._clock = clock
        self._file = StateFile(settings)
        self._collecting = threading.Lock()
        self._trouble = ""

    def refresh(self) -> Sequence[str]:
        """See `Collector.refresh`."""
        with self._collecting:  # a second question waits for the first one's reading, and finds nothing stale
            due = self._due()
            if due:
                self._collect(due)
            told = [f"{state.name}: {state.problem}" for state in self.states() if state.is_failing]
            return [*told, self._trouble] if self._trouble else told

    def states(self) -> tuple[SourceState, ...]:
        """See `Collector.states`."""
        noted = self._file.read()
        return tuple(
            noted.get(name, SourceState(name=name, type=str(table.get("type", ""))))
            for name, table in self._settings.sources.items()
        )

    def _due(self) -> list[str]:
        """The sources to be read now."""
        if self._when == "never":
            return []
        asked = [state for state in self.states() if _is_asked(state.type)]
        now_ns, staleness_ns = self._clock(), self._settings.collect.max_staleness_ns
        return [state.name for state in asked if self._when == "now" or is_due(state, now_ns, staleness_ns)]

    def _collect(self, due: Sequence[str]) -> None:
        """Brings what is new in some sources into the store, unless another process does."""
        folder = self._settings.store.folder
        self._trouble = ""
        try:
            folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder.mkdir(exist_ok=True)
            with writer_lock(folder):
                pass
        except Unavailable:
            return  # whoever holds it collects
        except OSError as error:
            self._trouble = f"nothing could be collected: {folder}: {error.strerror or type(error).__name__}"
            return
        try:
            with store_for(self._settings) as (store, keeper):
                states = self._read_into(store, due)
                self._file.write(
                    [{state.name: state for state in states}.get(old.name, old) for old in self.states()]
                )
                now_ns = self._clock()
                if sum(batch.num_rows for batch in store.hot()) >= _SEAL_RECORDS:
                    store.seal(now_ns)
                store.maintain(now_ns)
                keeper.keep(now_ns, disk_room(folder)[1])
        except (LogpithError, OSError) as error:
            self._trouble = f"not all could be collected: {error}"

    def _read_into(self, store: Store, due: Sequence[str]) -> list[SourceState]:
        """How the sources are after what is new in them was stored."""
        before = {state.name: state for state in self.states()}
        sources: dict[str, CollectedSource] = {}
        failed: dict[str, str] = {}
        for name in due:
            try:
                sources[name] = source_named(self._settings, name)
            except LogpithError as error:
                failed[name] = str(error)
        stages = stages_of(self._settings, redaction_key(self._settings.store.folder.parent))
        _load_kernels(stages)
        within_ns = self._settings.collect.refresh_within_ns * ALONE_FACTOR
        retention_ns = self._settings.store.retention_ns
        pipeline = Pipeline(
            sources, stages, store, every_ns=None, clock=self._clock, retention_ns=retention_ns
        )
        with pipeline.running(stop_within_s=_STOP_WITHIN_S):
            if sources:
                failed |= pipeline.refresh(within_ns=FORCED_WITHIN_NS if self._when == "now" else within_ns)
        now_ns = self._clock()
        for status in pipeline.status():
            was = before[status.name]
            lost = {
                reason: was.lost.get(reason, 0) + status.lost.get(reason, 0)
                for reason in {*was.lost, *status.lost}
            }
            before[status.name] = replace(was, lost=lost, old=was.old + status.old)
        return [
            replace(before[name], problem=failed[name], tried_ns=now_ns, failures=before[name].failures + 1)
            if name in failed
            else replace(before[name], problem="", tried_ns=now_ns, success_ns=now_ns, failures=0)
            for name in due
        ]


def _load_kernels(stages: Sequence[Stage]) -> None:
    """Compiles what reading needs, where that has not been done: sources have no time for it."""
    found = LineReader("none").read_text(_LINES, 0)
    with open_stages(stages) as chain:
        chain(found.batch)


def is_due(state: SourceState, now_ns: int, staleness_ns: int) -> bool:
    """Whether a question should read a source again. What lies ahead of the clock tells nothing."""
    since_ns = now_ns - state.tried_ns
    if state.is_failing:
        return not 0 <= since_ns < doubling_ns(state.failures)
    return not state.success_ns or not 0 <= since_ns < staleness_ns


def _state_of(status: SourceStatus) -> SourceState:
    """How a source of a running pipeline is."""
    return SourceState(
        name=status.name,
        type=status.type,
        problem=f"{status.problem}. {status.remedy}" if status.failures else "",
        tried_ns=status.last_success_ns or 0,
        success_ns=status.last_success_ns or 0,
        failures=status.failures,
        lost=status.lost,
        old=status.old,
    )


def is_called(source: CollectedSource | type[CollectedSource]) -> bool:
    """Whether a source is not asked for records, but called by who brings them."""
    return callable(getattr(source, "deliver", None))


def _is_asked(kind: str) -> bool:
    """Whether sources of a type can be read by a question; an unknown type is told when it is tried."""
    known = source_types().get(kind)
    # What is piped into a question, or into an agent's server, is no log to be kept.
    return known is None or not (is_called(known) or known.listens or kind == "stdin")


class StateFile:
    """How each source was when it was last read, in a file beside the store. What it says of a source holds as long as
    the settings say the same of it."""

    def __init__(self, settings: Settings, disk: Disk | None = None) -> None:
        folder = settings.store.folder
        self._path = folder.with_name(f"{folder.name}.sources")
        self._disk = disk or Disk()
        self._digests = {name: _digest(table) for name, table in settings.sources.items()}

    def read(self) -> Mapping[str, SourceState]:
        """The states by the names of their sources; none where nothing is known, or the file is damaged."""
        try:
            noted = msgspec.json.decode(self._disk.read(self._path), type=dict[str, tuple[str, SourceState]])
        except (OSError, msgspec.DecodeError):
            return {}
        return {name: state for name, (digest, state) in noted.items() if digest == self._digests.get(name)}

    def write(self, states: Iterable[SourceState]) -> None:
        """Notes the states.

        Raises:
            OSError: the disk fails.
        """
        noted = {state.name: (self._digests.get(state.name, ""), state) for state in states}
        if noted:
            replace_file(self._disk, self._path, msgspec.json.encode(noted))


def _digest(table: Mapping[str, object]) -> str:
    spelled = msgspec.json.encode(table, enc_hook=repr, order="deterministic")
    return hashlib.blake2b(spelled, digest_size=8).hexdigest()


# ── Together ────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def store_for(settings: Settings) -> Iterator[tuple[Store, Keeper]]:
    """The store of the settings, to be written, and who keeps it within its bounds.

    Raises:
        Unavailable: another process writes it.
        Refused: the folder holds something else, or the store is damaged.
    """
    folder = settings.store.folder
    classes = [(one.name, one.query) for one in settings.store.classes]
    limits = StoreLimits(classify=classify_by(classes) if classes else None)
    with open_store(folder, limits=limits) as store:
        yield store, Keeper(store, policy_of(settings.store, disk_room(folder)[0]))


def collected_desk(
    settings: Settings,
    *,
    when: When = "stale",
    files: Desk | None = None,
    progress: Progress | None = None,
    clock: Callable[[], int] = timerange.now_ns,
) -> StoreDesk:
    """The desk of a process that is no server: over what was collected, and over `files` where those are named."""
    collector = Alone(settings, when=when, clock=clock)
    return StoreDesk(
        lambda: StoreReader(settings.store.folder),
        collector,
        settings,
        clock=clock,
        files=files,
        progress=progress,
    )
