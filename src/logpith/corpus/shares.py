"""Shares: since when a larger part of a service's records are errors than before, and than at this time of day.

Half an hour is compared with the day before it, by the likelihood ratio (G) of two proportions. Errors come in bursts,
which makes proportions differ by more than chance; so G is divided by how much half hours of this service
differ among themselves. Of all that are asked about at once, Benjamini and Hochberg's procedure bounds the share
that chance puts among the told (`difference.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from logpith.corpus.anomalies import runs
from logpith.corpus.difference import beyond_chance, bits_of_half_g
from logpith.corpus.rhythm import SEASON_DAYS, WIDTH_NS, Counts, Level, Values
from logpith.timerange import NS_PER_D, NS_PER_MIN

_WINDOW_NS = 30 * NS_PER_MIN
_LEAST_BEFORE_NS = 180 * NS_PER_MIN
_SEASON_REACH_NS = 15 * NS_PER_MIN

_LEAST_BAD = 5
_LEAST_RISE = 2.0
_LEAST_SHARE = 0.01
_BEYOND_SEASON = 1.2
_ALERT_BITS, _ALERT_SHARE, _ALERT_BEYOND = 40.0, 0.05, 1.5

# Where half of chi squared with one degree of freedom lies, and nine tenths of it.
_CHI2_HALF, _CHI2_TAIL = 0.455, 2.706


@dataclass(frozen=True, kw_only=True)
class ShareRise:
    """Adjoining buckets at whose ends the half hour before had an unusual share of errors."""

    series: int
    level: Level
    first: int
    last: int
    """Inclusive."""

    bad: int
    """Of the half hour with the highest share."""

    every: int
    usual: float
    """The share of the day before, from 0 to 1."""

    bits: float
    """How surprising the most surprising half hour is."""

    @property
    def share(self) -> float:
        return self.bad / self.every


def find_share_rises(
    bad: Counts, every: Counts, since: int = 0, *, width_ns: int = WIDTH_NS
) -> list[ShareRise]:
    """Where the share of `bad` in `every`, both (series, buckets), is unusually high, from bucket `since` on."""
    buckets = bad.shape[1]
    window = max(1, _WINDOW_NS // width_ns)
    day = max(window, NS_PER_D // width_ns)
    first = max(since, window + _LEAST_BEFORE_NS // width_ns, 0)
    if first >= buckets:
        return []
    # Few services have errors at all.
    some = np.flatnonzero(bad[:, first - window + 1 :].sum(axis=1) >= _LEAST_BAD)
    if not len(some):
        return []
    bad, every = bad[some], every[some]
    now_bad, now_every = _trailing(bad, window), _trailing(every, window)
    # What is before a window ends where it begins.
    before_bad, before_every = (
        np.pad(_trailing(counts, day), ((0, 0), (window, 0)))[:, :buckets] for counts in (bad, every)
    )
    asked = (slice(None), slice(first, None))
    now_share = now_bad / np.maximum(now_every, 1)
    usual = (before_bad + 0.5) / (before_every + 1)
    # In one service at one time this could be told; most cannot, and need not be compared.
    may = (
        (now_bad >= _LEAST_BAD)
        & (now_share >= np.maximum(_LEAST_RISE * usual, _LEAST_SHARE))
        & (before_every > 0)
    )[asked]
    half_g = _half_g(now_bad, now_every, before_bad, before_every)[asked]
    half_g = half_g / _dispersion(bad[:, :first], every[:, :first], window)[:, None]
    bits = np.zeros(half_g.shape)
    bits[may] = [bits_of_half_g(one) for one in half_g[may].tolist()]
    certain = beyond_chance(bits.ravel()).reshape(bits.shape)
    season = _season_share(now_share, day, _SEASON_REACH_NS // width_ns)[asked]
    share = now_share[asked]
    told = may & certain & (share > _BEYOND_SEASON * season)
    has_season = np.arange(first, buckets) >= day + _SEASON_REACH_NS // width_ns
    alert = (
        told & (bits >= _ALERT_BITS) & (share >= _ALERT_SHARE) & (share > _ALERT_BEYOND * season) & has_season
    )
    found = []
    for series in np.flatnonzero(told.any(axis=1)).tolist():
        for begin, end in runs(told[series]).tolist():
            piece = (series, slice(begin, end))
            peak = begin + int(np.argmax(np.where(told[piece], share[piece], 0)))
            found.append(
                ShareRise(
                    series=int(some[series]),
                    level="alert" if alert[piece].any() else "notice",
                    first=first + begin,
                    last=first + end - 1,
                    bad=int(now_bad[series, first + peak]),
                    every=int(now_every[series, first + peak]),
                    usual=float(before_bad[series, first + begin] / before_every[series, first + begin]),
                    bits=float(bits[piece].max()),
                )
            )
    return found


def _trailing(counts: Counts, width: int) -> Counts:
    """At each bucket the sum of it and those before it, `width` in all."""
    sums = np.pad(np.cumsum(counts, axis=1, dtype=np.int64), ((0, 0), (width, 0)))
    sums[:, width:] -= sums[:, :-width].copy()
    return sums[:, width:]


def _half_g(now_bad: Counts, now_every: Counts, before_bad: Counts, before_every: Counts) -> Values:
    """Half of G, the likelihood ratio of two proportions being one."""
    together = (now_bad + before_bad) / np.maximum(now_every + before_every, 1)
    return (
        _told(now_bad, now_every * together)
        + _told(now_every - now_bad, now_every * (1 - together))
        + _told(before_bad, before_every * together)
        + _told(before_every - before_bad, before_every * (1 - together))
    )


def _told(seen: Counts, expected: Values) -> Values:
    told: Values = np.where(seen > 0, seen * np.log(np.maximum(seen, 1) / np.maximum(expected, 1e-12)), 0.0)
    return told


def _dispersion(bad: Counts, every: Counts, window: int) -> Values:
    """For each series how much more its windows differ in their shares than chance would make them; at least 1."""
    whole = bad.shape[1] // window * window
    parts_bad, parts_every = (
        counts[:, bad.shape[1] - whole :].reshape(len(bad), -1, window).sum(axis=2) for counts in (bad, every)
    )
    share = parts_bad.sum(axis=1, keepdims=True) / np.maximum(parts_every.sum(axis=1, keepdims=True), 1)
    variance = np.maximum(share * (1 - share) * parts_every, 1e-12)
    chi2 = np.where(parts_every > 0, (parts_bad - share * parts_every) ** 2 / variance, np.nan)
    found = np.ones(len(bad))
    for series in np.flatnonzero((parts_every > 0).any(axis=1) & (share[:, 0] > 0)).tolist():
        half, tail = np.nanquantile(chi2[series], (0.5, 0.9))
        found[series] = max(1.0, half / _CHI2_HALF, tail / _CHI2_TAIL)
    return found


def _season_share(share: Values, day: int, reach: int) -> Values:
    """At each bucket the highest share at its time of day, `reach` buckets more or less, of up to seven days before."""
    padded = np.pad(share, ((0, 0), (reach, reach)))
    around: Values = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=1).max(axis=2)
    most = np.zeros_like(share)
    for back in range(day, SEASON_DAYS * day + 1, day):
        if back < share.shape[1]:
            np.maximum(most[:, back:], around[:, :-back], out=most[:, back:])
    return most
