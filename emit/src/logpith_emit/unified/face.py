"""Destinations with an async face: ours, which write to the spool and return, and wrappers around anybody's.

Nothing here waits for a backend, runs a task that nobody owns, or loses an entry without counting it.
"""

from __future__ import annotations

import asyncio
import random
import sys
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from logpith_emit.clock import SYSTEM_CLOCK
from logpith_emit.destinations import Destination, Wanted
from logpith_emit.emitter import EmitSettings, Emitter, destinations_of
from logpith_emit.entry import LogEntry
from logpith_emit.errors import BadArgument, Refused
from logpith_emit.redaction import Redactor

_WARN_EVERY_NS = 60 * 1_000_000_000

MOST_WAITING = 10_000
"""Entries that a wrapper holds while their destination takes its time; then the oldest is dropped, and counted."""

AT_ONCE = 32
"""Entries that a wrapper writes at the same time, begun in their order."""

_GRACE_S = 0.1


class LogDestination(ABC):
    """Where entries go."""

    can_query: bool = True
    """Whether `query` gives anything."""

    @abstractmethod
    async def write(self, entry: LogEntry) -> None:
        """Takes an entry."""

    @abstractmethod
    async def query(self, **filters: Any) -> list[LogEntry]:
        """The entries that fit, newest first: by any field, `since`, `until` and `limit`.

        Raises:
            NotImplementedError: this destination only takes entries.
        """

    async def flush(self, timeout_s: float = 30.0) -> bool:
        """Whether all that was written is delivered; waits for that. What a destination writes at once, it is."""
        return True

    @abstractmethod
    async def close(self) -> None:
        """Lets go of what it holds, after what was taken is delivered or kept."""


class SpooledDestination(LogDestination):
    """Any of our destinations behind the spool: `write` takes microseconds, whatever they do, and what it took
    outlives the program."""

    def __init__(self, settings: EmitSettings) -> None:
        """Delivery begins with the first entry.

        Raises:
            BadArgument: the settings describe a destination that is none.
        """
        self.emitter = Emitter(settings)

    @property
    def destinations(self) -> Mapping[str, Destination]:
        """Those that it delivers to, by name."""
        shipper = self.emitter.shipper
        return shipper.destinations if shipper is not None else {}

    @property
    def can_query(self) -> bool:  # type: ignore[override]  # which is said of each, and may change
        """Whether one of them can be asked."""
        return any(destination.can_query for destination in self.destinations.values())

    @property
    def dropped(self) -> Mapping[str, int]:
        """Entries that are not in the spool, by reason; what became of the others `logpith-emit status` tells."""
        return self.emitter.dropped

    async def write(self, entry: LogEntry) -> None:
        self.write_now(entry)

    def write_now(self, entry: LogEntry) -> None:
        """As `write`, without an event loop."""
        self.emitter.emit_entry(entry)

    async def query(self, **filters: Any) -> list[LogEntry]:
        wanted = wanted_of(filters)
        for destination in self.destinations.values():
            if destination.can_query:
                return await asyncio.to_thread(_ask, destination, wanted)
        raise NotImplementedError("None of the destinations can be asked")

    def use(self, destinations: Mapping[str, Any], *, deadline_s: float = 2.0) -> None:
        """Delivers to these from now on, by a name of one's own: destinations, or tables that describe them. What an
        older one has not got within the deadline waits in the spool for the day that it is among them again.

        Raises:
            BadArgument: one of them is none; all stays as it was.
        """
        made = destinations_of(replace(self.emitter.settings, destinations=destinations))
        shipper = self.emitter.shipper
        if shipper is None:
            raise BadArgument("This destination began with none", remedy="Make one that has some")
        shipper.use(made, deadline_s=deadline_s)

    async def flush(self, timeout_s: float = 30.0) -> bool:
        shipper = self.emitter.shipper
        return shipper is None or await asyncio.to_thread(shipper.flush, timeout_s)

    async def close(self) -> None:
        await asyncio.to_thread(self.emitter.close)


def _ask(destination: Destination, wanted: Wanted) -> list[LogEntry]:
    with destination.open() as live:
        return live.query(wanted)


def wanted_of(filters: Mapping[str, Any]) -> Wanted:
    """What some filters ask for.

    Raises:
        BadArgument: one of them is none.
    """
    rest = dict(filters)
    since, until = _moment(rest.pop("since", None)), _moment(rest.pop("until", None))
    limit = rest.pop("limit", 100)
    if not isinstance(limit, int) or limit < 0:
        raise BadArgument(f"limit must be a whole number, not {limit!r}", remedy="Write limit=100")
    return Wanted(equal=rest, since=since, until=until, limit=limit)


