"""Counting records by time, and by group on two sides: one pass each over whole columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logpith.scan.kernel import kernel
from logpith.scan.timestamps import NO_TIME

BEFORE, NOW = 1, 2
"""The sides that a record may be on, as bits: it may be on both."""


@kernel
def _count_buckets(
    time: Any, severity: Any, origin: Any, width: Any, least: Any, counts: Any, severe: Any
) -> int:
    undated = 0
    for i in range(time.shape[0]):
        t = time[i]
        if t == NO_TIME:
            undated += 1
            continue
        # A span of all times there are is wider than an int64; the difference wraps round to the right uint64.
        place = np.uint64(t - origin) // width
        counts[place] += 1
        if severity[i] >= least:
            severe[place] += 1
    return undated


def count_buckets(
    time_ns: NDArray[np.int64],
    severity: NDArray[np.uint8],
    origin_ns: int,
    width_ns: int,
    buckets: int,
    least_severity: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """The records in each bucket from `origin_ns` on, those at least so severe, and how many have no time.

    Every time that is known lies in one of the buckets.
    """
    counts = np.zeros(buckets, np.int64)
    severe = np.zeros(buckets, np.int64)
    undated = _count_buckets(
        time_ns, severity, np.int64(origin_ns), np.uint64(width_ns), least_severity, counts, severe
    )
    return counts, severe, int(undated)


@kernel
def _count_minutes(
    minute: Any, template: Any, records: Any, column_of_template: Any, low: int, table: Any
) -> None:
    for i in range(minute.shape[0]):
        column = column_of_template[template[i]]
        if column >= 0:
            table[max(np.int64(minute[i]) - low + 1, 0), column] += records[i]


def count_minutes(
    minute: NDArray[np.int32],
    template: NDArray[np.int32],
    records: NDArray[np.int32],
    column_of_template: NDArray[np.int64],
    low: int,
    table: NDArray[np.int64],
) -> None:
    """Adds up records by minute, from `low` on in the second row of the table, and by the column that their template
    has, if not -1. What is before `low`, such as what has no time, comes into the first row."""
    _count_minutes(minute, template, records, column_of_template, low, table)


@dataclass(frozen=True, kw_only=True)
class SideTally:
    """Records by side (0 before, 1 now) and group."""

    count: NDArray[np.int64]
    first: NDArray[np.int64]
    """The place of the earliest record; -1 for none. One without a time comes after all that have one."""

    last: NDArray[np.int64]


@kernel
def _mark_sides(time: Any, before: Any, now: Any, side: Any) -> None:
    for i in range(time.shape[0]):
        t = time[i]
        if t == NO_TIME:
            continue
        bits = 0
        if before[0] <= t < before[1]:
            bits |= BEFORE
        if now[0] <= t < now[1]:
            bits |= NOW
        side[i] = bits


def mark_sides(
    time_ns: NDArray[np.int64], before: tuple[int, int], now: tuple[int, int]
) -> NDArray[np.uint8]:
    """On which sides each record is, both being periods from their first moment on and before their second."""
    side = np.zeros(len(time_ns), np.uint8)
    _mark_sides(time_ns, np.array(before, np.int64), np.array(now, np.int64), side)
    return side


@kernel
def _count_sides(
    group: Any, side: Any, time: Any, count: Any, first: Any, last: Any, start: Any, end: Any
) -> None:
    for i in range(group.shape[0]):
        g = group[i]
        if g < 0 or side[i] == 0:
            continue
        t = time[i]
        for s in range(2):
            if not side[i] & (1 << s):
                continue
            if count[s, g] == 0 or (t != NO_TIME and (start[s, g] == NO_TIME or t < start[s, g])):
                first[s, g] = i
                start[s, g] = t
            if count[s, g] == 0 or t >= end[s, g]:
                last[s, g] = i
                end[s, g] = t
            count[s, g] += 1


def count_sides(
    group: NDArray[np.int32], groups: int, side: NDArray[np.uint8], time_ns: NDArray[np.int64]
) -> SideTally:
    """The tally of records by `group`, which is from 0 to `groups`, or negative for none; `side` holds bits."""
    count = np.zeros((2, groups), np.int64)
    first, last = np.full((2, groups), -1, np.int64), np.full((2, groups), -1, np.int64)
    start, end = np.full((2, groups), NO_TIME, np.int64), np.full((2, groups), NO_TIME, np.int64)
    _count_sides(group, side, time_ns, count, first, last, start, end)
    return SideTally(count=count, first=first, last=last)
