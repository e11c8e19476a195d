"""Incidents: what goes wrong on the demo day. One file each; the folder is the registry.

What each file owes: a class `Incident` that is made from the day's start and the moment at which the trouble
begins, with

- `CAUSE`, the text that names it, "" for none;
- `scheduled(random)`: lines at times of their own, in order of time;
- `change(call)`: what a call does otherwise, from the moment on; lines of its own go to `call.extra`;
- `planted`: the kinds that are proof.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from random import Random
from typing import Protocol

from logpith.demo.kinds import Kind, Line
from logpith.demo.traffic import Call
from logpith_emit.errors import BadArgument, nearest


class Incident(Protocol):
    """What goes wrong."""

    CAUSE: str

    @property
    def planted(self) -> tuple[Kind, ...]:
        """The kinds of line that prove it."""

    def scheduled(self, random: Random) -> Iterator[Line]:
        """Lines at times of their own, in order of time."""

    def change(self, call: Call) -> None:
        """Makes a call that begins now suffer."""


def names() -> tuple[str, ...]:
    """The incidents that can be asked for."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def make_incident(name: str, start_ns: int, end_ns: int, since_ns: int) -> Incident:
    """The incident of that name, for a day from `start_ns` to `end_ns`, that begins at `since_ns`.

    Raises:
        BadArgument: there is none.
    """
    if name not in names():
        raise BadArgument(
            f"there is no incident '{name}'.{nearest(name, names())}",
            remedy=f"Take one of {', '.join(names())}",
        )
    module = importlib.import_module(f"{__name__}.{name}")
    incident: Incident = module.Incident(start_ns, end_ns, since_ns)
    return incident
