"""A watch over one question to a store: how long it may take, and what it has looked at."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from logpith.meter import Meter, metering
from logpith.plural import counted
from logpith.progress import size_in_words


@dataclass
class Scanned:
    """What a question has looked at."""

    segments: int = 0
    blocks: int = 0
    """Blocks of which rows were read."""

    blocks_left: int = 0
    """Blocks that may hold an answer, for which there was no time."""

    rows_rebuilt: int = 0
    """Records whose text had to be put together."""

    from_rollup: int = 0
    """Segments that were counted without being read."""

    def add(self, other: Scanned) -> None:
        """Adds what another question has looked at."""
        for name, count in vars(other).items():
            setattr(self, name, getattr(self, name) + count)

    def in_words(self) -> str:
        """`4 segments, 12 blocks read, 30 records put together`."""
        its = "its" if self.from_rollup == 1 else "their"
        said = [counted(self.segments, "segment"), f"{counted(self.blocks, 'block')} read"]
        said += [f"{counted(self.rows_rebuilt, 'record')} put together"] if self.rows_rebuilt else []
        said += (
            [f"{counted(self.from_rollup, 'segment')} counted by {its} rollup"] if self.from_rollup else []
        )
        return ", ".join(said)


@dataclass
class Watch:
    """Over one question."""

    limit_s: float | None = None
    clock: Callable[[], float] = time.monotonic
    scanned: Scanned = field(default_factory=Scanned)
    begun_s: float = 0.0
    meter: Meter = field(default_factory=Meter)

    def __post_init__(self) -> None:
        self.begun_s = self.clock()

    @property
    def elapsed_s(self) -> float:
        return self.clock() - self.begun_s

    def is_over(self) -> bool:
        """Whether it is time to answer with what is known."""
        return self.limit_s is not None and self.elapsed_s >= self.limit_s

    def in_words(self) -> str:
        """What was looked at, and how much was read of it: `4 segments, 12 blocks read, 35.1 kB from the disk`."""
        return f"{self.scanned.in_words()}, {size_in_words(self.meter.read_bytes)} from the disk"

    @property
    def trouble(self) -> str:
        """Why the answer is not of all records; empty when it is."""
        left = self.scanned.blocks_left
        if not left:
            return ""
        total = left + self.scanned.blocks
        share = f"{left:,} of {counted(total, 'block')} of the store not read"
        return f"stopped after {self.limit_s:g} s: {share}; ask for a shorter period"


_CURRENT: ContextVar[Watch | None] = ContextVar("watch", default=None)


@contextmanager
def watching(limit_s: float | None = None, clock: Callable[[], float] = time.monotonic) -> Iterator[Watch]:
    """A watch over what the block asks of a store."""
    with metering() as meter:
        watch = Watch(limit_s, clock, meter=meter)
        token = _CURRENT.set(watch)
        try:
            yield watch
        finally:
            _CURRENT.reset(token)


def current() -> Watch:
    """The watch over the question that is being answered; one without a limit when nobody watches."""
    return _CURRENT.get() or Watch()
