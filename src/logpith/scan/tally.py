"""Counting records by group in one pass: how many, the first and last, their period, severities, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logpith.scan.kernel import kernel
from logpith.scan.timestamps import NO_TIME

SEVERITIES = 25
SLICES = 40
"""Into so many equal parts, by number of records, a source is cut to tell when a group's records came."""

# What `add_times` keeps, by place.
START, END, UNDATED, LATEST, DISORDERED = range(5)


@dataclass(frozen=True, kw_only=True)
class Tally:
    """One entry a group."""

    count: NDArray[np.int64]
    first: NDArray[np.int64]
    """Place of the first record as they stand; -1 for a group without any."""

    last: NDArray[np.int64]
    earliest: NDArray[np.int64]
    """Place of the record that is first in time."""

    onset: NDArray[np.float64]
    """Where in the order of time the earliest stands, from 0 to 1; 1 for a group without any."""

    start_ns: NDArray[np.int64]
    """Earliest time; NO_TIME where none is known."""

    end_ns: NDArray[np.int64]
    severities: NDArray[np.int64]
    """(groups, 25): records by severity number."""

    slices: NDArray[np.int64]
    """(groups, SLICES): records by their place in the order of time."""

    @property
    def typical_severity(self) -> NDArray[np.int64]:
        """The severity that most records of each group have, the worse one of two as frequent; 0 where unknown."""
        return typical_severity(self.severities)

    def within(self, low: float, high: float) -> Tally:
        """The same records as a part of more, which goes from `low` to `high` of the whole."""
        if (low, high) == (0.0, 1.0):
            return self
        middles = low + (np.arange(SLICES) + 0.5) / SLICES * (high - low)
        slices = np.zeros_like(self.slices)
        np.add.at(slices.T, np.minimum((middles * SLICES).astype(np.int64), SLICES - 1), self.slices.T)
        return replace(self, onset=low + self.onset * (high - low), slices=slices)


def typical_severity(severities: NDArray[np.int64]) -> NDArray[np.int64]:
    """See `Tally.typical_severity`, of (groups, 25)."""
    known = severities[:, 1:]
    return np.where(known.any(axis=1), SEVERITIES - 1 - np.argmax(known[:, ::-1], axis=1), 0)


def no_tally(groups: int) -> Tally:
    """The tally of no record."""
    return Tally(
        count=np.zeros(groups, np.int64),
        first=np.full(groups, -1, np.int64),
        last=np.full(groups, -1, np.int64),
        earliest=np.full(groups, -1, np.int64),
        onset=np.ones(groups, np.float64),
        start_ns=np.full(groups, NO_TIME, np.int64),
        end_ns=np.full(groups, NO_TIME, np.int64),
        severities=np.zeros((groups, SEVERITIES), np.int64),
        slices=np.zeros((groups, SLICES), np.int64),
    )


def read_tally(kept: Mapping[str, bytes], groups: int) -> Tally:
    """The tally whose arrays were kept as bytes, by their names."""
    arrays = {
        name: np.frombuffer(kept[name], like.dtype).reshape(like.shape)
        for name, like in vars(no_tally(groups)).items()
    }
    return Tally(**arrays)


