"""Anomalies: the stretches of a timeline that hold far more, or far fewer, records than the others.

Counts are compared after Anscombe's transform, 2 √(x + 3/8), which gives those of a steady (Poisson) source a
spread of one whatever their mean ("The transformation of Poisson, binomial and negative-binomial data", 1948).
What counts as usual are medians, so that the anomaly itself does not lift them, and what counts as spread is at
least that of chance. A bucket must stand out

    from all others        which finds hours of trouble in a steady log, or
    from its neighbours    which finds minutes of trouble in a log that has a rhythm of its own; but then also from
                           the middle of all, or the end of each quiet night would be a spike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Method = Literal["robust", "sigma"]
Kind = Literal["spike", "drop", "gap"]
Values = NDArray[np.float64]

_FEWEST_BUCKETS = 8
"""With fewer buckets nothing is usual."""

_FEWEST_NEIGHBOURS, _MOST_NEIGHBOURS = 2, 4
"""On each side. A stretch of up to three buckets stands out from so many."""

# Tried on noise of mean 0.05 to 10,000: less than one false alarm in 100 series-days of 5-minute buckets.
_SPIKE_AT = 4.0
_LEAST_RISE = 2.0
_LEAST_MORE = 5
# The transform makes small counts look nearer to chance than they are, so a drop must go further.
_DROP_AT = 5.5
_MOST_LEFT = 0.2

MAD_TO_SIGMA = 1.4826
"""The standard deviation of a normal distribution by its median absolute deviation."""

# What more than a fifth of the buckets do is how this log is.
_USUAL_SHARE = 0.8
_USUAL_TO_SIGMA = 1 / 1.2816

SIGMAS = 2.0
"""Of the simple method."""


@dataclass(frozen=True)
class Episode:
    """Adjoining buckets that are unusual in the same way."""

    kind: Kind
    first: int
    last: int
    """Inclusive."""

    count: int
    """Records in all of them."""

    usual: float
    """Records that would be usual in one of them."""

    def __contains__(self, bucket: int) -> bool:
        return self.first <= bucket <= self.last


def find_episodes(
    counts: NDArray[np.int64], whole: NDArray[np.bool_], method: Method = "robust"
) -> tuple[Episode, ...]:
    """The unusual stretches of a timeline, in their order.

    Buckets that are not `whole` are cut by the ends of the period; they may be spikes, but are never low.
    `sigma` tells every bucket above the mean by two standard deviations, and nothing else: simple and noisy.
    """
    if not len(counts):
        return ()
    if method == "sigma":
        usual = np.full(len(counts), counts.mean())
        return tuple(_episodes(counts, counts > usual + SIGMAS * counts.std(), usual, "spike"))
    if whole.sum() < _FEWEST_BUCKETS:
        return ()
    shown = anscombe(counts)
    overall = np.median(shown[whole])
    spread_overall = _spread((shown - overall)[whole])
    lower, middle, upper = _of_neighbours(np.where(whole, shown, overall))
    spread_beside = _spread((shown - middle)[whole & np.isfinite(upper)])

    peaks = shown - np.maximum(overall, upper) > _SPIKE_AT * spread_beside
    usual = _counts_of(np.where(peaks, np.maximum(overall, middle), overall))
    high = (peaks | (shown - overall > _SPIKE_AT * spread_overall)) & (
        counts >= np.maximum(_LEAST_RISE * usual, usual + _LEAST_MORE)
    )
    spikes = _episodes(counts, high, usual, "spike")

    dips = np.minimum(overall, lower) - shown > _DROP_AT * spread_beside
    usual = _counts_of(np.where(dips, np.minimum(overall, middle), overall))
    low = whole & (dips | (overall - shown > _DROP_AT * spread_overall)) & (counts <= _MOST_LEFT * usual)
    drops = _episodes(counts, low, usual, "drop")
    return tuple(sorted([*spikes, *drops], key=lambda episode: episode.first))


def anscombe(counts: NDArray[np.int64] | Values) -> Values:
    """Counts as they are compared: when they are Poisson's, their spread is one."""
    shown: Values = 2 * np.sqrt(counts + 0.375)
    return shown


def runs(marked: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Where each run of marked places begins and ends: (runs, 2), the end exclusive."""
    return np.flatnonzero(np.diff(np.pad(marked.astype(np.int8), 1))).reshape(-1, 2)


def _of_neighbours(values: Values) -> tuple[Values, Values, Values]:
    """For each bucket the lower quartile, the median and the upper quartile of those beside it.

    Quartiles, since where a level changes half of the neighbours have the new one. There are as many on the left as
    on the right, or a slope would look like a step. A bucket that has too few stands out from none: its quartiles
    are infinite.
    """
    lower, middle, upper = np.full(len(values), -np.inf), values.copy(), np.full(len(values), np.inf)
    for reach in range(_FEWEST_NEIGHBOURS, _MOST_NEIGHBOURS + 1):
        if len(values) < 2 * reach + 1:
            break
        windows = np.lib.stride_tricks.sliding_window_view(values, 2 * reach + 1)
        beside = np.sort(np.delete(windows, reach, axis=1), axis=1)
        inside = slice(reach, len(values) - reach)  # a wider reach, where there is one, replaces a narrower
        quarter = -(-(2 * reach - 1) // 4)
        lower[inside], upper[inside] = beside[:, quarter], beside[:, -1 - quarter]
        middle[inside] = (beside[:, reach - 1] + beside[:, reach]) / 2
    return lower, middle, upper


def _spread(residuals: Values) -> float:
    """The standard deviation that most of the residuals would have, at least that of chance."""
    sizes = np.abs(residuals)
    return max(
        1.0,
        MAD_TO_SIGMA * float(np.median(sizes)),
        _USUAL_TO_SIGMA * float(np.quantile(sizes, _USUAL_SHARE)),
    )


def _counts_of(transformed: Values) -> Values:
    return np.maximum((transformed / 2) ** 2 - 0.375, 0.0)


def _episodes(
    counts: NDArray[np.int64], unusual: NDArray[np.bool_], usual: Values, kind: Kind
) -> Iterator[Episode]:
    """The runs of unusual buckets; a drop to nothing at all is a gap."""
    for first, end in runs(unusual).tolist():
        count = int(counts[first:end].sum())
        named: Kind = "gap" if kind == "drop" and not count else kind
        yield Episode(named, first, end - 1, count, float(usual[first:end].mean()))
