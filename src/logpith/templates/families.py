"""Families: templates that begin alike and differ in optional parts, or in values of several words.

    close, <*> bytes sent, <*> bytes received, lifetime <*>
    close, <*> bytes (<*> KB) sent, <*> bytes received, lifetime <<*> sec

Such lines never have the same structure, so they are compared here, as texts, after all else is done. That many
begin alike is the evidence: below LEAST_MEMBERS two templates that differ are two templates.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

LEAST_MEMBERS = 5
_HEAD_WORDS = 2
_LEAST_SHARED_WORDS = 3
_LEAST_SHARE = 0.6
_MOST_OPTIONAL_WORDS = 0
_MOST_VALUE_WORDS = 6
# Comparing is quadratic in a family: beyond this many only the most frequent lead.
_MOST_LEADERS = 50
_MOST_TOKENS = 160

SLOT = "<*>"
_TOKEN = re.compile(r"<\*>|\w+|[^\w\s]")
_SIGNS_BEFORE_VALUES = frozenset("=\"'([{")


@dataclass(frozen=True)
class _Text:
    place: int
    tokens: tuple[str, ...]

    @property
    def words(self) -> int:
        return _words(self.tokens)


def find_families(texts: Sequence[str], counts: Sequence[int]) -> list[int]:
    """For each text the place of the text whose family it belongs to; its own when it belongs to none."""
    leaders = list(range(len(texts)))
    by_head: dict[tuple[str, ...], list[_Text]] = defaultdict(list)
    for place, text in enumerate(texts):
        tokens = tuple(_TOKEN.findall(text))
        head = tuple(token for token in tokens if token[0].isalpha())[:_HEAD_WORDS]
        if len(head) == _HEAD_WORDS and len(tokens) <= _MOST_TOKENS:
            by_head[head].append(_Text(place, tokens))
    for members in by_head.values():
        if len(members) >= LEAST_MEMBERS:
            for follower, leader in _joined(
                sorted(members, key=lambda one: (-counts[one.place], texts[one.place]))
            ):
                leaders[follower] = leader
    return leaders


def _joined(members: Sequence[_Text]) -> Iterator[tuple[int, int]]:
    """Each member with the first one before it that it goes with."""
    leaders: list[_Text] = []
    for member in members:
        leader = next((one for one in leaders if _go_together(one, member)), None)
        if leader is not None:
            yield member.place, leader.place
        elif len(leaders) < _MOST_LEADERS:
            leaders.append(member)


def _go_together(one: _Text, other: _Text) -> bool:
    matcher = SequenceMatcher(None, one.tokens, other.tokens, autojunk=False)
    shared = 0
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            shared += _words(one.tokens[a:b])
        elif not _may_differ(one.tokens, other.tokens, (a, b), (c, d)):
            return False
    return shared >= max(_LEAST_SHARED_WORDS, _LEAST_SHARE * max(one.words, other.words))


def _may_differ(
    one: Sequence[str], other: Sequence[str], mine: tuple[int, int], theirs: tuple[int, int]
) -> bool:
    """Whether a place at which two texts differ is an optional part, or a value."""
    left, right = one[slice(*mine)], other[slice(*theirs)]
    words_left, words_right = _words(left), _words(right)
    if not words_left and not words_right:
        return True
    if not words_left or not words_right:
        part = right or left
        is_part = any(token == SLOT or token in "=([{" for token in part)
        return is_part and max(words_left, words_right) <= _MOST_OPTIONAL_WORDS
    before = one[mine[0] - 1] if mine[0] else ""
    return before in _SIGNS_BEFORE_VALUES and max(words_left, words_right) <= _MOST_VALUE_WORDS


def _words(tokens: Sequence[str]) -> int:
    return sum(token[0].isalpha() for token in tokens)
