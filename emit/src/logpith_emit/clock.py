"""The clock: the one place in this package that reads the time.

Everything else is handed a `Clock`, so that a test can hand it a `ManualClock` and never sleeps.
"""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time, in integer nanoseconds."""

    def now_ns(self) -> int:
        """Nanoseconds since 1970-01-01T00:00:00Z; may jump either way when the machine's clock is set."""

    def monotonic_ns(self) -> int:
        """Nanoseconds since some moment in the past; never goes back. For waiting and measuring."""


class SystemClock:
    """The machine's clock."""

    now_ns = staticmethod(time.time_ns)
    monotonic_ns = staticmethod(time.monotonic_ns)


SYSTEM_CLOCK = SystemClock()


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now_ns: int = 1_700_000_000_000_000_000) -> None:
        self._now_ns = now_ns
        self._monotonic_ns = 0
        self._lock = threading.Lock()

    def now_ns(self) -> int:
        with self._lock:
            return self._now_ns

    def monotonic_ns(self) -> int:
        with self._lock:
            return self._monotonic_ns

    def advance(self, duration_ns: int) -> None:
        """Let time pass, on both scales.

        Raises:
            ValueError: the duration is negative; use `set_now` to turn the clock back.
        """
        if duration_ns < 0:
            raise ValueError(f"time does not pass backwards: {duration_ns} ns")
        with self._lock:
            self._now_ns += duration_ns
            self._monotonic_ns += duration_ns

    def set_now(self, now_ns: int) -> None:
        """Set the time of day, as an administrator or a time server does; the monotonic clock goes on."""
        with self._lock:
            self._now_ns = now_ns
