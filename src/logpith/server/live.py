"""Live: what comes in, told at once to whoever listens.

A listener who is slow loses records, never the server its memory: each has a queue of bounded length, and is told how
many records were left out.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from logpith.batch import Batch
from logpith.query.of_batch import Choose, which_match
from logpith.quote import Quoter
from logpith.timerange import format_ns
from logpith_emit.errors import Unavailable
from logpith_emit.severity import severity_name

QUEUE_RECORDS = 1_000
"""Records that wait for one listener at most."""

MOST_LISTENERS = 100

_TEXT_WIDTH = 4_000
_NAME_WIDTH = 200

Told = Mapping[str, object]
"""A record, `{"type": "record", …}`, or `{"type": "skipped", "records": N}`."""


@dataclass(frozen=True)
class Wanted:
    """What a listener wants to hear."""

    query: str = ""
    services: frozenset[str] | None = None
    """None is all; what a listener may not see is never even queued."""


class Listener:
    """One who listens: a queue between the threads that bring records and one event loop."""

    def __init__(self, wanted: Wanted, choose: Choose, loop: asyncio.AbstractEventLoop) -> None:
        self.wanted = wanted
        self.choose = choose
        self._loop = loop
        self._queue: deque[Told] = deque()
        self._skipped = 0
        self._closed = False
        self._lock = threading.Lock()
        self._news = asyncio.Event()

    def tell(self, records: list[Told]) -> int:
        """Queues records; how many found no room. Any thread may call it."""
        with self._lock:
            room = max(0, QUEUE_RECORDS - len(self._queue)) if not self._skipped else 0
            self._queue.extend(records[:room])
            left_out = len(records) - min(room, len(records))
            self._skipped += left_out
        self._wake()
        return left_out

    def close(self) -> None:
        """Nothing more comes; what is queued is still told."""
        with self._lock:
            self._closed = True
        self._wake()

    async def heard(self, patience_s: float) -> AsyncIterator[Told | None]:
        """What comes, until the door closes; None whenever nothing came for so long."""
        while True:
            told, ended = self._take()
            for one in told:
                yield one
            if told:
                continue
            if ended:
                return
            try:
                await asyncio.wait_for(self._news.wait(), patience_s)
            except TimeoutError:
                yield None

    def _take(self) -> tuple[list[Told], bool]:
        with self._lock:
            told = list(self._queue)
            self._queue.clear()
            if self._skipped:
                told.append({"type": "skipped", "records": self._skipped})
                self._skipped = 0
            self._news.clear()
            return told, self._closed

    def _wake(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._news.set)


class Live:
    """All listeners of a server."""

    def __init__(self) -> None:
        self._listeners: set[Listener] = set()
        self._lock = threading.Lock()
        self._closed = False
        self.skipped = 0
        """Records that slow listeners have missed."""

    def __len__(self) -> int:
        return len(self._listeners)

    def join(self, wanted: Wanted) -> Listener:
        """A new listener, who hears what comes from now on; called on its event loop.

        Raises:
            BadArgument: its query cannot be read.
            Unavailable: too many listen, or the server ends.
        """
        listener = Listener(wanted, which_match(wanted.query), asyncio.get_running_loop())
        with self._lock:
            if self._closed or len(self._listeners) >= MOST_LISTENERS:
                raise Unavailable(f"{MOST_LISTENERS} listen already", remedy="Try again later")
            self._listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """It listens no more."""
        with self._lock:
            self._listeners.discard(listener)

    def close(self) -> None:
        """Ends all streams, after what is queued."""
        with self._lock:
            self._closed = True
            listeners = list(self._listeners)
        for listener in listeners:
            listener.close()

    def tell(self, batch: Batch) -> None:
        """Tells those who want it of records that were just kept."""
        with self._lock:
            listeners = list(self._listeners)
        if not listeners or not batch.num_rows:
            return
        heard: dict[Wanted, list[Told]] = {}
        for listener in listeners:
            wanted = listener.wanted
            if wanted not in heard:
                heard[wanted] = list(_told(batch, wanted, listener.choose))
            self.skipped += listener.tell(heard[wanted]) if heard[wanted] else 0


def _told(batch: Batch, wanted: Wanted, choose: Choose) -> Iterator[Told]:
    """The records of a batch that somebody wants, ready to be sent: redacted, and nothing hidden in them."""
    if wanted.services is not None:
        batch = batch.filter(
            pc.is_in(batch["service"], value_set=pa.array(sorted(wanted.services), pa.string()))
        )
    quoter = Quoter()
    for row in batch.filter(pa.array(choose(batch))).to_pylist():  # a door wants records one by one
        told = {
            "time": format_ns(row["timestamp"]) if row["timestamp"] is not None else "",
            "service": quoter.quote(row["service"].encode(), _NAME_WIDTH),
            "severity": severity_name(row["severity_number"]),
            "source": quoter.quote(row["source"].encode(), _NAME_WIDTH),
            "text": quoter.quote(row["line"], _TEXT_WIDTH),
            "flag": quoter.flag(row["line"]),
        }
        yield {"type": "record", **{name: value for name, value in told.items() if value}}
