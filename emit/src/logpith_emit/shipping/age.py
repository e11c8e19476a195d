"""Age: since when a record waits, also when somebody sets the clock.

A clock that is set forward makes every record that was said before look older than it is. What it leapt by, which the
monotonic clock tells, does not count as age for those.
"""

from __future__ import annotations

from collections import deque

from logpith_emit.clock import Clock

_LEAP_NS = 1_000_000_000
_MOST_LEAPS = 64


class Age:
    """Tells which records are too old."""

    def __init__(self, clock: Clock, most_s: float) -> None:
        self._clock = clock
        self._most_ns = int(most_s * 1e9)
        self._now_ns, self._monotonic_ns = clock.now_ns(), clock.monotonic_ns()
        self._leaps: deque[tuple[int, int]] = deque(maxlen=_MOST_LEAPS)
        """What the clock told before it was set forward, and by how much."""

    def look(self) -> None:
        """Looks at the clock; whoever never does sees none of it being set."""
        now_ns, monotonic_ns = self._clock.now_ns(), self._clock.monotonic_ns()
        expected_ns = self._now_ns + monotonic_ns - self._monotonic_ns
        if now_ns - expected_ns > _LEAP_NS:
            self._leaps.append((expected_ns, now_ns - expected_ns))
        self._now_ns, self._monotonic_ns = now_ns, monotonic_ns

    def is_too_old(self, said_ns: int) -> bool:
        """Whether what was said then has waited too long; not what does not say when."""
        if not self._most_ns or said_ns <= 0:
            return False
        age_ns = self._now_ns - said_ns
        if age_ns <= self._most_ns:
            return False
        return age_ns - sum(leap for before, leap in self._leaps if said_ns <= before) > self._most_ns
