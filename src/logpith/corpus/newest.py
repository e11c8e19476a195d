"""Newest: the last records of each service in memory, for who asks while the store cannot be read.

It is given what is kept, behind all stages, so it holds no secret that the store does not hold; and at its beginning
what the newest segments of the store hold. It is bounded by records of each service, by bytes of each line, and by
bytes altogether: what goes first is the service that was silent for longest.
"""

from __future__ import annotations

import itertools
import threading
from collections import Counter, OrderedDict
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from logpith.batch import SCHEMA, Batch, empty_batch, join_batches, spell_extra, with_column
from logpith.corpus.records import Corpus, Source, join_tables
from logpith.corpus.stored import SegmentText, source_of_segment
from logpith.plural import are, counted
from logpith.scan.tally import last_of_each, time_ranks
from logpith.scan.timestamps import NO_TIME
from logpith.store.building import build_segments
from logpith.store.rows import days_of, table_of
from logpith.store.segment import Segment, times_of

MOST_OF_EACH = 100
"""Records of each service."""

MOST_LINE_BYTES = 4_096
"""Of a longer line its beginning is held."""

MOST_BYTES = 64 << 20

_FOLDED_RECORDS = 5_000
_FOLDED_BYTES = 8 << 20
_LOOKED_AT = 1_000_000
"""So many records of a store are looked at when a server begins."""

_Key = tuple[str, int | None, bytes]


