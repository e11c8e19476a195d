"""Incidents: what goes wrong on the demo day. One file each; the folder is the registry.

To add one, write `incidents/NAME.py` with one subclass of `Incident`: there is no list to extend. What each owes:

- From `since_ns` on, and not before, lines of the `planted` kinds are written: the proof. Each names the `CAUSE`, and
  no other line of the day does. They are few.
- Others suffer: lines of the `symptoms` kinds, several times as many, from services that see it only from outside.
- No line is later than LONGEST_CALL_NS after the start of the call that it belongs to, and none is earlier.
- All chance comes from the `random` that is handed in, so that a day can be written again.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from random import Random
from typing import ClassVar

from logpith.demo.kinds import Kind, Line
from logpith.demo.traffic import Call
from logpith_emit.errors import BadArgument, nearest


class Incident:
    """What goes wrong on a day from `start_ns` to `end_ns`, from `since_ns` on: nothing, unless a file says what."""

    CAUSE: ClassVar[str] = ""
    """The text that names it; empty for none."""

    planted: ClassVar[tuple[Kind, ...]] = ()
    """The kinds of line that prove it."""

    symptoms: ClassVar[tuple[Kind, ...]] = ()
    """The kinds of line that more is said of, or at all, because of it."""

    def __init__(self, start_ns: int, end_ns: int, since_ns: int) -> None:
        self.start_ns = start_ns
        self.end_ns = end_ns
        self.since_ns = since_ns
        self._has_told = False

    @property
    def name(self) -> str:
        """The name of its file."""
        return type(self).__module__.rpartition(".")[2]

    def scheduled(self, _random: Random) -> Iterator[Line]:
        """Lines at times of their own."""
        yield from ()

    def change(self, call: Call) -> None:
        """Makes a call that begins at or after `since_ns` suffer; lines of its own go to `call.extra`."""

    def revise(self, line: Line) -> Line | None:
        """What becomes of any line of the day, its own ones too; None when it is never written."""
        return line

    def tells(self, call: Call, share: float) -> bool:
        """Whether the cause is told at this call: at the first one that asks, and at about that share of the rest."""
        tells = call.random.random() < share or not self._has_told
        self._has_told = True
        return tells


def names() -> tuple[str, ...]:
    """The incidents that can be asked for."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def find_incident(name: str) -> type[Incident]:
    """The incident of that name.

    Raises:
        BadArgument: there is none.
    """
    if name not in names():
        raise BadArgument(
            f"there is no incident '{name}'",
            remedy=f"{nearest(name, names())} Take one of {', '.join(names())}".strip(),
        )
    module = importlib.import_module(f"{__name__}.{name}")
    (found,) = (
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Incident) and value.__module__ == module.__name__
    )
    return found
