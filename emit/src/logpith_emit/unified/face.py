"""Destinations with an async face: ours, which write to the spool and return, and wrappers around anybody's.

Nothing here waits for a backend, runs a task that nobody owns, or loses an entry without counting it.
"""

from __future__ import annotations

import asyncio
import random
import sys
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from logpith_emit.clock import SYSTEM_CLOCK
from logpith_emit.destinations import Destination, Wanted
from logpith_emit.emitter import EmitSettings, Emitter
from logpith_emit.entry import LogEntry
from logpith_emit.errors import BadArgument, Refused

_WARN_EVERY_NS = 60 * 1_000_000_000

MOST_PENDING = 10_000
"""Entries that a wrapper holds while their destination takes its time; what comes then is dropped, and counted."""


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
        shipper = self.emitter.shipper
        self.destinations: Mapping[str, Destination] = shipper.destinations if shipper else {}
        """By name."""

        self.can_query = any(destination.can_query for destination in self.destinations.values())

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

    async def flush(self, timeout_s: float = 30.0) -> bool:
        """Whether all that was written is delivered; waits for that."""
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
    since: datetime | None = rest.pop("since", rest.pop("start_time", None))
    until: datetime | None = rest.pop("until", rest.pop("end_time", None))
    limit = int(rest.pop("limit", 100))
    return Wanted(equal=rest, since=since, until=until, limit=limit)


class _Owner:
    """Tasks that somebody waits for in the end."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._tasks: set[asyncio.Task[None]] = set()
        self._warned_ns = -_WARN_EVERY_NS
        self.dropped: Counter[str] = Counter()
        """Entries that were neither delivered nor kept, by reason."""

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Begins it, where not too much is begun already."""
        if len(self._tasks) >= self._most:
            work.close()
            self.drop("queue_full", f"{self._most} entries wait already")
            return
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def wait(self) -> None:
        """Returns when all that was begun has ended."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def drop(self, reason: str, told: str) -> None:
        """Counts an entry that is lost, and says so once a minute."""
        self.dropped[reason] += 1
        now_ns = SYSTEM_CLOCK.monotonic_ns()
        if now_ns - self._warned_ns >= _WARN_EVERY_NS:
            self._warned_ns = now_ns
            with suppress(OSError, AttributeError, ValueError):
                sys.stderr.write(f"logpith-emit: an entry was lost: {told}; look at the destination\n")


class RetryWrapper(LogDestination):
    """Tries a destination again where it fails. For destinations of one's own: ours are tried until they take it."""

    def __init__(
        self,
        destination: LogDestination,
        max_attempts: int = 2,
        retry_delay_ms: int = 50,
        *,
        timeout_s: float = 30.0,
        most_pending: int = MOST_PENDING,
    ) -> None:
        """`retry_delay_ms` is how long to wait before the second try; how long one may take is `timeout_s`."""
        if max_attempts < 1:
            raise BadArgument(f"max_attempts must be at least 1, not {max_attempts}", remedy="Write 2")
        self.destination = destination
        self.max_attempts = max_attempts
        self.retry_delay_ms = retry_delay_ms
        self.timeout_s = timeout_s
        self.can_query = destination.can_query
        self.delivered = 0
        self.retried = 0
        self._owner = _Owner(most_pending)

    @property
    def dropped(self) -> Mapping[str, int]:
        """Entries that were given up, by reason."""
        return dict(self._owner.dropped)

    async def write(self, entry: LogEntry) -> None:
        self._owner.begin(self._deliver(entry))

    async def query(self, **filters: Any) -> list[LogEntry]:
        return await self.destination.query(**filters)

    async def close(self) -> None:
        await self._owner.wait()
        await self.destination.close()

    async def _deliver(self, entry: LogEntry) -> None:
        delay_s = self.retry_delay_ms / 1_000
        for attempt in range(1, self.max_attempts + 1):
            try:
                await asyncio.wait_for(self.destination.write(entry), self.timeout_s)
            except Exception as error:  # noqa: BLE001 - whatever somebody's destination raises, the program goes on
                if attempt == self.max_attempts or isinstance(error, Refused):
                    self._owner.drop(type(error).__name__, f"{type(error).__name__}: {error}")
                    return
                self.retried += 1
                await asyncio.sleep(delay_s * (0.5 + random.random() / 2))  # noqa: S311 - not for secrets
                delay_s *= 2
            else:
                self.delivered += 1
                return


class CompositeDestination(LogDestination):
    """Writes to several destinations; one that fails or takes its time harms no other."""

    def __init__(self, destinations: Sequence[LogDestination], *, most_pending: int = MOST_PENDING) -> None:
        self.destinations = tuple(destinations)
        self.can_query = any(destination.can_query for destination in self.destinations)
        self._owners = [_Owner(most_pending) for _ in self.destinations]

    @property
    def dropped(self) -> Mapping[str, int]:
        """Entries that one of them did not take, by reason."""
        return dict(sum((owner.dropped for owner in self._owners), Counter()))

    async def write(self, entry: LogEntry) -> None:
        for destination, owner in zip(self.destinations, self._owners, strict=True):
            owner.begin(self._write(destination, owner, entry))

    async def query(self, **filters: Any) -> list[LogEntry]:
        for destination in self.destinations:
            if destination.can_query:
                return await destination.query(**filters)
        raise NotImplementedError("None of the destinations can be asked")

    async def close(self) -> None:
        for destination, owner in zip(self.destinations, self._owners, strict=True):
            await owner.wait()
            try:
                await destination.close()
            except Exception as error:  # noqa: BLE001 - the others are closed all the same
                owner.drop("close", f"{type(error).__name__}: {error}")

    @staticmethod
    async def _write(destination: LogDestination, owner: _Owner, entry: LogEntry) -> None:
        try:
            await destination.write(entry)
        except Exception as error:  # noqa: BLE001 - whatever somebody's destination raises
            owner.drop(type(error).__name__, f"{type(error).__name__}: {error}")


class NoDestination(LogDestination):
    """Keeps nothing, for who has switched all off."""

    can_query = False

    async def write(self, entry: LogEntry) -> None:
        """Keeps nothing."""

    async def query(self, **filters: Any) -> list[LogEntry]:
        raise NotImplementedError("Nothing is kept")

    async def close(self) -> None:
        """Holds nothing."""
