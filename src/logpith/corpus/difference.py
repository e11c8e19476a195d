"""Differences: which groups of records are more or less frequent on one side than on the other, beyond chance.

Both sides are counted by the same templates, mined from both together: two models would differ by themselves.

What is expected is not that counts are equal but that they have the ratio that the typical group has: when twice
as many users come, everything doubles, and that is one fact and not as many as there are templates. Given that
ratio, each group's count on one side is binomial (the exact comparison of two Poisson rates); its likelihood
ratio (G) says how surprising it is, and Benjamini and Hochberg's procedure (1995) bounds the share of what chance
puts among the told.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from logpith_emit.severity import ERROR

Counts = NDArray[np.int64]
Verdict = Literal["new", "gone", "up", "down"]

LEAST_EFFECT = 2.0
"""A group must be that many times as frequent to be called more frequent."""

_MOST_BY_CHANCE = 0.01
"""Share of the told differences that chance may have made."""

_FEWEST_TYPICAL = 5
"""So many groups must be on both sides for one of them to be the typical one."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A group of records that is not as frequent on both sides."""

    group: int
    verdict: Verdict
    before: int
    now: int
    ratio: float
    """Of its rates, now by before, where the typical group has 1; infinite for what is new."""

    bits: float
    """How surprising: a coin would have to show the same side so many times in a row."""

    beyond_chance: bool
    """Else it is told for its severity alone."""


def typical_growth(before: Counts, now: Counts) -> float:
    """How many times as many records the typical group has now: the middle one of those on both sides.

    With too few of them, that of all records; 1 when a side is empty.
    """
    both = (before > 0) & (now > 0) & (before + now >= 10)
    if both.sum() >= _FEWEST_TYPICAL:
        return float(np.exp(np.median(np.log(now[both] / before[both]))))
    if not before.any() or not now.any():
        return 1.0
    return float(now.sum() / before.sum())


def find_differences(before: Counts, now: Counts, growth: float, severity: Sequence[int]) -> list[Difference]:
    """The groups that differ beyond chance, in no order; and what is new and severe, though it be once."""
    bits = surprise_bits(before, now, growth)
    certain = beyond_chance(bits)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = now / (before * growth)
    found = []
    for group in np.flatnonzero(certain | ((before == 0) & (now > 0))).tolist():
        if not certain[group] and severity[group] < ERROR:
            continue
        verdict = _verdict(int(before[group]), int(now[group]), float(ratio[group]))
        if verdict is not None:
            found.append(
                Difference(
                    group=group,
                    verdict=verdict,
                    before=int(before[group]),
                    now=int(now[group]),
                    ratio=float(ratio[group]),
                    bits=float(bits[group]),
                    beyond_chance=bool(certain[group]),
                )
            )
    return found


def surprise_bits(before: Counts, now: Counts, growth: float) -> NDArray[np.float64]:
    """For each group -log2 of how likely chance alone makes its sides at least so unequal."""
    total = before + now
    share = growth / (1 + growth)
    expected_now, expected_before = total * share, total * (1 - share)
    with np.errstate(divide="ignore", invalid="ignore"):
        half_g = np.where(now > 0, now * np.log(now / expected_now), 0.0) + np.where(
            before > 0, before * np.log(before / expected_before), 0.0
        )
    bits = np.array([bits_of_half_g(max(one, 0.0)) for one in half_g.tolist()], np.float64)
    # A side without any is where the approximation is worst, and where the exact value is easy.
    bits = np.where(before == 0, -total * math.log2(share) - 1, bits)
    bits = np.where(now == 0, -total * math.log2(1 - share) - 1, bits)
    return np.maximum(bits, 0.0)


def bits_of_half_g(half_g: float) -> float:
    """-log2 of the chance that G, which follows chi squared with one degree of freedom, is at least so large."""
    if half_g < 300:
        return -math.log2(math.erfc(math.sqrt(half_g)))
    return (half_g + 0.5 * math.log(math.pi * half_g)) / math.log(2)


def beyond_chance(bits: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Benjamini and Hochberg: the longest list, most surprising first, of which chance made few enough."""
    order = np.argsort(-bits, kind="stable")
    ranks = np.arange(1, len(bits) + 1)
    needed = np.log2(len(bits) / ranks / _MOST_BY_CHANCE) if len(bits) else np.empty(0)
    meets = np.flatnonzero(bits[order] >= needed)
    certain = np.zeros(len(bits), np.bool_)
    if len(meets):
        certain[order[: meets[-1] + 1]] = True
    return certain


def _verdict(before: int, now: int, ratio: float) -> Verdict | None:
    if not before:
        return "new"
    if not now:
        return "gone"
    if ratio >= LEAST_EFFECT:
        return "up"
    return "down" if ratio <= 1 / LEAST_EFFECT else None
