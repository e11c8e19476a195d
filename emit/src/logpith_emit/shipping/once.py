"""Once: brings what is there to the destinations and ends, also where one of them takes nothing; says meanwhile what it
waits for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue

from logpith_emit.clock import SYSTEM_CLOCK
from logpith_emit.destinations import Destination
from logpith_emit.shipping import Shipper, status_of
from logpith_emit.shipping.delivery import Warn
from logpith_emit.shipping.shipped import Shipped, load_shipped
from logpith_emit.spool import Spool

_LOOK_EVERY_S = 0.1
_TELL_EVERY_NS = 5_000_000_000
_ASK_OTHERS_EVERY_NS = 1_000_000_000
_MOST_COUNTED_BYTES = 64 << 20
"""Of what waits in larger spools only the size is told: counting reads all of it."""

Say = Callable[[str], None]


def ship_once(
    spools: Sequence[Spool],
    destinations: Mapping[str, Destination],
    *,
    timeout_s: float,
    wait_s: float,
    warn: Warn,
    say: Say,
) -> int:
    """How many records were refused. Returns when all is delivered that was there; or `timeout_s` has passed; or each
    destination that something is left for has failed for `wait_s`, and took nothing meanwhile. What is left stays in
    the spools."""
    until_ns = SYSTEM_CLOCK.monotonic_ns() + int(timeout_s * 1e9)
    shippers = [Shipper(spool, destinations, warn=warn) for spool in spools]
    refused = _refused(spools, destinations)
    try:
        left = [_Left(shipper, name) for shipper in shippers for name in destinations]
        for shipper in shippers:
            shipper.start()
        done: SimpleQueue[_Left] = SimpleQueue()
        for one in left:
            one.begin(timeout_s, done)
        teller = _Teller(say)
        while left and SYSTEM_CLOCK.monotonic_ns() < until_ns:
            with suppress(Empty):
                ended = done.get(timeout=_LOOK_EVERY_S)
                left = [one for one in left if one is not ended]
            for one in left:
                one.look()
            left = [one for one in left if not one.is_brought_by_others]
            if left and all(one.failed_for_s >= wait_s for one in left):
                break
            teller.tell(left)
        is_late = SYSTEM_CLOCK.monotonic_ns() >= until_ns
        for name, ones in _by_name(left).items():
            why = (
                f"the {timeout_s:g} s of --timeout are over for {name}" if is_late else f"{name} is given up"
            )
            say(f"{why}: {_waiting(ones)}, for the next start of the program, or of this command")
    finally:
        for shipper in shippers:
            shipper.close(0.0)
    return _refused(spools, destinations) - refused


def _refused(spools: Sequence[Spool], names: Iterable[str]) -> int:
    """How many records ever were."""
    known = (load_shipped(spool, name) for spool in spools for name in names)
    return sum(shipped.refused for shipped in known if shipped is not None)


class _Left:
    """What a spool may still hold for a destination."""

    def __init__(self, shipper: Shipper, name: str) -> None:
        self.name = name
        self.spool = shipper.spool
        self.shipped = Shipped()
        """How that goes."""

        self.next_try_s = 0.0
        self.is_brought_by_others = False
        """Whether another process delivered all of it."""

        self._shipper = shipper
        self._moved = (-1, -1)
        self._moved_ns = self._asked_ns = SYSTEM_CLOCK.monotonic_ns()
        self._errors = (load_shipped(self.spool, name) or self.shipped).errors
        """How many there had been before."""

        self._counted: tuple[tuple[int, int], int | None] = ((-2, -2), None)

    def begin(self, timeout_s: float, done: SimpleQueue[_Left]) -> None:
        """Tells `done` when nothing is left that was there now."""

        def flush() -> None:
            if self._shipper.flush(timeout_s, [self.name]):
                done.put(self)

        threading.Thread(target=flush, name=f"logpith-emit flush {self.name}", daemon=True).start()

    def look(self) -> None:
        """Sees how it goes."""
        now_ns = SYSTEM_CLOCK.monotonic_ns()
        shipped = self._shipper.shipped.get(self.name, Shipped(state="dead"))
        if shipped.state == "elsewhere":
            if now_ns - self._asked_ns < _ASK_OTHERS_EVERY_NS:
                return
            self._asked_ns = now_ns
            for status in status_of(self.spool):
                if status.name == self.name:
                    shipped = status.shipped
                    self.is_brought_by_others = not status.waiting
        self.shipped = shipped
        self.next_try_s = self._shipper.next_try_s.get(self.name, 0.0)
        done = shipped.sent + shipped.refused + shipped.unwanted + sum(shipped.dropped.values())
        moved = (done, shipped.last_sent_ns)  # the latter also where it takes a part of what it gets
        if moved != self._moved or not self.is_failing:
            self._moved, self._moved_ns = moved, now_ns

    @property
    def is_failing(self) -> bool:
        """Whether it is not taken now."""
        return self.shipped.state in ("retrying", "dead")

    @property
    def failed_for_s(self) -> float:
        """How long nothing has been taken, since something failed."""
        return (SYSTEM_CLOCK.monotonic_ns() - self._moved_ns) / 1e9 if self.is_failing else 0.0

    @property
    def tries(self) -> int:
        """How many have failed."""
        return self.shipped.errors - self._errors

    @property
    def waiting(self) -> int | None:
        """How many records are left; None where counting them takes long."""
        if self._counted[0] != self._moved:
            size_bytes = sum(self.spool.disk.size_bytes(one.path) for one in self.spool.segments())
            known = (
                {} if size_bytes > _MOST_COUNTED_BYTES else {one.name: one for one in status_of(self.spool)}
            )
            self._counted = (self._moved, known[self.name].waiting if self.name in known else None)
        return self._counted[1]


class _Teller:
    """Says how it goes: each failure of a destination, and now and then that one goes on."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._tries: dict[str, int] = {}
        self._told_ns = SYSTEM_CLOCK.monotonic_ns()

    def tell(self, left: Sequence[_Left]) -> None:
        """Says what is new of what is left."""
        is_time = SYSTEM_CLOCK.monotonic_ns() - self._told_ns >= _TELL_EVERY_NS
        for name, ones in _by_name(left).items():
            failing = [one for one in ones if one.is_failing]
            tries = max((one.tries for one in failing), default=0)
            if failing and tries != self._tries.get(name):
                self._tries[name] = tries
                next_s = min(one.next_try_s for one in failing)
                when = f"tried again in {next_s:.1f} s" if next_s else "tried again now"
                self._say(f"{name} failed {tries} time{'s' * (tries != 1)}, and is {when}; {_waiting(ones)}")
            elif not failing and is_time:
                self._say(
                    f"{name} is at it: {sum(one.shipped.sent for one in ones):,} sent, {_waiting(ones)}"
                )
        if is_time:
            self._told_ns = SYSTEM_CLOCK.monotonic_ns()


def _by_name(left: Sequence[_Left]) -> dict[str, list[_Left]]:
    return {
        name: [one for one in left if one.name == name] for name in dict.fromkeys(one.name for one in left)
    }


def _waiting(left: Sequence[_Left]) -> str:
    """`300 records wait`."""
    counts = [one.waiting for one in left]
    known = sum(count for count in counts if count is not None)
    more = "more than " * (None in counts)
    return f"{more}{known:,} record{'s' * (known != 1)} wait{'s' * (known == 1)}"