class Newest:
    """The last records of each service. Any thread may call it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Batch] = []
        self._waiting_bytes = 0
        self._taken: OrderedDict[str, Batch] = OrderedDict()
        """By service, the one that spoke last behind the others."""

        self._before = empty_batch()
        """What the store held when the server began; some of it may have been taken since."""

    def take(self, batch: Batch) -> None:
        """Takes records that were just kept."""
        with self._lock:
            self._waiting.append(batch)
            self._waiting_bytes += batch.nbytes
            waiting = sum(one.num_rows for one in self._waiting)
            if waiting >= _FOLDED_RECORDS or self._waiting_bytes >= _FOLDED_BYTES:
                self._fold()

    def remember(self, corpus: Corpus) -> None:
        """Takes the last records of a store, as far as its newest segments hold them."""
        held, _ = _last_of_store(corpus)
        before = _last_of_each(held)
        with self._lock:
            self._before = before

    def batch(self) -> Batch:
        """All that it holds, in the order of time within each service."""
        with self._lock:
            self._fold()
            taken = join_batches(list(self._taken.values())) if self._taken else empty_batch()
            before = self._before
        if not before.num_rows:
            return taken
        return _last_of_each(join_batches([_without(before, Counter(_keys(taken))), taken]))

    def corpus(self, why: str, now_ns: int) -> Corpus:
        """What it holds, as a corpus that says so; `why` is what is wrong with the store."""
        held = self.batch()
        note = f"{why}; these are the last {MOST_OF_EACH} records of each service, from memory"
        return join_tables(_sources(held, now_ns), (note,))

    def beside(self, corpus: Corpus, now_ns: int) -> Corpus:
        """A corpus that lacks some of the store, with those of the last records that it lacks."""
        known, behind_ns = _last_of_store(corpus)
        held = self.batch()
        held = held.filter(pa.array(_moments(held) > behind_ns))
        lacked = _without(held, Counter(_keys(known)))
        if not lacked.num_rows:
            return corpus
        last = f"{counted(lacked.num_rows, 'record')} {are(lacked.num_rows)}"
        note = f"of what is lacking the last {last} here, from memory"
        return join_tables(
            (*corpus.sources, *_sources(lacked, now_ns)), (*corpus.skipped, note), whole=corpus.whole
        )

    def _fold(self) -> None:
        """Puts what waits to its services."""
        if not self._waiting:
            return
        batch, self._waiting, self._waiting_bytes = join_batches(self._waiting), [], 0
        services = batch["service"].dictionary_encode()
        codes = services.indices.to_numpy()
        for code, service in enumerate(services.dictionary.to_pylist()):
            own = np.flatnonzero(codes == code)
            own = np.sort(own[np.argsort(_moments(batch)[own], kind="stable")[-MOST_OF_EACH:]])
            held = self._taken.pop(service, None)
            spoken = _cut(batch.take(pa.array(own)))
            self._taken[service] = _last(join_batches([held, spoken]) if held is not None else spoken)
        total = sum(held.nbytes for held in self._taken.values())
        while total > MOST_BYTES and len(self._taken) > 1:
            total -= self._taken.popitem(last=False)[1].nbytes


def _text(source: Source) -> Any:
    return source.text


def _last_of_store(corpus: Corpus) -> tuple[Batch, int]:
    """The last records of each service in the newest segments of a store, and a moment: all segments that were not
    looked at end before it."""
    segments = [source for source in corpus.sources if isinstance(_text(source), SegmentText)]
    segments.sort(key=lambda source: _text(source).moments[1], reverse=True)
    parts = [empty_batch()]
    left = _LOOKED_AT
    for source in segments:
        if left <= 0:
            return join_batches(parts), _text(source).moments[1]
        left -= source.records
        parts.append(_last_of_segment(source))
    return join_batches(parts), NO_TIME


def _last_of_segment(source: Source) -> Batch:
    """The last records of each service in a segment, of which only what is needed is read."""
    # Straight from the segment: these columns are not worth keeping for questions.
    columns: Any = source.table.columns
    segment = _text(source).segment
    times, observed = segment.times(), times_of(segment.column("observed_timestamp"))
    template = segment.column("template").to_numpy()
    service = columns.of_template["service"][template]
    services, origins = ("", *source.table.services), source.origins
    ranks = time_ranks(np.where(times == NO_TIME, observed, times))
    own = np.sort(last_of_each(np.arange(source.records), service.astype(np.int32), ranks, MOST_OF_EACH))
    lines = [line[:MOST_LINE_BYTES] for line in _text(source).texts(own)]
    return pa.RecordBatch.from_arrays(
        [
            pa.array(lines, pa.binary()),
            pa.array(times[own], pa.int64(), mask=times[own] == NO_TIME),
            pa.array(observed[own], pa.int64()),
            pa.array(columns.of_template["severity"][template[own]], pa.uint8()),
            pa.array([services[code] for code in service[own].tolist()], pa.string()),
            pa.array(
                [origins[place] for place in columns.of_template["origin"][template[own]].tolist()],
                pa.string(),
            ),
            pa.array([spell_extra(source.extra_of(place)) for place in own.tolist()], pa.string()),
        ],
        schema=SCHEMA,
    )


def _moments(batch: Batch) -> NDArray[np.int64]:
    """When each record was, or else came."""
    import pyarrow.compute as pc  # noqa: PLC0415  takes long to load, and questions need none of it

    moments: NDArray[np.int64] = pc.coalesce(batch["timestamp"], batch["observed_timestamp"]).to_numpy()
    return moments


def _last(batch: Batch) -> Batch:
    """The last records of a batch in time, in that order."""
    return batch.take(pa.array(np.argsort(_moments(batch), kind="stable")[-MOST_OF_EACH:]))


def _last_of_each(batch: Batch) -> Batch:
    """The last records of each service in a batch, in the order of time."""
    codes = batch["service"].dictionary_encode().indices.to_numpy()
    ranks = time_ranks(_moments(batch))
    return batch.take(pa.array(last_of_each(np.arange(len(codes)), codes, ranks, MOST_OF_EACH)[::-1]))


def _cut(batch: Batch) -> Batch:
    """The records with the beginnings of long lines."""
    import pyarrow.compute as pc  # noqa: PLC0415  as above

    lines = batch["line"]
    if not pc.any(pc.greater(pc.binary_length(lines), MOST_LINE_BYTES)).as_py():
        return batch
    return with_column(batch, "line", pc.binary_slice(lines, 0, MOST_LINE_BYTES))


def _keys(batch: Batch) -> Iterator[_Key]:
    """What tells a record from others; those of few records only are looked at one by one."""
    columns = (batch[name].to_pylist() for name in ("service", "timestamp", "line"))
    return zip(*columns, strict=True)


def _without(batch: Batch, known: Counter[_Key]) -> Batch:
    """The records of a batch that are not among the known ones, each of which stands for one record."""
    left = Counter(known)
    new: list[bool] = []
    for key in _keys(batch):
        new.append(left[key] <= 0)
        left[key] -= 1
    return batch.filter(pa.array(new, pa.bool_()))


def _sources(batch: Batch, now_ns: int) -> list[Source]:
    """Records as segments that are only in memory."""
    made: list[Source] = []
    for day, table in days_of(table_of([batch])) if batch.num_rows else ():
        names = (f"newest-{day}-{number}" for number in itertools.count())
        built = build_segments(table, names.__next__, day, now_ns, most_records=batch.num_rows, level=1)
        made += [source_of_segment(Segment.of(one)) for one in built]
    return made
