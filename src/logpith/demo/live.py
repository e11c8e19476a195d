"""The demo day as it happens: moved in time so that its incident began minutes ago, and going on from there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from logpith.demo.day import Day, lines_of
from logpith.demo.kinds import PAGE_HIT, Line
from logpith.demo.styles import access_time
from logpith.demo.traffic import SECOND

INCIDENT_AGE_NS = 9 * 60 * SECOND
"""How long ago the incident began when somebody first looks."""

_HOUR = 3600 * SECOND
_DAY = 24 * _HOUR
_ENDS_AT = 23 * _HOUR + 45 * 60 * SECOND


def live_lines(day: Day) -> Iterator[Line]:
    """Lines without end in the order of time: first those of the hours before `day.end_ns`, which is now.

    The day lasts about ten hours more; after it come quiet ones.

    Raises:
        BadArgument: no such incident.
    """
    now_ns = day.end_ns
    told = replace(day, end_ns=now_ns // _DAY * _DAY + _ENDS_AT)
    shift_ns = now_ns - INCIDENT_AGE_NS - told.since_ns
    while True:
        for line in lines_of(told):
            yield _moved(line, shift_ns)
        follows = replace(told, seed=told.seed + 1, incident="none", end_ns=told.end_ns + _DAY)
        shift_ns += told.end_ns - follows.start_ns
        told = follows


def _moved(line: Line, shift_ns: int) -> Line:
    moved = replace(line, time_ns=line.time_ns + shift_ns)
    if line.kind is not PAGE_HIT:
        return moved
    who, _, *rest = line.values  # its time stands among its values
    return replace(moved, values=(who, access_time(moved.time_ns // SECOND), *rest))
