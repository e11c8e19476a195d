"""A meter over what is read of a store on the disk, for the question that is being answered."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Meter:
    """Counts bytes, from any thread that works for the question."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bytes = 0

    @property
    def read_bytes(self) -> int:
        """Bytes of files that were asked for so far, as they lie on the disk."""
        return self._bytes

    def add(self, size_bytes: int) -> None:
        with self._lock:
            self._bytes += size_bytes


_CURRENT: ContextVar[Meter | None] = ContextVar("meter", default=None)


@contextmanager
def metering() -> Iterator[Meter]:
    """A meter over what the block reads."""
    meter = Meter()
    token = _CURRENT.set(meter)
    try:
        yield meter
    finally:
        _CURRENT.reset(token)


def note_read(size_bytes: int) -> None:
    """Counts what was just read, if anybody counts."""
    meter = _CURRENT.get()
    if meter is not None:
        meter.add(size_bytes)
