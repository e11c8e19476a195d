"""A spool, and what delivers it to one destination, for tests of what becomes of records when that fails.

What each destination owes that is reached over a network stands here once, as checks that its tests call:

    def test_whatever_goes_wrong_all_comes(server, tmp_path):
        with fault_proxy(server.port) as proxy:
            destination = MyDestination(port=proxy.port)
            check_faults(tmp_path, destination, proxy, [*ANYWHERE, CutRequest(100)], lambda: server.messages)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from fault_proxy import (
    Answer,
    BlackHole,
    CutRequest,
    CutResponse,
    Fault,
    FaultProxy,
    Garbage,
    Hang,
    Refuse,
    Slow,
)
from logpith_emit.clock import ManualClock
from logpith_emit.destinations import Destination
from logpith_emit.shipping import Shipper
from logpith_emit.shipping.shipped import Shipped
from logpith_emit.spool import Spool
from logpith_emit.testing import numbered
from services.server import Server

SOON_S = 60
"""A deadline, not a wait."""

NAME = "d"

Messages = Callable[[], list[str]]
"""All that stand where the records went, in the order that they came."""

ANYWHERE = (Refuse(), Hang(), BlackHole(), Slow(20), CutRequest(0), CutResponse(0), Garbage())
"""What may go wrong on the way to any server."""

HANGING = (Hang, BlackHole, Slow)
"""The kinds of those that end by a time-out alone."""

HANGING_S = 0.5
"""The time-out that they are tried with."""

OVER_HTTP = (*ANYWHERE, CutResponse(12), Answer(401), Answer(429), Answer(500), Answer(503))
"""What may go wrong on the way to one that speaks HTTP."""


class Delivering:
    def __init__(self, folder: Path, destination: Destination) -> None:
        self.spool = Spool(folder=folder)
        self.warnings: list[tuple[str, str]] = []
        # At a time when the records of these tests are not old, which stands still: what is said before somebody waits
        # goes at once, and in no smaller parts.
        self.shipper = Shipper(
            self.spool,
            {NAME: replace(destination, gather_s=60.0)},
            warn=lambda *told: self.warnings.append(told),
            clock=ManualClock(),
        )
        self._said = 0

    def use(self, destination: Destination) -> None:
        """Delivers to this one from now on; to one that is the same it goes on."""
        self.shipper.use({NAME: replace(destination, gather_s=60.0)}, deadline_s=SOON_S)

    @property
    def shipped(self) -> Shipped:
        return self.shipper.shipped[NAME]

    def say(self, count: int) -> list[str]:
        """Spools so many records more; what they say."""
        records = numbered(count, first=self._said + 1)
        self._said += count
        with self.spool.open() as writer:
            for record in records:
                writer.append(record.text, 1)
        return [str(record.fields["message"]) for record in records]

    def wait(self) -> None:
        """Returns when all is delivered that was said."""
        assert self.shipper.flush(SOON_S), self.warnings[-3:]

    def wait_for_failures(self, number: int = 1) -> None:
        """Returns when so many more writes have failed."""
        wanted = len(self.warnings) + number
        self.wait_until(lambda: len(self.warnings) >= wanted)

    def wait_until(self, is_so: Callable[[], bool], *, look_every_s: float = 0.01) -> None:
        """Returns when it is; meanwhile what can be delivered is."""
        deadline = time.monotonic() + SOON_S
        while not is_so():
            assert time.monotonic() < deadline, self.warnings[-3:]
            self.shipper.flush(look_every_s)


@contextmanager
def delivering(folder: Path, destination: Destination) -> Iterator[Delivering]:
    """Delivers what is said from now on."""
    made = Delivering(folder, destination)
    made.shipper.start()
    try:
        yield made
        assert made.shipper.close(SOON_S), made.warnings[-3:]
    finally:
        made.shipper.close(0)  # of a test that has failed, so that it delivers nothing to the next one


def check_faults(
    folder: Path,
    destination: Destination,
    proxy: FaultProxy,
    faults: Sequence[Fault],
    messages: Messages,
    *,
    at_once: int = 3,
) -> None:
    """All arrives, in its order, that is said while something goes wrong on the way through the proxy, so many records
    `at_once`; each record once, if the destination says so."""
    quick = replace(destination, first_retry_s=0.001, most_retry_s=0.002)
    with delivering(folder, quick) as delivery:
        said = delivery.say(1)
        delivery.wait()
        # Only what hangs needs a short time-out, which a server that is well may also pass now and then; and it comes
        # last, since who was slow gets less at once.
        for fault in sorted(faults, key=lambda fault: isinstance(fault, HANGING)):
            if isinstance(fault, HANGING):
                delivery.use(replace(quick, timeout_s=HANGING_S))
                said += delivery.say(1)
                delivery.wait()
            proxy.fault = fault
            said += delivery.say(at_once)
            delivery.wait_for_failures(2)  # on a connection that was open, and on a new one
            proxy.fault = None
            delivery.wait()

            assert arrived(destination, messages) == said, fault
        assert (delivery.shipped.sent, delivery.shipped.refused) == (len(said), 0)


def check_killed(folder: Path, destination: Destination, server: Server, messages: Messages) -> None:
    """All arrives that is said before and after a server is killed under way, which then comes again; each record once,
    if the destination says so."""
    with delivering(folder, destination) as delivery:
        before = delivery.say(1_000)
        delivery.wait_until(lambda: delivery.shipped.sent > 0, look_every_s=0.001)
        server.kill()
        after = delivery.say(1_000)
        delivery.wait_for_failures(2)
        server.start()
        delivery.wait()

    # Of two that write to a spool each one's records keep their order.
    found = arrived(destination, messages)
    assert [message for message in found if message not in after] == before
    assert [message for message in found if message in after] == after


def soon() -> Iterator[None]:
    """Turns to try what will be so a little later, which nobody tells; an error when it is not."""
    deadline = time.monotonic() + SOON_S
    while time.monotonic() < deadline:
        yield
    raise AssertionError("what was tried has never come to be so")


def arrived(destination: Destination, messages: Messages) -> list[str]:
    """The messages; where each may come again, only those that came first."""
    return messages() if destination.once else list(dict.fromkeys(messages()))


def by_number(messages: Iterable[str]) -> list[str]:
    """Those that were said, in their order, from where they have none."""
    return sorted(messages, key=lambda message: int(message.split()[1]))
