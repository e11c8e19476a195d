"""Families: templates with the same words that differ in signs and slots, or in parts that come and go.

    close, <*> bytes sent, <*> bytes received, lifetime <*>
    close, <*> bytes (<*>) sent, <*> bytes received, lifetime <<*> sec

Such lines never have the same structure, so they are compared here, as texts, after all else is done. What stands
in quotes or brackets and units behind a value do not count as words.

Words that do count are given up in one case only. `call failed` and `call failed: quota exceeded` are two templates,
since what was added is what a reader looks for. But parts that come and go independently of each other were written
by one statement with conditions in it, as in a firewall's `IN=<*> DF PROTO=<*> MARK=<*>`, where `DF` and `MARK=` are
seen alone, together and not at all. So five templates or more are a family when each two of them differ by inserted
words alone, never by one word in the place of another, and no inserted word tells of a failure.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from difflib import SequenceMatcher

LEAST_MEMBERS = 2
LEAST_WITH_OPTIONAL_WORDS = 5
_LEAST_WORDS = 3
_LEAST_SHARED = 0.6
_FIRST_WORDS = 2
_MOST_CHARACTERS = 2_000
# Comparing is quadratic among templates with the same first words; beyond this many only the frequent ones are.
_MOST_COMPARED = 60

_VALUE = re.compile(r"\"[^\"]*\"|'[^']*'|\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\}")
_UNIT = re.compile(
    r"<\*> ?(?:ns|us|µs|ms|s|secs?|seconds?|mins?|minutes?|hours?|days?|bytes|[kmgt]i?b|%)\b", re.I
)
_WORD = re.compile(r"[^\W\d]\w*")

# What a reader looks for is never optional.
_TELLING = frozenset(
    "no not never none without fail fails failed failure error errors fault denied refused rejected forbidden "  # noqa: SIM905  reads as the list it is
    "invalid illegal unknown unable cannot could missing lost timeout timed expired exceeded aborted cancelled "
    "killed died down exception fatal panic critical warning retry retrying".split()
)

Words = tuple[str, ...]


def find_families(texts: Sequence[str], counts: Sequence[int]) -> list[int]:
    """For each text the place of the one that leads its family, the most frequent; its own without a family."""
    leaders = list(range(len(texts)))
    families: dict[Words, list[int]] = defaultdict(list)
    for place, text in enumerate(texts):
        if len(text) <= _MOST_CHARACTERS:
            words = _fixed_words(text)
            if len(words) >= _LEAST_WORDS:
                families[words].append(place)
    for places in _with_optional_words(families, counts):
        if len(places) >= LEAST_MEMBERS:
            leader = max(places, key=lambda place: (counts[place], texts[place]))
            for place in places:
                leaders[place] = leader
    return leaders


def _with_optional_words(families: dict[Words, list[int]], counts: Sequence[int]) -> list[list[int]]:
    """The families, those joined that differ in words that come and go independently."""
    weights = {words: sum(counts[place] for place in places) for words, places in families.items()}
    by_start: dict[Words, list[Words]] = defaultdict(list)
    for words in families:
        by_start[words[:_FIRST_WORDS]].append(words)
    joined = []
    for alike in by_start.values():
        alike.sort(key=lambda words: (-weights[words], words))
        for group in _groups(alike[:_MOST_COMPARED]):
            joined.append([place for words in group for place in families[words]])
        joined += [families[words] for words in alike[_MOST_COMPARED:]]
    return joined


def _groups(alike: list[Words]) -> list[list[Words]]:
    """The words of templates that begin alike, grouped; most stay alone."""
    groups: list[list[Words]] = []
    if len(alike) < LEAST_WITH_OPTIONAL_WORDS:
        return [[words] for words in alike]
    for words in alike:
        fitting = (group for group in groups if all(_only_inserted(words, other) for other in group))
        group = next(fitting, None)
        if group is None:
            groups.append([words])
        else:
            group.append(words)
    return [
        part
        for group in groups
        for part in ([group] if _is_conditional(group) else [[words] for words in group])
    ]


def _only_inserted(one: Words, other: Words) -> bool:
    """Whether two templates differ by inserted words alone that tell of no failure, and share most of their words."""
    least = _LEAST_SHARED * max(len(one), len(other))
    if min(len(one), len(other)) < least:
        return False
    shared = _shared_start(one, other)
    one, other = one[shared:], other[shared:]
    behind = _shared_start(one[::-1], other[::-1])
    one, other = one[: len(one) - behind], other[: len(other) - behind]
    shared += behind
    if not (one and other):
        return shared >= least and not any(word.lower() in _TELLING for word in one or other)
    # Their first words differ: one of them is inserted only if the other comes later; so with their last words.
    if any(one[end] not in other and other[end] not in one for end in (0, -1)):
        return False
    at, there = 0, 0
    for block in SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks():
        if block.a > at and block.b > there:
            return False  # one word in the place of another
        if any(word.lower() in _TELLING for word in (*one[at : block.a], *other[there : block.b])):
            return False
        shared += block.size
        at, there = block.a + block.size, block.b + block.size
    return shared >= least


def _shared_start(one: Words, other: Words) -> int:
    """How many words both begin with."""
    length = 0
    for ours, theirs in zip(one, other, strict=False):
        if ours != theirs:
            break
        length += 1
    return length


def _is_conditional(group: Sequence[Words]) -> bool:
    """Whether words come and go independently: of two sets of them neither is always within the other."""
    if len(group) < LEAST_WITH_OPTIONAL_WORDS:
        return False
    common = frozenset[str].intersection(*map(frozenset, group))
    added = sorted({frozenset(words) - common for words in group}, key=len)
    return any(not small <= large for place, small in enumerate(added) for large in added[place + 1 :])


def _fixed_words(text: str) -> tuple[str, ...]:
    """The words of a template that stand outside of values."""
    return tuple(_WORD.findall(_UNIT.sub("<*>", _VALUE.sub(" ", text))))
