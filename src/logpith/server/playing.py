"""Playing: the demo day as live services, through the same door as everybody's records."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from logpith.demo.day import Day
from logpith.demo.kinds import Line
from logpith.demo.live import live_lines
from logpith.demo.styles import write_line
from logpith.server.intake import TEXT, bring, read_records
from logpith.server.running import Running
from logpith.timerange import NS_PER_S, now_ns

_LINES_AT_ONCE = 10_000
_LONGEST_WAIT_S = 1.0


class Player:
    """Brings the lines of a day, each service by itself."""

    def __init__(self, running: Running, day: Day) -> None:
        self._running = running
        self._lines = live_lines(day)
        self._next: Line = next(self._lines)

    def play_until(self, until_ns: int) -> int:
        """Brings all lines up to a moment; how many."""
        count = 0
        due: list[Line] = []
        while self._next.time_ns <= until_ns:
            due.append(self._next)
            self._next = next(self._lines)
            if len(due) == _LINES_AT_ONCE:
                count += self._bring(due)
                due = []
        return count + self._bring(due)

    @property
    def next_ns(self) -> int:
        """When the next line is due."""
        return self._next.time_ns

    def _bring(self, lines: list[Line]) -> int:
        texts: dict[str, list[str]] = defaultdict(list)
        for line in lines:
            texts[line.kind.service].append(write_line(line))
        for service, told in texts.items():
            brought = read_records("".join(told).encode(), TEXT)
            bring(self._running, brought, service=service, source="demo", observed_ns=now_ns(), is_bound=True)
        return len(lines)


@contextmanager
def playing(player: Player) -> Iterator[None]:
    """Goes on playing as time passes, on a thread."""
    ended = threading.Event()

    def play() -> None:
        while not ended.wait(min(_LONGEST_WAIT_S, max(0.05, (player.next_ns - now_ns()) / NS_PER_S))):
            player.play_until(now_ns())

    thread = threading.Thread(target=play, name="demo", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
