"""Families: templates with the same words that differ in signs and slots: optional parts, long values.

    close, <*> bytes sent, <*> bytes received, lifetime <*>
    close, <*> bytes (<*>) sent, <*> bytes received, lifetime <<*> sec

Such lines never have the same structure, so they are compared here, as texts, after all else is done. What stands
in quotes or brackets and units behind a value do not count as words; words that do count are never given up, since
the reason in `error <*>: permission denied` is what its reader looks for.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

LEAST_MEMBERS = 2
_LEAST_WORDS = 3
_MOST_CHARACTERS = 2_000

_VALUE = re.compile(r"\"[^\"]*\"|'[^']*'|\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\}")
_UNIT = re.compile(
    r"<\*> ?(?:ns|us|µs|ms|s|secs?|seconds?|mins?|minutes?|hours?|days?|bytes|[kmgt]i?b|%)\b", re.I
)
_WORD = re.compile(r"[^\W\d]\w*")


def find_families(texts: Sequence[str], counts: Sequence[int]) -> list[int]:
    """For each text the place of the one that leads its family, the most frequent; its own without a family."""
    leaders = list(range(len(texts)))
    families: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for place, text in enumerate(texts):
        if len(text) <= _MOST_CHARACTERS:
            words = _fixed_words(text)
            if len(words) >= _LEAST_WORDS:
                families[words].append(place)
    for places in families.values():
        if len(places) >= LEAST_MEMBERS:
            leader = max(places, key=lambda place: (counts[place], texts[place]))
            for place in places:
                leaders[place] = leader
    return leaders


def _fixed_words(text: str) -> tuple[str, ...]:
    """The words of a template that stand outside of values."""
    return tuple(_WORD.findall(_UNIT.sub("<*>", _VALUE.sub(" ", text))))
