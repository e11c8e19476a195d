"""Shipping: every destination of a spool, and how each is doing.

shipper = Shipper(spool, {"sqlite": SQLiteDestination(path=…)}, warn=…)
shipper.start()                 a thread for each; again after a fork
shipper.use({…})                switches destinations on and off; those that stay the same go on
shipper.close(2.0)              waits for that long, at most, until all is delivered; the rest stays in the spool
status_of(spool)                queue, oldest, sent, retried, dropped by reason, of every destination that ever was
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass

from logpith_emit.clock import SYSTEM_CLOCK, Clock
from logpith_emit.destinations import Destination, named
from logpith_emit.errors import NotFound, nearest
from logpith_emit.shipping.backlog import Backlog
from logpith_emit.shipping.delivery import LOCK, Delivery, Warn
from logpith_emit.shipping.shipped import Shipped, further, load_shipped, remove_shipped
from logpith_emit.spool import Spool
from logpith_emit.spool.place import BELOW
from logpith_emit.spool.place import SUFFIX as PLACE


class Shipper:
    """Brings the records of a spool to some destinations."""

    def __init__(
        self,
        spool: Spool,
        destinations: Mapping[str, Destination],
        *,
        warn: Warn,
        inside: Callable[[], AbstractContextManager[None]] = nullcontext,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Nothing is delivered before `start`; each of its threads runs within `inside`.

        Raises:
            BadArgument: a name is none.
        """
        self.spool = spool
        self._destinations = named(destinations)
        self._warn = warn
        self._inside = inside
        self._clock = clock
        self._lock = threading.Lock()
        self._running: dict[str, Delivery] = {}
        self._is_closed = False
        _SHIPPERS.add(self)

    def start(self) -> None:
        """Begins to deliver to those to which this process does not yet."""
        with self._lock:
            if not self._is_closed:
                # Before any of them begins: what is quick would else remove what another has not begun to read.
                self._wait_for_all()
                for name, destination in self._destinations.items():
                    if name not in self._running:
                        self._begin(name, destination)

    def use(self, destinations: Mapping[str, Destination], *, deadline_s: float = 2.0) -> None:
        """Delivers to these from now on: all that is said after this was called comes to each. Those that are not among
        them get what they get within the deadline; the rest waits in the spool for the day that they are switched on
        again.

        Raises:
            BadArgument: a name is none.
        """
        wanted = named(destinations)
        with self._lock:
            ended = [
                self._running.pop(name)
                for name, destination in self._destinations.items()
                if name in self._running and wanted.get(name) != destination
            ]
            self._destinations = wanted
            if not self._is_closed:
                # Before the old ones end: what is said meanwhile these may take alone, and remove.
                self._wait_for_all()
        _end_all(ended, deadline_s)
        self.start()

    def flush(self, timeout_s: float, names: Collection[str] | None = None) -> bool:
        """Whether all that was there is delivered everywhere, or to these destinations; waits for that."""
        until_ns = SYSTEM_CLOCK.monotonic_ns() + int(timeout_s * 1e9)
        with self._lock:
            running = [one for name, one in self._running.items() if names is None or name in names]
        return all(one.flush((until_ns - SYSTEM_CLOCK.monotonic_ns()) / 1e9) for one in running)

    def close(self, deadline_s: float) -> bool:
        """Whether all is delivered that was there; what is not within the deadline stays in the spool."""
        with self._lock:
            self._is_closed = True
            running = list(self._running.values())
            self._running.clear()
        return _end_all(running, deadline_s)

    @property
    def destinations(self) -> Mapping[str, Destination]:
        """Those that it delivers to, by name."""
        return dict(self._destinations)

    @property
    def shipped(self) -> Mapping[str, Shipped]:
        """What became of the records, by destination."""
        with self._lock:
            return {name: delivery.shipped for name, delivery in self._running.items()}

    @property
    def next_try_s(self) -> Mapping[str, float]:
        """In how long each destination that was not there is tried again; 0 while it is tried."""
        with self._lock:
            return {name: delivery.next_try_s for name, delivery in self._running.items()}

    def _wait_for_all(self) -> None:
        """Files wait for each destination from now on, so that none misses what is said before it begins."""
        with suppress(OSError):  # on a disk that refuses, which their threads tell
            for name in self._destinations:
                self.spool.wait_for(name)

    def _begin(self, name: str, destination: Destination) -> None:
        delivery = Delivery(self.spool, name, destination, clock=self._clock, warn=self._warn)
        try:
            delivery.start(self._inside)
        except RuntimeError as error:  # at the limit of threads, or at the end of the interpreter
            self._warn(f"{name}: {error}", "The records wait in the spool")
        else:
            self._running[name] = delivery

    def _forked(self) -> None:
        self._lock = threading.Lock()
        self._running.clear()


def _end_all(deliveries: list[Delivery], deadline_s: float) -> bool:
    until_ns = SYSTEM_CLOCK.monotonic_ns() + int(deadline_s * 1e9)
    for delivery in deliveries:
        delivery.end_within(deadline_s)
    ended = [delivery.join((until_ns - SYSTEM_CLOCK.monotonic_ns()) / 1e9 + 0.05) for delivery in deliveries]
    return all(ended) and not any(delivery.is_behind for delivery in deliveries)


_SHIPPERS: weakref.WeakSet[Shipper] = weakref.WeakSet()


def _begin_all_anew() -> None:
    for shipper in list(_SHIPPERS):
        shipper._forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_all_anew)


@dataclass(frozen=True, kw_only=True)
class Status:
    """How a destination of a spool is doing."""

    name: str
    shipped: Shipped
    waiting: int
    """Records that it has not got yet."""

    waiting_bytes: int
    """What these take in the spool."""

    oldest_ns: int
    """When the first of them was said; 0 when there is none."""


def status_of(spool: Spool, backlog: Backlog | None = None) -> list[Status]:
    """Every destination that files of the spool wait for, by name. Who asks again and again keeps its backlog."""
    backlog = backlog or Backlog(spool)
    return [_status(spool, name, backlog) for name in _names(spool)]


def _status(spool: Spool, name: str, backlog: Backlog) -> Status:
    shipped = load_shipped(spool, name) or Shipped()
    if not _is_served(spool, name):  # a process that was killed could not say so
        shipped.state, shipped.in_flight = "ended", 0
    waiting = backlog.behind(further(spool.reader(name).position, shipped.position))
    return Status(
        name=name,
        shipped=shipped,
        waiting=waiting.records,
        waiting_bytes=waiting.size_bytes,
        oldest_ns=waiting.oldest_ns,
    )


def _is_served(spool: Spool, name: str) -> bool:
    """Whether some process delivers to a destination."""
    try:
        return spool.disk.is_claimed(spool.folder / f"{name}{LOCK}")
    except FileNotFoundError:
        return False


def forget(spool: Spool, name: str) -> None:
    """Lets files of a spool no longer wait for a destination, which is never switched on again.

    Raises:
        NotFound: none of them does.
    """
    names = _names(spool)
    if name not in names:
        offer = nearest(name, names).strip() or f"There are: {', '.join(names) or 'none'}"
        raise NotFound(f"Nothing waits for a destination '{name}'", remedy=offer)
    spool.disk.remove(spool.folder / f"{name}{PLACE}")
    for folder in (spool.folder, spool.folder.parent):
        spool.disk.remove(folder / f"{name}{BELOW}")
    remove_shipped(spool, name)


def _names(spool: Spool) -> list[str]:
    return [name.removesuffix(PLACE) for name in spool.disk.names(spool.folder) if name.endswith(PLACE)]