@kernel
def _tally(
    group: Any,
    time: Any,
    severity: Any,
    rank: Any,
    count: Any,
    first: Any,
    last: Any,
    earliest: Any,
    onset: Any,
    start: Any,
    end: Any,
    severities: Any,
    slices: Any,
) -> None:
    records = group.shape[0]
    groups = count.shape[0]
    ranked = rank.shape[0] > 0
    for i in range(records):
        g = group[i]
        if g < 0 or g >= groups:
            continue
        place = np.int64(rank[i]) if ranked else i
        if count[g] == 0:
            first[g] = i
        share = place / records
        if count[g] == 0 or share < onset[g]:
            onset[g] = share
            earliest[g] = i
        count[g] += 1
        last[g] = i
        severities[g, severity[i]] += 1
        slices[g, place * SLICES // records] += 1
        t = time[i]
        if t != NO_TIME:
            if start[g] == NO_TIME or t < start[g]:
                start[g] = t
            if end[g] == NO_TIME or t > end[g]:
                end[g] = t


def tally(
    group: NDArray[Any],
    groups: int,
    time_ns: NDArray[np.int64],
    severity: NDArray[np.uint8],
    rank: NDArray[np.int32] | None = None,
) -> Tally:
    """The tally of records by `group`: from 0 on, below `groups`; anything else is in no group.

    `rank` is the place of each record in the order of time, where they do not stand in it.
    """
    made = no_tally(groups)
    _tally(
        group,
        time_ns,
        severity,
        np.empty(0, np.int32) if rank is None else rank,
        made.count,
        made.first,
        made.last,
        made.earliest,
        made.onset,
        made.start_ns,
        made.end_ns,
        made.severities,
        made.slices,
    )
    return made


def join_tallies(
    tallies: list[Tally], places: list[NDArray[np.int32]], offsets: list[int], groups: int
) -> Tally:
    """One tally of several: group g of tally k is group `places[k][g]`, its records are numbered from `offsets[k]`."""
    joined = no_tally(groups)
    for one, place, offset in zip(tallies, places, offsets, strict=True):
        has = np.flatnonzero((one.count > 0) & (place >= 0))
        to = place[has]
        np.add.at(joined.count, to, one.count[has])
        np.add.at(joined.severities, to, one.severities[has])
        np.add.at(joined.slices, to, one.slices[has])
        _lower(joined.first, to, one.first[has] + offset, joined.first[to] < 0)
        np.maximum.at(joined.last, to, one.last[has] + offset)
        for g, record, onset in zip(
            to.tolist(), (one.earliest[has] + offset).tolist(), one.onset[has].tolist(), strict=True
        ):
            if joined.earliest[g] < 0 or onset < joined.onset[g]:
                joined.earliest[g] = record
                joined.onset[g] = onset
        dated = one.start_ns[has] != NO_TIME
        starts, at = one.start_ns[has][dated], to[dated]
        _lower(joined.start_ns, at, starts, joined.start_ns[at] == NO_TIME)
        np.maximum.at(joined.end_ns, at, one.end_ns[has][dated])
    return joined


def _lower(
    values: NDArray[np.int64], places: NDArray[np.int32], others: NDArray[np.int64], unset: NDArray[np.bool_]
) -> None:
    """Takes the smaller one at each place, or the other where none was set."""
    values[places[unset]] = np.iinfo(np.int64).max
    np.minimum.at(values, places, others)


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


def time_ranks(time_ns: NDArray[np.int64]) -> NDArray[np.int32]:
    """The place of each record in the order of time; one without a time stays behind the one before it."""
    ranks = np.empty(len(time_ns), np.int32)
    ranks[_order(time_ns)] = np.arange(len(time_ns), dtype=np.int32)
    return ranks


def last_of_each(
    records: NDArray[np.int64], of: NDArray[np.int32], ranks: NDArray[np.int32], most: int
) -> NDArray[np.int64]:
    """The last `most` records of each service in time, the newest of all first; `of` and `ranks` are of each record
    its service and its place in the order of time."""
    if not len(records):
        return records
    order = np.argsort(ranks, kind="stable")[::-1]
    in_order = of[order]
    grouped = np.argsort(in_order, kind="stable")
    sizes = np.bincount(in_order)
    begins = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    rank_in_group = np.arange(len(grouped)) - np.repeat(begins, sizes)
    kept = np.sort(grouped[rank_in_group < most])
    chosen: NDArray[np.int64] = records[order[kept]]
    return chosen


def _order(time_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.argsort(_filled(time_ns), kind="stable")


def _filled(time_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """The times, with that of the record before where a record has none."""
    known = np.maximum.accumulate(np.where(time_ns != NO_TIME, np.arange(len(time_ns), dtype=np.int32), 0))
    return time_ns[known]


def slice_times(time_ns: NDArray[np.int64], rank: NDArray[np.int32] | None) -> NDArray[np.int64]:
    """When each slice begins: the time of its first record in the order of time."""
    count = len(time_ns)
    if not count:
        return np.full(SLICES, NO_TIME, np.int64)
    wanted = np.arange(SLICES, dtype=np.int64) * count // SLICES
    filled = _filled(time_ns)
    if rank is None:
        return filled[wanted]
    in_order = np.empty(count, np.int64)
    in_order[rank] = filled
    return in_order[wanted]
