"""Counting records by group in one pass: how many, the first and last, their period, their severities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logpith.scan.kernel import kernel
from logpith.scan.timestamps import NO_TIME

_SEVERITIES = 25


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
