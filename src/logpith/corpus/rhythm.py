"""Rhythm: what many series of counts do that they do not do at this time of day, over days and not a single log.

`anomalies.py` judges one timeline by itself. Here each bucket is compared with two things that are usual:

    the season   the same time of day, a quarter of an hour more or less, of up to seven days before
    of late      the three hours before

A spike must rise above both, and above all that the season has ever shown: a job that runs each night is no news. A
drop must fall below both, twice in a row. What counts as chance is the spread of these buckets themselves, so that
a series that comes in bursts must burst further; and what stands out must do so more than what stood out in the
same series three times in the ten days before. Counts are compared after Anscombe's transform.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from logpith.corpus.anomalies import MAD_TO_SIGMA, SIGMAS, Kind, Method, anscombe, runs
from logpith.timerange import NS_PER_D, NS_PER_MIN

Level = Literal["notice", "alert"]
"""A notice is for whoever looks; an alert is worth calling somebody."""

Counts = NDArray[np.int64]
Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

WIDTH_NS = 5 * NS_PER_MIN
"""The width of a bucket for which the thresholds were chosen."""

SEASON_DAYS = 7
_SEASON_REACH = 3
"""So many buckets before and after the time of day count as the same."""

_LATE = 36
_FEWEST_LATE = 12

_LEAST_MORE, _LEAST_RISE = 5, 2.0
_LEAST_USUAL, _MOST_LEFT = 5.0, 0.2

_BUCKET_Z = 3.0
"""Each bucket of a surge is so far from what is usual."""

_FEWEST_DROPPED = 2
_JUDGED_TOGETHER = 3
"""Chance that makes one bucket high does not make the next one high: so many are judged as one."""

# Of up to three buckets together; how far beyond the season's highest; and beyond what the series does at times.
_NOTICE_Z, _NOTICE_BEYOND, _NOTICE_HABIT = 4.0, 1.2, 1.4
_ALERT_Z, _ALERT_BEYOND, _ALERT_HABIT = 5.0, 1.5, 1.8

# What a series did three times in ten days is how it is: the tails of bursts are longer than any spread tells.
_HABIT_DAYS = 10
_HABIT_TIMES = 3

_TAIL = 0.9
# Of a normal distribution nine tenths lie within so many standard deviations.
_TAIL_TO_SIGMA = 1 / 1.645

_JOINED_OVER = 2
"""Buckets between two parts of one surge at most."""

_SERIES_AT_ONCE = 256
"""Some 100 MB, of 14 days."""

_JUDGED_AT_ONCE = 20_000
"""Buckets; some 20 MB."""


@dataclass(frozen=True, kw_only=True)
class Surge:
    """Adjoining buckets of a series that are unusual in the same way."""

    series: int
    kind: Kind
    level: Level
    first: int
    last: int
    """Inclusive."""

    count: int
    """Records in all of them."""

    usual: float
    """Records that would be usual in one of them."""

    z: float
    """How far up to three of them are from there together, in standard deviations of chance."""


@dataclass(frozen=True)
class _Judged:
    """What was found of some buckets: how far each stands out, and beyond what."""

    z: Values
    usual: Values
    level: NDArray[np.int8]
    """0 nothing, 1 may be a notice, 2 or an alert."""


def find_surges(
    counts: NDArray[np.integer[Any]],
    since: int = 0,
    *,
    width_ns: int = WIDTH_NS,
    whole: int | None = None,
    patience: Values | None = None,
    method: Method = "robust",
) -> list[Surge]:
    """The spikes and drops of (series, buckets) from bucket `since` on, by series and in order of time.

    Buckets before `since` only say what is usual; the first hour of all is never unusual. From bucket `whole` on,
    buckets are not over yet: they may be spikes, but are never low. `patience` raises the thresholds of a series
    by a factor: 1 is usual. `sigma` tells each bucket above its series' mean by two standard deviations.
    """
    series, buckets = counts.shape
    since = min(max(since, 0), buckets)
    patience = np.ones(series) if patience is None else patience
    found: list[Surge] = []
    for first in range(0, series if since < buckets else 0, _SERIES_AT_ONCE):
        some = slice(first, first + _SERIES_AT_ONCE)
        own = np.ascontiguousarray(counts[some], np.int64)
        if method == "sigma":
            told = _above_sigma(own, since)
        else:
            told = _beyond_rhythm(
                own, since, max(1, NS_PER_D // width_ns), buckets if whole is None else whole, patience[some]
            )
        found += [replace(surge, series=first + surge.series) for surge in told]
    return sorted(found, key=lambda surge: (surge.series, surge.first))


def _beyond_rhythm(counts: Counts, since: int, day: int, whole: int, patience: Values) -> Iterator[Surge]:
    # What a series does at times takes ten days to know, and is asked only of the few that stand out.
    rises, falls = _spikes_and_drops(counts, since - 1, day, whole, patience)
    some = np.flatnonzero(((rises.level > 0) | (falls.level > 0)).any(axis=1))
    first = max(0, since - _HABIT_DAYS * day)
    spikes, drops = _spikes_and_drops(counts[some], first, day, whole, patience[some])
    asked = counts[some, first:]
    for surges in (_surges(asked, first, spikes, "spike"), _surges(asked, first, drops, "drop")):
        for surge in _beyond_habit(surges, _HABIT_DAYS * day):
            if surge.last >= since:
                yield replace(surge, series=int(some[surge.series]))


def _spikes_and_drops(
    counts: Counts, since: int, day: int, whole: int, patience: Values
) -> tuple[_Judged, _Judged]:
    past = _Past.of(counts, max(0, since), day)
    spikes = _judge(past, _may_spike(past), patience, _judge_spikes)
    drops = _judge(past, _may_drop(past, whole), patience, _judge_drops)
    lasting = _lasting(drops.level > 0, _FEWEST_DROPPED)
    return spikes, _Judged(drops.z, drops.usual, np.where(lasting, drops.level, 0).astype(np.int8))


@dataclass(frozen=True, kw_only=True)
class _Past:
    """The asked buckets beside what came before them. Two-dimensional arrays are (series, asked buckets)."""

    counts: Counts
    """All buckets, asked or not."""

    since: int
    day: int
    """Buckets a day has."""

    asked: Counts
    days: NDArray[np.int64]
    """Of how many days the season of each asked bucket is known."""

    late: NDArray[np.int64]
    """How many buckets before each asked one are known, at most three hours' worth."""

    season_mean: Values
    """0 where there is no season."""

    late_mean: Values

    @classmethod
    def of(cls, counts: Counts, since: int, day: int) -> _Past:
        buckets = counts.shape[1]
        places = np.arange(since, buckets)
        sums = np.pad(np.cumsum(counts, axis=1), ((0, 0), (1, 0)))
        days = np.clip((places - _SEASON_REACH) // day, 0, SEASON_DAYS)
        total = np.zeros((len(counts), len(places)), np.int64)
        for back in range(1, SEASON_DAYS + 1):
            known = np.flatnonzero(days >= back)
            middle = places[known] - back * day
            total[:, known] += sums[:, middle + _SEASON_REACH + 1] - sums[:, middle - _SEASON_REACH]
        late = np.minimum(places, _LATE)
        return cls(
            counts=counts,
            since=since,
            day=day,
            asked=counts[:, since:],
            days=days,
            late=late,
            season_mean=total / np.maximum(days * (2 * _SEASON_REACH + 1), 1),
            late_mean=(sums[:, places] - sums[:, places - late]) / np.maximum(late, 1),
        )

    def season(self, series: NDArray[np.int64], asked: NDArray[np.int64]) -> Values:
        """For each of some buckets the counts of its season, ascending; infinite where unknown."""
        backs = np.arange(1, SEASON_DAYS + 1) * self.day
        steps = (np.arange(-_SEASON_REACH, _SEASON_REACH + 1) - backs[:, None]).ravel()
        known = np.repeat(np.arange(1, SEASON_DAYS + 1), 2 * _SEASON_REACH + 1) <= self.days[asked][:, None]
        return self._taken(series, asked, steps, known)

    def of_late(self, series: NDArray[np.int64], asked: NDArray[np.int64]) -> Values:
        """As `season`, of the three hours before."""
        steps = np.arange(-_LATE, 0)
        return self._taken(series, asked, steps, -steps <= self.late[asked][:, None])

    def _taken(
        self, series: NDArray[np.int64], asked: NDArray[np.int64], steps: NDArray[np.int64], known: Mask
    ) -> Values:
        places = np.maximum(asked[:, None] + self.since + steps, 0)
        return np.sort(np.where(known, self.counts[series[:, None], places], np.inf), axis=1)


def _may_spike(past: _Past) -> Mask:
    """All that can be a spike: for most buckets their season's mean, which is quickly had, says that they are none.

    What a series does when it has just begun is no spike of it: that it is new is told elsewhere.
    """
    low = np.maximum(_LEAST_RISE * past.season_mean, past.season_mean + _LEAST_MORE)
    seen = past.counts > 0
    begun = np.where(seen.any(axis=1), seen.argmax(axis=1), past.counts.shape[1])
    known = np.arange(past.since, past.counts.shape[1]) - begun[:, None] >= _LATE
    may: Mask = (past.asked >= low) & (past.late >= _FEWEST_LATE) & known
    return may


def _may_drop(past: _Past, whole: int) -> Mask:
    """All that can be a drop: a median is at most twice the mean of counts."""
    mean = np.where(past.days > 0, np.minimum(past.season_mean, past.late_mean), past.late_mean)
    over = np.arange(past.since, past.counts.shape[1]) < whole
    return (
        (past.asked <= 2 * _MOST_LEFT * mean)
        & (mean >= _LEAST_USUAL / 2)
        & (past.late >= _FEWEST_LATE)
        & over
    )


@dataclass(frozen=True)
class _Candidates:
    """Some buckets beside what is usual for them; one entry each."""

    count: Counts
    season: Values
    """Ascending; infinite where unknown, and so in all columns where there is no season."""

    of_late: Values
    season_mean: Values
    patience: Values

    def z(self, usual: Values) -> Values:
        """How far each is from what is usual, in standard deviations of what chance does with it."""
        sizes = np.sort(np.concatenate([_residuals(self.season), _residuals(self.of_late)], axis=1), axis=1)
        sigma = np.maximum(MAD_TO_SIGMA * _quantile(sizes, 0.5), _TAIL_TO_SIGMA * _quantile(sizes, _TAIL))
        overdispersion = np.maximum(1.0, sigma**2 / np.maximum(usual, 1.0))
        z: Values = (anscombe(self.count) - anscombe(usual)) / np.sqrt(overdispersion) / self.patience
        return z


def _judge_spikes(these: _Candidates) -> _Judged:
    season = np.where(np.isfinite(these.season[:, 0]), _median(these.season), 0.0)
    usual = np.maximum(np.maximum(season, _median(these.of_late)), these.season_mean)
    most = np.where(np.isfinite(these.season), these.season, 0.0).max(axis=1)
    z = these.z(usual)
    risen = (these.count >= usual + _LEAST_MORE) & (these.count >= _LEAST_RISE * usual)
    notice = risen & (z > _BUCKET_Z) & (these.count > _NOTICE_BEYOND * most)
    alert = notice & (these.count > _ALERT_BEYOND * most) & np.isfinite(these.season[:, 0])
    return _Judged(z, usual, notice.astype(np.int8) + alert)


def _judge_drops(these: _Candidates) -> _Judged:
    has_season = np.isfinite(these.season[:, 0])
    usual = np.minimum(np.where(has_season, _median(these.season), np.inf), _median(these.of_late))
    z = these.z(usual)
    low = (usual >= _LEAST_USUAL) & (these.count <= _MOST_LEFT * usual)
    notice = low & (z < -_BUCKET_Z)
    return _Judged(z, usual, notice.astype(np.int8) + (notice & has_season))


def _judge(
    past: _Past, candidates: Mask, patience: Values, judged: Callable[[_Candidates], _Judged]
) -> _Judged:
    """Of all asked buckets; what is no candidate is nothing."""
    z, usual = np.zeros(past.asked.shape), np.zeros(past.asked.shape)
    level = np.zeros(past.asked.shape, np.int8)
    all_series, all_asked = np.nonzero(candidates)
    for begin in range(0, len(all_series), _JUDGED_AT_ONCE):
        series, asked = (places[begin : begin + _JUDGED_AT_ONCE] for places in (all_series, all_asked))
        found = judged(
            _Candidates(
                count=past.asked[series, asked],
                season=past.season(series, asked),
                of_late=past.of_late(series, asked),
                season_mean=past.season_mean[series, asked],
                patience=patience[series],
            )
        )
        z[series, asked], usual[series, asked], level[series, asked] = found.z, found.usual, found.level
    return _Judged(z, usual, level)


def _residuals(ascending: Values) -> Values:
    """How far each is from its row's median; infinite where unknown."""
    known = np.isfinite(ascending)
    middle = np.where(known[:, :1], _median(ascending)[:, None], 0.0)
    return np.abs(ascending - middle)


def _median(ascending: Values) -> Values:
    """Of each row, of what is finite; infinite of nothing."""
    count = np.isfinite(ascending).sum(axis=1)
    rows = np.arange(len(ascending))
    lower = ascending[rows, np.maximum(count - 1, 0) // 2]
    upper = ascending[rows, np.minimum(count // 2, ascending.shape[1] - 1)]
    middle: Values = (lower + upper) / 2
    return middle


def _quantile(ascending: Values, share: float) -> Values:
    """The nearest rank in each row, of what is finite."""
    count = np.isfinite(ascending).sum(axis=1)
    place = np.maximum(np.ceil(share * count).astype(np.int64) - 1, 0)
    found: Values = ascending[np.arange(len(ascending)), place]
    return found


def _lasting(marked: Mask, fewest: int) -> Mask:
    """What is marked in at least so many adjoining buckets."""
    kept = np.zeros_like(marked)
    for series, first, end in _runs(marked):
        kept[series, first:end] = end - first >= fewest
    return kept


def _runs(marked: Mask) -> list[tuple[int, int, int]]:
    """The series, first and end of each run of marked buckets."""
    width = marked.shape[1] + 1  # one that is not marked between the rows
    flat = runs(np.pad(marked, ((0, 0), (0, 1))).ravel())
    return [(first // width, first % width, end - first // width * width) for first, end in flat.tolist()]


def _surges(asked: Counts, since: int, judged: _Judged, kind: Literal["spike", "drop"]) -> Iterator[Surge]:
    """What is unusual, put together; a drop to nothing at all is a gap."""
    marked = judged.level > 0
    for step in range(1, _JOINED_OVER + 1):  # what lies between two marked buckets
        between = (judged.level[:, : -step - 1] > 0) & (judged.level[:, step + 1 :] > 0)
        for inner in range(1, step + 1):
            marked[:, inner : inner + between.shape[1]] |= between
    for series, first, end in _runs(marked):
        piece = (series, slice(first, end))
        unusual = judged.level[piece] > 0
        count = int(asked[piece].sum())
        yield Surge(
            series=series,
            kind="gap" if kind == "drop" and not count else kind,
            level="alert" if judged.level[piece].max() > 1 else "notice",
            first=since + first,
            last=since + end - 1,
            count=count,
            usual=float(judged.usual[piece][unusual].mean()),
            z=_together(np.where(unusual, judged.z[piece], 0.0)),
        )


def _together(z: Values) -> float:
    """The furthest of up to three adjoining buckets, as one."""
    windows = range(1, min(_JUDGED_TOGETHER, len(z)) + 1)
    sums = [np.convolve(z, np.full(many, many**-0.5), "valid") for many in windows]
    return float(max(np.concatenate(sums), key=abs))


def _beyond_habit(surges: Iterable[Surge], span: int) -> Iterator[Surge]:
    """The surges, by series and in order, that go further than what the series did several times before."""
    for _, of_series in groupby(surges, key=lambda surge: surge.series):
        before: list[Surge] = []
        for surge in of_series:
            recent = sorted((abs(one.z) for one in before if surge.first - one.last <= span), reverse=True)
            habit = recent[_HABIT_TIMES - 1] if len(recent) >= _HABIT_TIMES else 0.0
            if abs(surge.z) > max(_ALERT_Z, _ALERT_HABIT * habit):
                yield surge
            elif abs(surge.z) > max(_NOTICE_Z, _NOTICE_HABIT * habit):
                yield replace(surge, level="notice")
            before.append(surge)


def _above_sigma(counts: Counts, since: int) -> Iterator[Surge]:
    mean, deviation = counts.mean(axis=1, keepdims=True), counts.std(axis=1, keepdims=True)
    asked = counts[:, since:]
    for series, first, end in _runs(asked > mean + SIGMAS * deviation):
        furthest = int(asked[series, first:end].max())
        yield Surge(
            series=series,
            kind="spike",
            level="notice",
            first=since + first,
            last=since + end - 1,
            count=int(asked[series, first:end].sum()),
            usual=float(mean[series, 0]),
            z=float((furthest - mean[series, 0]) / deviation[series, 0]),
        )
