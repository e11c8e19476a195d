"""Counting records by group in one pass: how many, the first and last, their period, their severities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logpith.scan.kernel import kernel
from logpith.scan.timestamps import NO_TIME

_SEVERITIES = 25

# What `add_times` keeps, by place.
START, END, UNDATED, LATEST, DISORDERED = range(5)


@dataclass(frozen=True, kw_only=True)
class Tally:
    """One entry a group."""

    count: NDArray[np.int64]
    first: NDArray[np.int64]
    """Place of the first record; -1 for a group without any."""

    last: NDArray[np.int64]
    start_ns: NDArray[np.int64]
    """Earliest time; NO_TIME where none is known."""

    end_ns: NDArray[np.int64]
    severities: NDArray[np.int64]
    """(groups, 25): records by severity number."""

    @property
    def typical_severity(self) -> NDArray[np.int64]:
        """The severity that most records of each group have, the worse one of two as frequent; 0 where unknown."""
        known = self.severities[:, 1:]
        worst_first = known[:, ::-1]
        return np.where(known.any(axis=1), _SEVERITIES - 1 - np.argmax(worst_first, axis=1), 0)


@kernel
def _tally(
    group: Any, time: Any, severity: Any, count: Any, first: Any, last: Any, start: Any, end: Any, table: Any
) -> None:
    for i in range(group.shape[0]):
        g = group[i]
        if g < 0:
            continue
        if count[g] == 0:
            first[g] = i
        count[g] += 1
        last[g] = i
        table[g, severity[i]] += 1
        t = time[i]
        if t != NO_TIME:
            if start[g] == NO_TIME or t < start[g]:
                start[g] = t
            if end[g] == NO_TIME or t > end[g]:
                end[g] = t


def tally(
    group: NDArray[np.int32], groups: int, time_ns: NDArray[np.int64], severity: NDArray[np.uint8]
) -> Tally:
    """The tally of records by `group`, which is from 0 to `groups`, or negative for none."""
    count = np.zeros(groups, np.int64)
    first = np.full(groups, -1, np.int64)
    last = np.full(groups, -1, np.int64)
    start = np.full(groups, NO_TIME, np.int64)
    end = np.full(groups, NO_TIME, np.int64)
    table = np.zeros((groups, _SEVERITIES), np.int64)
    _tally(group, time_ns, severity, count, first, last, start, end, table)
    return Tally(count=count, first=first, last=last, start_ns=start, end_ns=end, severities=table)


def new_times() -> NDArray[np.int64]:
    """What is known of the times of no record: by START, END (NO_TIME), UNDATED, LATEST, DISORDERED."""
    return np.array([NO_TIME, NO_TIME, 0, NO_TIME, 0], np.int64)


@kernel
def add_times(times: Any, time: Any) -> None:
    """Adds the times of more records: the earliest, the latest, how many have none, how many go back."""
    for i in range(time.shape[0]):
        t = time[i]
        if t == NO_TIME:
            times[UNDATED] += 1
            continue
        if times[START] == NO_TIME or t < times[START]:
            times[START] = t
        times[END] = max(times[END], t)
        if t < times[LATEST]:
            times[DISORDERED] += 1
        times[LATEST] = t
