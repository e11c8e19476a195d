"""Clusters: similar templates side by side, so that a handful of rows stands for all of them.

Two templates are as alike as their longest common subsequence of tokens is long, against the longer of both.
The most frequent template leads; each further one joins the most similar leader, or leads itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_TOKEN = re.compile(r"<\*>|[A-Za-z0-9_]+|[^\sA-Za-z0-9_]")
_FIRST_CODE_POINT = 0x100
_SURROGATES = range(0xD800, 0xE000)
# Beyond this many leaders a further template only joins one with the same first token: comparing stays linear.
_MOST_LEADERS = 4_000


@dataclass(frozen=True)
class Cluster:
    """Templates that are alike."""

    leader: int
    """The most frequent template, by its place."""

    members: tuple[int, ...]
    """All of them, the leader first."""

    count: int
    """Records."""


def group(
    texts: Sequence[str], counts: Sequence[int], kinds: Sequence[int], threshold: float = 0.4
) -> tuple[Cluster, ...]:
    """The clusters of templates, largest first.

    `kinds` keeps apart what must not meet, whatever it looks like: an error never hides in a cluster of
    harmless lines.
    """
    from rapidfuzz import process  # noqa: PLC0415  only clustering needs it
    from rapidfuzz.distance import LCSseq  # noqa: PLC0415

    spelled = _as_code_points(texts)
    leaders: dict[int, list[int]] = {}
    spelled_leaders: dict[int, list[str]] = {}
    members: dict[int, list[int]] = {}
    for place in sorted(range(len(texts)), key=lambda place: (-counts[place], place)):
        kind = kinds[place]
        rivals = spelled_leaders.setdefault(kind, [])
        names = leaders.setdefault(kind, [])
        if rivals:
            likeness = process.cdist(
                [spelled[place]], rivals, scorer=LCSseq.normalized_similarity, dtype=np.float32
            )[0]
            nearest = int(likeness.argmax())
            if likeness[nearest] >= threshold:
                members[names[nearest]].append(place)
                continue
        members[place] = [place]
        if len(rivals) < _MOST_LEADERS:
            rivals.append(spelled[place])
            names.append(place)
    clusters = [
        Cluster(leader, tuple(places), sum(counts[place] for place in places))
        for leader, places in members.items()
    ]
    return tuple(sorted(clusters, key=lambda cluster: (-cluster.count, cluster.leader)))


def likeness(text: str, others: Sequence[str]) -> list[float]:
    """How alike a text is to each of some others, from 0.0 to 1.0."""
    from rapidfuzz import process  # noqa: PLC0415  only clustering needs it
    from rapidfuzz.distance import LCSseq  # noqa: PLC0415

    first, *rest = _as_code_points([text, *others])
    found = process.cdist([first], rest, scorer=LCSseq.normalized_similarity, dtype=np.float64)
    return [float(one) for one in found[0]]


def _as_code_points(texts: Sequence[str]) -> list[str]:
    """Each text with one character a token, so that a quick comparison of strings compares tokens."""
    codes: dict[str, str] = {}

    def code(token: str) -> str:
        known = codes.get(token)
        if known is None:
            number = _FIRST_CODE_POINT + len(codes)
            if number >= _SURROGATES.start:
                number += len(_SURROGATES)
            known = codes[token] = chr(min(number, 0x10FFFF))
        return known

    return ["".join(map(code, _TOKEN.findall(text))) for text in texts]