def _moment(told: Any) -> datetime | None:
    """A time with its zone, which is this machine's where it does not say."""
    if told is None or isinstance(told, datetime):
        return told.astimezone() if told is not None and told.tzinfo is None else told
    raise BadArgument(f"{told!r} is no time", remedy="Give a datetime")


class _Queue:
    """Entries on their way to somebody's destination, some of them at once, and the tasks that bring them there."""

    def __init__(self, deliver: Callable[[LogEntry], Awaitable[None]], most: int) -> None:
        self._deliver = deliver
        self._most = most
        self._entries: deque[LogEntry] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self.say = Warner().say
        self.dropped: Counter[str] = Counter()
        """Entries that were given up, by reason."""

    @property
    def waiting(self) -> int:
        """Entries that are not delivered yet."""
        return len(self._entries) + len(self._tasks)

    def take(self, entry: LogEntry) -> None:
        """Takes an entry; the oldest that waits goes where there are too many."""
        if len(self._entries) >= self._most:
            self._entries.popleft()
            self.drop("queue_full", f"{self._most} wait already")
        self._entries.append(entry)
        self._begin()

    def _begin(self) -> None:
        if self._entries and len(self._tasks) < AT_ONCE:
            task = asyncio.create_task(self._run())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self) -> None:
        task = asyncio.current_task()
        while self._entries:
            try:
                await self._deliver(self._entries.popleft())
            except asyncio.CancelledError:
                self.drop("cancelled", "its task was ended while it was on its way")
                if task is None or task.cancelling():  # else the destination has raised it by itself
                    raise

    async def flush(self, timeout_s: float) -> bool:
        """Whether all that was taken is delivered or given up; waits for that."""
        self._begin()  # what an event loop has left that ended too early
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=max(timeout_s, 0))
        return not self._tasks

    async def end(self, deadline_s: float) -> None:
        """Returns when all is delivered, or given up because the time is up."""
        if not await self.flush(deadline_s):
            left = len(self._entries)
            self._entries.clear()
            for task in self._tasks:
                task.cancel()
            # Whoever holds on to a cancelled task is not waited for.
            await asyncio.wait(self._tasks, timeout=_GRACE_S)
            if left:
                self.drop("closed", "they waited when the destination was closed", left)

    def drop(self, reason: str, told: str, entries: int = 1) -> None:
        """Counts entries that are lost, and says so."""
        self.dropped[reason] += entries
        self.say(f"{entries} entr{'y was' if entries == 1 else 'ies were'} lost: {told}")


class Warner:
    """Says on stderr what went wrong with somebody's destination, once a minute and without secrets."""

    def __init__(self, *, says_all: bool = False) -> None:
        """Each time, if it shall."""
        self._every_ns = 0 if says_all else _WARN_EVERY_NS
        self._said_ns = -_WARN_EVERY_NS
        self._redactor = Redactor()

    def say(self, told: str) -> None:
        """Says it, where the minute is over."""
        now_ns = SYSTEM_CLOCK.monotonic_ns()
        if now_ns - self._said_ns < self._every_ns:
            return
        self._said_ns = now_ns
        with suppress(OSError, AttributeError, ValueError):
            sys.stderr.write(f"logpith-emit: {self._redactor.redact(told)}; look at the destination\n")


async def _close(destination: LogDestination, queue: _Queue, deadline_s: float) -> None:
    """Closes somebody's destination, which may take its time."""
    try:
        await asyncio.wait_for(destination.close(), max(deadline_s, _GRACE_S))
    except Exception as error:  # noqa: BLE001 - whatever somebody's destination raises, the program goes on
        queue.say(f"it did not close: {told_of(error)}")


