"""A spool, and what delivers it to one destination, for tests of what becomes of records when that fails."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from logpith_emit.clock import ManualClock
from logpith_emit.destinations import Destination
from logpith_emit.shipping import Shipper
from logpith_emit.shipping.shipped import Shipped
from logpith_emit.spool import Spool
from logpith_emit.testing import numbered

SOON_S = 60
"""A deadline, not a wait."""

NAME = "d"


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
        deadline = time.monotonic() + SOON_S
        while len(self.warnings) < wanted:
            assert time.monotonic() < deadline, self.warnings
            self.shipper.flush(0.01)


@contextmanager
def delivering(folder: Path, destination: Destination) -> Iterator[Delivering]:
    """Delivers what is said from now on."""
    made = Delivering(folder, destination)
    made.shipper.start()
    yield made
    assert made.shipper.close(SOON_S), made.warnings[-3:]
