"""Who waits for an answer, on an event loop, and the thread that works on it.

The thread writes down how far it is, the loop looks now and then: neither ever waits for the other.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """How far the work is."""

    done: int
    """Bytes read."""

    total: int
    """Bytes in all; 0 when unknown."""

    lines: int


class NobodyWaits(Exception):  # noqa: N818 - no error: there is nobody to tell one
    """Ends work whose answer nobody waits for any more."""


class Waiting:
    """One call that somebody waits for."""

    def __init__(self) -> None:
        self._ended = False
        self._step = Step(0, 0, 0)

    def end(self) -> None:
        """Nobody waits any more: the work ends at its next step."""
        self._ended = True

    def note(self, step: Step) -> None:
        """Keeps how far the work is.

        Raises:
            NobodyWaits: after `end`.
        """
        if self._ended:
            raise NobodyWaits
        self._step = step

    def step_after(self, done: int) -> Step | None:
        """The latest step, when it is further than `done` bytes. A second text read for one call begins at 0
        again; those who wait are told nothing then, because what they are told must grow."""
        step = self._step
        return step if step.done > done else None


CURRENT: ContextVar[Waiting | None] = ContextVar("CURRENT", default=None)
"""Who waits for what this thread works on."""


def note_progress(done: int, total: int, lines: int, /) -> None:
    """A desk's `progress`: tells whoever waits for the work of this thread.

    Raises:
        NobodyWaits: nobody does any more.
    """
    waiting = CURRENT.get()
    if waiting:
        waiting.note(Step(done, total, lines))
