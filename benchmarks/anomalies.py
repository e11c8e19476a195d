"""Anomalies of many series at once, against mean and two standard deviations: what is found, and what is made up.

300 series of five-minute counts over 14 days, as templates of a few services have them: constant, with a rhythm of
day and week, bursty, sparse, and nightly batches. Spikes and drops are put into the last three days; all else that
is told there is false.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks import Row, Setting

if TYPE_CHECKING:
    from logpith.corpus.rhythm import Surge

BUCKETS_PER_DAY = 288
DAYS = 14
ASKED_DAYS = 3
SPIKES = 95
DROPS = 13
"""How many are put into one set, in its last days."""

_NEAR = 2
"""So many buckets beside what was put in belong to it, for instance its end."""

_SHARES = {"constant": 0.25, "diurnal": 0.3, "bursty": 0.2, "sparse": 0.15, "nightly": 0.1}

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Put:
    """What was put into a series."""

    kind: Literal["spike", "drop"]
    series: int
    first: int
    last: int


@dataclass(frozen=True)
class MadeSeries:
    """A set of series, and the truth about it."""

    counts: Counts
    kinds: tuple[str, ...]
    puts: tuple[Put, ...]


@dataclass(frozen=True)
class Score:
    """How well the truth was found."""

    false_per_day: float
    spikes_found: float
    drops_found: float


def make_series(seed: int, series: int = 300) -> MadeSeries:
    """A set of `series` series, the same for the same seed."""
    random = np.random.default_rng(seed)
    kinds = random.choice(list(_SHARES), series, p=list(_SHARES.values()))
    rates = np.stack([_rate(random, kind) for kind in kinds])
    counts = random.poisson(rates)
    steady = np.isin(kinds, ("constant", "diurnal"))
    spikes = list(_put_spikes(random, counts, rates))
    steady[[put.series for put in spikes]] = False
    drops = _put_drops(random, counts, rates, np.flatnonzero(steady))
    return MadeSeries(counts, tuple(kinds.tolist()), (*spikes, *drops))


def score(made: MadeSeries, surges: list[Surge]) -> Score:
    """What of the set was found, and how much else was told, in its last days."""
    false = sum(not any(_meets(surge, put) for put in made.puts) for surge in surges)

    def share_found(kind: str) -> float:
        some = [put for put in made.puts if put.kind == kind]
        found = sum(any(_meets(surge, put) and _is(surge, put) for surge in surges) for put in some)
        return found / len(some)

    return Score(false / ASKED_DAYS, share_found("spike"), share_found("drop"))


def measure(setting: Setting) -> Iterator[Row]:
    """A row for each level."""
    from logpith.corpus.rhythm import find_surges  # noqa: PLC0415  --help must not wait

    sets = [make_series(seed) for seed in range(1 if setting.quick else 5)]
    since = (DAYS - ASKED_DAYS) * BUCKETS_PER_DAY
    started = time.perf_counter()
    told = [find_surges(made.counts, since) for made in sets]
    spent = time.perf_counter() - started
    simple = [score(made, find_surges(made.counts, since, method="sigma")) for made in sets]
    for level in ("notice", "alert"):
        scores = [
            score(made, [surge for surge in surges if level in ("notice", surge.level)])
            for made, surges in zip(sets, told, strict=True)
        ]
        yield Row(
            f"300 series, 14 days, {len(sets)} sets: {level}",
            _shown(scores),
            f"mean + 2 sigma: {_shown(simple)}",
            f"{spent / sum(made.counts[:, since:].size for made in sets) * 1e6:.2f} µs a series and bucket",
        )


def _shown(scores: list[Score]) -> str:
    false = [one.false_per_day for one in scores]
    spikes = [one.spikes_found for one in scores]
    drops = [one.drops_found for one in scores]
    return (
        f"{statistics.mean(false):.1f} false a day (at worst {max(false):.1f}), spikes {statistics.mean(spikes):.2f} "
        f"(at worst {min(spikes):.2f}), drops {statistics.mean(drops):.2f} (at worst {min(drops):.2f})"
    )


def _meets(surge: Surge, put: Put) -> bool:
    return surge.series == put.series and surge.first <= put.last + _NEAR and surge.last >= put.first - _NEAR


def _is(surge: Surge, put: Put) -> bool:
    return (surge.kind == "spike") == (put.kind == "spike")


def _rate(random: np.random.Generator, kind: str) -> NDArray[np.float64]:
    """The records to expect of one series in each bucket."""
    bucket = np.arange(DAYS * BUCKETS_PER_DAY)
    mean = float(np.exp(random.uniform(np.log(0.5), np.log(200))))
    match kind:
        case "diurnal":
            hours = (bucket % BUCKETS_PER_DAY) / BUCKETS_PER_DAY * 24
            wave = 1 + random.uniform(0.4, 0.95) * np.cos((hours - random.normal(14, 2)) / 24 * 2 * np.pi)
            day = bucket // BUCKETS_PER_DAY
            weekend = np.where((day + random.integers(7)) % 7 < 2, random.uniform(0.5, 1.0), 1.0)
            of_day = np.exp(random.normal(0, 0.1, DAYS))[day]
            return mean * wave * weekend * of_day
        case "bursty":
            # Noise in the logarithm that lasts for about half an hour, and noise of each bucket.
            steps = random.normal(0, 1, len(bucket))
            slow = np.empty(len(bucket))
            slow[0] = steps[0]
            for place in range(1, len(bucket)):
                slow[place] = 0.85 * slow[place - 1] + 0.53 * steps[place]
            spread = random.uniform(0.3, 0.7)
            shape = random.uniform(2.0, 6.0)
            return mean * np.exp(spread * slow - spread**2 / 2) * random.gamma(shape, 1 / shape, len(bucket))
        case "sparse":
            return np.full(len(bucket), random.uniform(0.01, 0.3))
        case "nightly":
            rate = np.zeros(len(bucket))
            begin, length = int(random.integers(0, 72)), int(random.integers(2, 8))
            size = float(np.exp(random.uniform(np.log(30), np.log(1000))))
            for day_begin in range(0, DAYS * BUCKETS_PER_DAY, BUCKETS_PER_DAY):
                at = max(day_begin + begin + int(random.integers(-1, 2)), 0)
                rate[at : at + length] = size * np.exp(random.normal(0, 0.1))
            return rate
        case _:
            return np.full(len(bucket), mean)


def _put_spikes(random: np.random.Generator, counts: Counts, rates: NDArray[np.float64]) -> Iterator[Put]:
    """Three to ten times what is usual, and ten at least, for up to half an hour."""
    for series in random.choice(len(counts), SPIKES, replace=False).tolist():
        first, length = _place(random, int(random.integers(1, 7)))
        usual = max(float(rates[series, first : first + length].mean()), float(rates[series].mean()))
        more = max(usual * random.uniform(2, 9), random.uniform(10, 30))
        counts[series, first : first + length] += random.poisson(more, length)
        yield Put("spike", series, first, first + length - 1)


def _put_drops(
    random: np.random.Generator, counts: Counts, rates: NDArray[np.float64], steady: NDArray[np.int64]
) -> Iterator[Put]:
    """A tenth or nothing of what is usual, for 20 minutes to 2 hours, in series that have a usual."""
    left = DROPS
    for series in random.permutation(steady).tolist():
        first, length = _place(random, int(random.integers(4, 25)))
        piece = slice(first, first + length)
        if rates[series, piece].min() < 8 or not left:
            continue
        left -= 1
        counts[series, piece] = random.poisson(rates[series, piece] * random.choice([0.0, 0.03, 0.1]))
        yield Put("drop", series, first, first + length - 1)


def _place(random: np.random.Generator, length: int) -> tuple[int, int]:
    begin = (DAYS - ASKED_DAYS) * BUCKETS_PER_DAY
    return int(random.integers(begin + _NEAR, DAYS * BUCKETS_PER_DAY - length - _NEAR)), length
