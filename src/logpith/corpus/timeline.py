"""A timeline: how many records fall into each of some spans of time, all equally long and round."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from logpith.corpus.anomalies import Episode
from logpith.corpus.selection import Selection
from logpith.scan.buckets import count_buckets, count_sides, mark_sides
from logpith.scan.timestamps import NO_TIME
from logpith.timerange import FIRST_NS, NS_PER_D, NS_PER_H, NS_PER_MIN, NS_PER_S, TimeRange
from logpith_emit.severity import ERROR

FEWEST_BUCKETS, MOST_BUCKETS = 10, 40

# Neighbours differ by less than four times, so that for any span one of them gives 10 to 40 buckets.
ROUND_WIDTHS_NS: tuple[int, ...] = (
    *(count * 10**power for power in range(9) for count in (1, 2, 5)),
    *(count * NS_PER_S for count in (1, 2, 5, 10, 15, 30)),
    *(count * NS_PER_MIN for count in (1, 2, 5, 10, 15, 30)),
    *(count * NS_PER_H for count in (1, 2, 3, 6, 12)),
    *(count * NS_PER_D for count in (1, 2)),
    *(7 * 2**doublings * NS_PER_D for doublings in range(13)),
)

_LEAST_RISEN = 3

_WEEK_NS = 7 * NS_PER_D
_A_MONDAY_NS = 4 * NS_PER_D
"""1970-01-05: weeks begin on a Monday."""


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """Records by bucket. One entry a bucket, in order, without holes."""

    origin_ns: int
    """Where the first bucket begins: a round time in UTC."""

    width_ns: int
    start_ns: int
    """The asked period begins and ends here, which may be within the first and the last bucket."""

    end_ns: int
    counts: NDArray[np.int64]
    errors: NDArray[np.int64]
    """Of those, the ones that are an error or worse."""

    undated: int
    """Records in no bucket, since they have no time."""

    def __len__(self) -> int:
        return len(self.counts)

    def start_of(self, bucket: int) -> int:
        """Where a bucket begins; the one before it ends there."""
        return self.origin_ns + bucket * self.width_ns

    @property
    def whole(self) -> NDArray[np.bool_]:
        """Which buckets lie in the period from end to end: what is cut by its ends holds less for that alone."""
        whole = np.ones(len(self), np.bool_)
        whole[0] = self.start_ns - self.origin_ns <= self.width_ns // 20
        whole[-1] &= self.start_of(len(self)) - self.end_ns <= self.width_ns // 20
        return whole


def timeline_of(selection: Selection, period: TimeRange, wanted: int) -> Timeline | None:
    """The selection in about `wanted` buckets, None when no record of its corpus in `period` has a time.

    They span the corpus and not the selection: when a thing began shows only beside the time before.
    """
    span = selection.corpus.span_ns
    if span is None:
        return None
    start = span[0] if period.start_ns is None else max(span[0], period.start_ns)
    end = span[1] + 1 if period.end_ns is None else min(span[1] + 1, period.end_ns)
    if start >= end:
        return None
    width = round_width_ns(start, end, wanted)
    if width < NS_PER_S:
        width = round_width_ns(start, end, wanted, _resolution_ns(selection.corpus.columns.time_ns))
    origin = max(_aligned(start, width), FIRST_NS + 1)
    counts, errors, undated = count_buckets(
        selection.time_ns, selection.severity, origin, width, _buckets(start, end, width), ERROR
    )
    return Timeline(
        origin_ns=origin,
        width_ns=width,
        start_ns=start,
        end_ns=end,
        counts=counts,
        errors=errors,
        undated=undated,
    )


def round_width_ns(start_ns: int, end_ns: int, wanted: int, finest_ns: int = 1) -> int:
    """The round width that cuts the time from `start_ns` on and before `end_ns` into about `wanted` buckets.

    They are 10 to 40, or fewer where times are told no finer than `finest_ns`.
    """
    widths = [width for width in ROUND_WIDTHS_NS if width >= finest_ns]
    fitting = [
        width for width in widths if FEWEST_BUCKETS <= _buckets(start_ns, end_ns, width) <= MOST_BUCKETS
    ]
    if not fitting:
        return next(width for width in widths if _buckets(start_ns, end_ns, width) <= MOST_BUCKETS)
    return min(fitting, key=lambda width: abs(math.log(_buckets(start_ns, end_ns, width) / wanted)))


def _aligned(moment_ns: int, width_ns: int) -> int:
    """The last border of buckets at or before a moment."""
    shift = _A_MONDAY_NS if width_ns % _WEEK_NS == 0 else 0
    return (moment_ns - shift) // width_ns * width_ns + shift


def _buckets(start_ns: int, end_ns: int, width_ns: int) -> int:
    return (_aligned(end_ns - 1, width_ns) - _aligned(start_ns, width_ns)) // width_ns + 1


def _resolution_ns(times: NDArray[np.int64]) -> int:
    """How finely times are told: buckets narrower than that would be empty by turns."""
    dated = times[times != NO_TIME]
    return next((unit for unit in (NS_PER_S, 10**6, 10**3) if not (dated % unit).any()), 1)


@dataclass(frozen=True, kw_only=True)
class Rise:
    """A template that is more frequent in an episode than in the rest of the timeline."""

    template: int
    count: int
    """Records in the episode."""

    usual: float
    """Records in as long a time elsewhere."""

    first: int
    """The number of the episode's first record of it."""


def rises_within(
    selection: Selection, timeline: Timeline, episode: Episode, *, errors_only: bool = False
) -> list[Rise]:
    """The templates that explain an episode, the one that says most about it first."""
    if errors_only:
        selection = selection.only(np.flatnonzero(selection.severity >= ERROR))
    inside = (timeline.start_of(episode.first), timeline.start_of(episode.last + 1))
    side = mark_sides(selection.time_ns, (timeline.start_ns, timeline.end_ns), inside)
    groups = len(selection.corpus.templates.templates)
    tally = count_sides(selection.template, groups, side, selection.time_ns)
    everywhere, within = tally.count
    elsewhere = everywhere - within
    length = episode.last - episode.first + 1
    usual = elsewhere * (length / max(len(timeline) - length, 1))
    # The likelihood ratio of Poisson counts; half a record is as usual as what was never seen can be.
    expected = np.maximum(usual, 0.5)
    surprise = within * np.log(np.maximum(within, 1) / expected) - (within - expected)
    telling = np.flatnonzero((within >= _LEAST_RISEN) & (within >= 2 * usual))
    order = telling[np.argsort(-surprise[telling], kind="stable")]
    return [
        Rise(
            template=place,
            count=int(within[place]),
            usual=float(usual[place]),
            first=selection.record(int(tally.first[1, place])),
        )
        for place in order.tolist()
    ]