def told_of(error: BaseException) -> str:
    """What an error says, and of which type it is."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


class RetryWrapper(LogDestination):
    """Tries a destination again where it fails, whatever it raises. For destinations of one's own: ours are tried until
    they take it."""

    def __init__(
        self,
        destination: LogDestination,
        max_attempts: int = 2,
        retry_delay_ms: int = 50,
        *,
        timeout_s: float = 30.0,
        deadline_s: float = 2.0,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        """`retry_delay_ms` is about how long to wait before the second try, twice that before the third; one may take
        `timeout_s`. Closing waits for `deadline_s`, at most."""
        if max_attempts < 1:
            raise BadArgument(f"max_attempts must be at least 1, not {max_attempts}", remedy="Write 2")
        self.destination = destination
        self.max_attempts = max_attempts
        self.retry_delay_ms = retry_delay_ms
        self.timeout_s = timeout_s
        self.deadline_s = deadline_s
        self.can_query = destination.can_query
        self.delivered = 0
        self.retried = 0
        self._queue = _Queue(self._deliver, most_waiting)

    @property
    def waiting(self) -> int:
        """Entries that are not delivered yet."""
        return self._queue.waiting

    @property
    def dropped(self) -> Mapping[str, int]:
        """Entries that were given up, by reason."""
        return dict(self._queue.dropped)

    async def write(self, entry: LogEntry) -> None:
        self._queue.take(entry)

    async def query(self, **filters: Any) -> list[LogEntry]:
        return await self.destination.query(**filters)

    async def flush(self, timeout_s: float = 30.0) -> bool:
        until_ns = SYSTEM_CLOCK.monotonic_ns() + int(timeout_s * 1e9)
        is_done = await self._queue.flush(timeout_s)
        return is_done and await self.destination.flush((until_ns - SYSTEM_CLOCK.monotonic_ns()) / 1e9)

    async def close(self) -> None:
        await self._queue.end(self.deadline_s)
        await _close(self.destination, self._queue, self.deadline_s)

    async def _deliver(self, entry: LogEntry) -> None:
        delay_s = self.retry_delay_ms / 1_000
        for attempt in range(1, self.max_attempts + 1):
            try:
                await asyncio.wait_for(self.destination.write(entry), self.timeout_s)
            except Exception as error:  # noqa: BLE001 - whatever somebody's destination raises, the program goes on
                if attempt == self.max_attempts or isinstance(error, Refused):
                    self._queue.drop(type(error).__name__, told_of(error))
                    return
                self.retried += 1
                await asyncio.sleep(delay_s * (0.5 + random.random() / 2))  # noqa: S311 - not for secrets
                delay_s *= 2
            else:
                self.delivered += 1
                return


class CompositeDestination(LogDestination):
    """Writes to several destinations; one that fails or takes its time harms no other."""

    def __init__(
        self,
        destinations: Sequence[LogDestination],
        *,
        timeout_s: float = 30.0,
        deadline_s: float = 2.0,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        """One write of one of them may take `timeout_s`; closing waits for `deadline_s`, at most."""
        # One try each: who wants more gives a `RetryWrapper`.
        self._each = tuple(
            destination
            if isinstance(destination, OURS)
            else RetryWrapper(
                destination, 1, timeout_s=timeout_s, deadline_s=deadline_s, most_waiting=most_waiting
            )
            for destination in destinations
        )
        self.destinations = tuple(destinations)
        self.can_query = any(destination.can_query for destination in self.destinations)

    @property
    def waiting(self) -> int:
        """Entries that one of them has not got yet, once for each of those."""
        return sum(one.waiting for one in self._each if not isinstance(one, SpooledDestination))

    @property
    def dropped(self) -> Mapping[str, int]:
        """Entries that one of them did not take, by reason."""
        return dict(sum((Counter(one.dropped) for one in self._each), Counter()))

    async def write(self, entry: LogEntry) -> None:
        for one in self._each:
            await one.write(entry)  # which only takes it

    async def query(self, **filters: Any) -> list[LogEntry]:
        for destination in self.destinations:
            if destination.can_query:
                with suppress(NotImplementedError):
                    return await destination.query(**filters)
        raise NotImplementedError("None of the destinations can be asked")

    async def flush(self, timeout_s: float = 30.0) -> bool:
        return all(await asyncio.gather(*(one.flush(timeout_s) for one in self._each)))

    async def close(self) -> None:
        await asyncio.gather(*(one.close() for one in self._each))


OURS = SpooledDestination | RetryWrapper | CompositeDestination
"""Destinations that count by themselves what they drop."""


class NoDestination(LogDestination):
    """Keeps nothing, for who has switched all off."""

    can_query = False

    async def write(self, entry: LogEntry) -> None:
        """Keeps nothing."""

    async def query(self, **filters: Any) -> list[LogEntry]:
        raise NotImplementedError("Nothing is kept")

    async def close(self) -> None:
        """Holds nothing."""
