"""How long work tells how far it is: what a desk calls, and the line that a person sees meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Literal, Protocol, Self, TextIO

from logpith.plural import counted

PATIENCE_S = 0.5
"""Work that is done within this time needs no line."""

REDRAW_S = 0.1

_BAR_CELLS = 20
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_CLEAR_LINE = "\r\x1b[K"


class Progress(Protocol):
    """Told now and then how far the work is. It may raise to end the work."""

    def __call__(self, done: int, total: int, lines: int, /) -> None:
        """`done` of `total` bytes (0 when unknown) are read, which were `lines` lines."""


class ProgressLine:
    """A line on a terminal that redraws itself while work goes on, and leaves nothing behind.

        with ProgressLine(sys.stderr, "reading") as progress:
            Desk(progress=progress)

    A thread of its own draws, so that it also moves while the work has nothing to tell. `doing` stands there
    before the work tells anything, `then` when it has told that all is read; `counts` is what its numbers are.
    """

    def __init__(
        self,
        stream: TextIO,
        doing: str,
        *,
        then: str = "finding out what they say",
        counts: Literal["bytes", "lines"] = "bytes",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.doing = doing
        """What the line says until the work first tells how far it is."""

        self.waits_for: Callable[[], str] = str
        """Asked what all work waits for; the line says only that until it is nothing."""

        self._then = then
        self._counts = counts
        self._stream = stream
        self._clock = clock
        self._begun_s = self._told_s = clock()
        self._told = (0, 0, 0)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._draw, name="progress", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()

    def __call__(self, done: int, total: int, lines: int, /) -> None:
        self._told = (done, total, lines)
        self._told_s = self._clock()

    def text(self) -> str:
        """What the line says now."""
        done, total, lines = self._told
        spinner = _SPINNER[int((self._clock() - self._begun_s) / REDRAW_S) % len(_SPINNER)]
        if waits_for := self.waits_for():
            return f"{spinner} {waits_for}"
        if not lines:
            return f"{spinner} {self.doing}"
        if total and done >= total:
            return f"{spinner} {counted(lines, 'line')}, {self._then}"
        read_s = max(self._told_s - self._begun_s, 0.001)
        speed = f"{lines / read_s:,.0f} lines/s"
        if not total:
            return f"{spinner} {size_in_words(done)}, {counted(lines, 'line')}, {speed}"
        share = min(done / total, 1.0)
        filled = round(share * _BAR_CELLS)
        bar = "━" * filled + "╌" * (_BAR_CELLS - filled)
        if self._counts == "lines":
            return f"{bar} {share:4.0%}  {done:,} of {counted(total, 'line')}, {speed}"
        return f"{bar} {share:4.0%}  {size_in_words(done)} of {size_in_words(total)}, {counted(lines, 'line')}, {speed}"

    def _draw(self) -> None:
        wait_s = PATIENCE_S
        while not self._ended.wait(wait_s):
            self._stream.write(_CLEAR_LINE + self.text())
            self._stream.flush()
            wait_s = REDRAW_S
        if wait_s == REDRAW_S:
            self._stream.write(_CLEAR_LINE)
            self._stream.flush()


def size_in_words(size_bytes: int) -> str:
    """`1.5 MB`."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"
