"""What a running server holds, and the two things that doors do with it: bring records, and ask.

Whatever brings records, a request, a webhook or a source, ends in the store: kept first, and only then told to those
who listen. Whoever asks gets a desk that shows no more than they may see.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, cast

import numpy as np
import pyarrow as pa

from logpith import timerange
from logpith.batch import Batch, with_column
from logpith.collected import Serving, StoreDesk, is_called, store_for
from logpith.corpus.desk import Desk
from logpith.corpus.masking import without_secrets
from logpith.corpus.newest import Newest
from logpith.corpus.scope import ScopedDesk
from logpith.corpus.services import Services
from logpith.corpus.states import SourceState
from logpith.memory import Rest
from logpith.pipeline import Passed, Pipeline, redaction_key, sources_of, stages_of
from logpith.scan.tally import time_ranks
from logpith.server.live import Live
from logpith.server.tokens import ASKING, Tokens
from logpith.server.waiting import note_progress
from logpith.settings import Settings
from logpith.sources import Source as CollectedSource
from logpith.sources.emit import Destinations, EmitSource
from logpith.store import Store
from logpith.store.keeping import Keeper, disk_room
from logpith.store.reader import StoreReader
from logpith.telemetry import Family, Metric, Telemetry
from logpith_emit.errors import LogpithError, NotFound, Unavailable

INGESTED_RECORDS = Metric(
    name="logpith_ingest_records_total", doc="Records that requests brought, by what became of them."
)
INGESTED_BYTES = Metric(
    name="logpith_ingest_bytes_total", doc="Bytes of requests that brought records, unpacked."
)
LISTENERS = Metric(name="logpith_live_listeners", doc="Who listens to the live tail.", kind="gauge")
MAINTAIN_EVERY_S = 1.0
_MOST_TOLD = 3

log = logging.getLogger(__name__)


Position = tuple[str, str]
"""What somebody calls a place that they read, and how far they have come there."""

Told = Callable[[Passed], None]
"""Told what stages have made of records."""


class Keep(Protocol):
    """Where a server keeps what it is brought."""

    def take(
        self, batch: Batch, *, batch_id: str = "", position: Position | None = None, told: Told | None = None
    ) -> bool:
        """Keeps a batch, which is durable when this returns; False when it was taken before under that id. A position
        is kept with it; `told` is told what stages have made of it.

        Raises:
            Unavailable: not now. OSError of a full disk: not before there is room.
        """

    def desk(self) -> Desk:
        """The desk at which all that is kept can be asked."""

    def remember(self) -> None:
        """Takes the newest of what was kept before into memory.

        Raises:
            LogpithError, OSError: it cannot be read now.
        """

    def is_ready(self) -> bool:
        """Whether records are taken and found."""

    def families(self) -> Iterable[Family]:
        """What it counts, for `/metrics`."""


class Hook(Protocol):
    """A source that others call."""

    @property
    def is_signed(self) -> bool:
        """Whether `deliver` refuses whoever cannot sign; who is not asked to sign needs a token."""

    def deliver(self, body: bytes, headers: Mapping[str, str]) -> Batch:
        """The records of a call.

        Raises:
            Refused: the call is not from who it should be, or cannot be read.
        """


@dataclass(kw_only=True)
class Running:
    """A server that runs."""

    keep: Keep
    tokens: Tokens | None
    """None where everybody may do everything: on a loopback address, and only when asked for."""

    hooks: Mapping[str, Hook] = field(default_factory=dict)
    live: Live = field(default_factory=Live)
    telemetry: Telemetry = field(default_factory=Telemetry)
    _scoped: dict[frozenset[str], ScopedDesk] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.telemetry.also(self._families)

    def take(
        self, batch: Batch, *, batch_id: str = "", position: Position | None = None, told: Told | None = None
    ) -> bool:
        """Keeps a batch; False when it was taken before under that id. See `Keep.take`.

        Raises:
            Unavailable: not now. OSError of a full disk: not before there is room.
        """
        taken = self.keep.take(batch, batch_id=batch_id, position=position, told=told)
        outcome = "accepted" if taken else "duplicate"
        self.telemetry.count(INGESTED_RECORDS, batch.num_rows, outcome=outcome)
        return taken

    def desk(self) -> Desk:
        """The desk of who asks: it shows only what they may see.

        Raises:
            LookupError: nobody asks, so nothing may be read.
        """
        services = ASKING.get().services
        if services is None:
            return self.keep.desk()
        if services not in self._scoped:  # as many as there are tokens
            self._scoped[services] = ScopedDesk(self.keep.desk(), services)
        return self._scoped[services]

    def newest_lines(self, service: str, count: int) -> list[str]:
        """The last lines of a service, oldest first, secrets redacted.

        Raises:
            NotFound: there is no such service, or who asks may not see it; the two look the same.
            Unavailable: the sources that it comes from cannot be read, so its last lines are not known.
        """
        desk = self.desk()
        corpus = desk.open()
        failing = [state for state in self.keep.desk().states() if state.is_failing]
        try:
            chosen = Services(corpus, desk.groups).chosen(np.arange(len(corpus)), [service])
        except NotFound as error:
            if failing:  # one of them may be where it comes from
                raise _not_told(failing) from error
            raise
        came_from = {corpus.origins[place] for place in np.unique(corpus.columns.origin[chosen]).tolist()}
        if came_from <= {state.name for state in failing}:
            raise _not_told([state for state in failing if state.name in came_from])
        newest = chosen[np.argsort(time_ranks(corpus.columns.time_ns[chosen]))][-count:].tolist()
        return [without_secrets(text).decode("utf-8", "replace") for text in corpus.texts(newest)]

    def is_ready(self) -> bool:
        """Whether records are taken and found."""
        return self.keep.is_ready()

    def remember(self) -> None:
        """Takes the newest of what was kept before into memory, for when the store cannot be read."""
        try:
            self.keep.remember()
        except (LogpithError, OSError) as error:
            log.warning("the newest records could not be read: %s", error)

    def _families(self) -> Iterable[Family]:
        self.telemetry.set(LISTENERS, len(self.live))
        return self.keep.families()


def _not_told(failing: Sequence[SourceState]) -> Unavailable:
    """Why lines cannot be told; who sees some services only learns no names of sources."""
    told = "; ".join(f"{state.name}: {state.problem}" for state in failing[:_MOST_TOLD])
    if ASKING.get().services is not None:
        told = "a source of this server cannot be read"
    return Unavailable(told, remedy="Mend it there, and ask again: it is read anew by itself")


# ── Over the store ──────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def running_on_store(
    settings: Settings,
    tokens: Tokens | None,
    *,
    clock: Callable[[], int] = timerange.now_ns,
    hooks: Mapping[str, Hook] | None = None,
    tell: Callable[[str], None] | None = None,
) -> Iterator[Running]:
    """A server's insides: sources → stages → store, and the store kept in order beside it. `tell` is told when a source
    begins to fail, and when it works again.

    Raises:
        BadArgument: the settings name a source or a stage that cannot be built.
        Unavailable: another process writes the store.
    """
    stages = stages_of(settings, redaction_key(settings.store.folder.parent))
    sources = sources_of(settings)
    live, newest = Live(), Newest()
    with ExitStack() as until_the_end:
        store, keeper = until_the_end.enter_context(store_for(settings))
        every_ns = settings.collect.every_ns
        telling = _Telling(store, live, newest)
        pipeline = Pipeline(
            _polled(sources),
            stages,
            telling,
            every_ns=every_ns,
            clock=clock,
            retention_ns=settings.store.retention_ns,
            tell=tell,
        )
        collector = Serving(pipeline, settings)
        until_the_end.enter_context(_maintained(store, keeper, collector, clock))
        until_the_end.enter_context(pipeline.running())
        reader = StoreReader(store.folder, store=store)
        desk = StoreDesk(
            lambda: reader, collector, settings, clock=clock, progress=note_progress, newest=newest
        )
        desk.time_limit_s = settings.server.time_limit_s
        desk.slow_s = settings.search.slow_query_ms / 1000
        emitting = Destinations(source for source in sources.values() if isinstance(source, EmitSource))
        keep = StoreKeep(desk, keeper, pipeline, lambda: emitting.families(clock()))
        until_the_end.callback(keep.close)
        until_the_end.callback(live.close)
        yield Running(keep=keep, tokens=tokens, live=live, hooks={**_hooks(sources), **(hooks or {})})


def _polled(sources: Mapping[str, CollectedSource]) -> Mapping[str, CollectedSource]:
    return {name: source for name, source in sources.items() if not is_called(source)}


def _hooks(sources: Mapping[str, CollectedSource]) -> Mapping[str, Hook]:
    return {name: _named(source, name) for name, source in sources.items() if is_called(source)}


def _named(source: CollectedSource, name: str) -> Hook:
    """What takes the calls, whose records tell the source's name in the settings where it can say it."""
    named = getattr(source, "named", None)
    return cast("Hook", named(name) if named else source)


