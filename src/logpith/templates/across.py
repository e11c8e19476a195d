"""Patterns of different structures that are one template: lists of different length, optional parts in brackets."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from logpith.templates.canonical import CLOSING, WILDCARD
from logpith.templates.families import find_families
from logpith.templates.merge import Members, Pattern
from logpith.templates.regex import Form
from logpith.templates.slots import render

_OPTIONAL_PART = re.compile(r" ?\((?:<\*>[ ,]*)*\)")
_WORD = re.compile(r"[A-Za-z]{2,}")
_LEAST_WORDS = 3
_BETWEEN_ITEMS = (" ", ", ", ",")
_LONGEST_ITEM = 4


@dataclass(frozen=True)
class Mined:
    """A template with the pattern that it is written from; of several patterns the most frequent."""

    text: str
    typed: str
    count: int
    shapes: tuple[int, ...]
    forms: tuple[Form, ...]
    """All patterns that are this template."""


Merged = tuple[tuple[str, ...], Pattern, Members]
"""Delimiters, words and members of a pattern."""


def join_structures(patterns: Iterable[Merged]) -> list[Mined]:
    """The templates of all patterns; no two have the same text."""
    by_fold: dict[str, list[Merged]] = defaultdict(list)
    for merged in patterns:
        by_fold[_folded(merged[0], merged[1])].append(merged)
    shared_names = _without_optional_parts(by_fold)
    joined: dict[str, list[Mined]] = defaultdict(list)
    for fold, members in by_fold.items():
        shared_name = shared_names.get(fold)
        for written in _written(fold, members):
            joined[shared_name or written.text].append(written)
    mined = [_one(parts) for parts in _by_text(_one(parts) for parts in joined.values())]
    leaders = find_families([one.text for one in mined], [one.count for one in mined])
    families: dict[int, list[Mined]] = defaultdict(list)
    for leader, one in zip(leaders, mined, strict=True):
        families[leader].append(one)
    return [_one(members) for members in families.values()]


def _folded(delimiters: Sequence[str], words: Pattern) -> str:
    """The text of a pattern with lists as their first item: `<*> <*> <*>`, `<*>=<*>, <*>=<*>`, `<*> (up) <*> (up)`."""
    tokens = list(zip(delimiters, ("<*>" if word == WILDCARD else word for word in words), strict=False))
    kept: list[tuple[str, str]] = []
    place = 0
    while place < len(tokens):
        kept.append(tokens[place])
        place += 1
        for length in range(1, min(_LONGEST_ITEM, len(kept), len(tokens) - place) + 1):
            if kept[-length][1] == tokens[place][1]:
                start = place
                while _is_next_item(kept[-length:], tokens[place : place + length]):
                    place += length
                if place > start:
                    break
    return "".join(part for token in kept for part in token) + delimiters[-1]


def _is_next_item(item: Sequence[tuple[str, str]], following: Sequence[tuple[str, str]]) -> bool:
    """Whether what follows a list's item is another one: the same words, holding a value, behind a comma or blank."""
    if len(following) < len(item):
        return False
    (before, word), *inside = item
    (separator, other), *others = following
    is_list = separator == before or separator.lstrip(CLOSING) in _BETWEEN_ITEMS
    return word == other and is_list and inside == others and any(text == "<*>" for _, text in item)


def _written(fold: str, members: Sequence[Merged]) -> Iterable[Mined]:
    """One template for a fold of several lengths; else each pattern as it stands."""
    lengths = {len(delimiters) for delimiters, _, _ in members}
    for delimiters, words, pattern_members in members:
        text = render(delimiters, words, pattern_members.samples)
        typed = render(delimiters, words, pattern_members.samples, typed=True)
        if len(lengths) > 1:
            text = typed = fold.strip()
        form = Form(delimiters, words, pattern_members.wide)
        yield Mined(text, typed, pattern_members.count, tuple(sorted(pattern_members.shapes)), (form,))


def _without_optional_parts(by_fold: dict[str, list[Merged]]) -> dict[str, str]:
    """For each fold that differs from others only in bracketed values, the name that they share."""
    alike: dict[str, list[str]] = defaultdict(list)
    for fold in by_fold:
        bare = _OPTIONAL_PART.sub("", fold)
        if len(_WORD.findall(bare)) >= _LEAST_WORDS:
            alike[bare].append(fold)
    return {fold: f"\0{bare}" for bare, folds in alike.items() if len(folds) > 1 for fold in folds}


def _one(parts: Sequence[Mined]) -> Mined:
    """Several templates as one, written as the most frequent."""
    if len(parts) == 1:
        return parts[0]
    leader = max(parts, key=lambda mined: (mined.count, mined.text))
    return Mined(
        leader.text,
        leader.typed,
        sum(mined.count for mined in parts),
        tuple(sorted(shape for mined in parts for shape in mined.shapes)),
        tuple(form for mined in parts for form in mined.forms),
    )


def _by_text(templates: Iterable[Mined]) -> Iterable[list[Mined]]:
    same: dict[str, list[Mined]] = defaultdict(list)
    for mined in templates:
        same[mined.text].append(mined)
    return same.values()