class StoreKeep:
    """Records in the store, brought through the pipeline's stages."""

    def __init__(
        self, desk: StoreDesk, keeper: Keeper, pipeline: Pipeline, others: Callable[[], Iterable[Family]]
    ) -> None:
        self._desk = desk
        self._keeper = keeper
        self._pipeline = pipeline
        self._others = others
        self._is_open = True

    def take(
        self, batch: Batch, *, batch_id: str = "", position: Position | None = None, told: Told | None = None
    ) -> bool:
        if not self._is_open:
            raise Unavailable("the server ends", remedy="Send it again to the next one")
        return self._pipeline.take(batch, batch_id=batch_id, position=position, told=told)

    def desk(self) -> Desk:
        return self._desk

    def remember(self) -> None:
        self._desk.remember()

    def is_ready(self) -> bool:
        return self._is_open

    def families(self) -> Iterable[Family]:
        return [*self._pipeline.families(), *self._keeper.families(), *self._others()]

    def close(self) -> None:
        """Takes nothing more."""
        self._is_open = False


class _Telling:
    """The store, which tells those who listen what it has kept, and holds the last of it in memory."""

    def __init__(self, store: Store, live: Live, newest: Newest) -> None:
        self._store = store
        self._live = live
        self._newest = newest

    def append(self, batch: Batch, *, position: tuple[str, str] | None = None, batch_id: str = "") -> bool:
        is_new = self._store.append(batch, position=position, batch_id=batch_id)
        if is_new:
            self._newest.take(batch)
            self._live.tell(batch)
        return is_new

    def position(self, source: str) -> str | None:
        return self._store.position(source)


@contextmanager
def _maintained(store: Store, keeper: Keeper, collector: Serving, clock: Callable[[], int]) -> Iterator[None]:
    """Seals, compacts, tidies and lets go of what is too old or too much, of memory too, beside everything else."""
    ended = threading.Event()
    rest = Rest()

    def maintain() -> None:
        while not ended.wait(MAINTAIN_EVERY_S):
            now_ns = clock()
            # One may fail on a full disk where the other still makes room.
            with _troubles_told():
                store.maintain(now_ns)
            with _troubles_told():
                keeper.keep(now_ns, disk_room(store.folder)[1])
            with _troubles_told():
                collector.note_states()
            rest.look()

    thread = threading.Thread(target=maintain, name="maintain", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def _troubles_told() -> Iterator[None]:
    """Goes on after what fails, a full disk say: what is in the spool is safe all the same."""
    try:
        yield
    except (LogpithError, OSError) as error:
        log.warning("the store could not be kept in order: %s", error)


def of_service(batch: Batch, service: str) -> Batch:
    """The batch with every record as one of that service, whatever its text says."""
    return with_column(batch, "service", pa.repeat(pa.scalar(service, pa.string()), batch.num_rows))


def store_folder(data_folder: Path) -> Path:
    """Where in a data folder the store is."""
    return data_folder / "store"
