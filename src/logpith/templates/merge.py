"""Patterns of one structure become fewer: where enough speaks for a value, its words become a wildcard.

Three rules are applied in turn until none changes anything: patterns that differ in one position; patterns
that are equal but for positions that look like values; patterns that a wider one covers.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from logpith.templates.canonical import WILDCARD
from logpith.templates.evidence import (
    LEANS_STRONGLY,
    LEANS_TO_A_VALUE,
    NAMES_A_VALUE,
    VARIABLE,
    context,
    is_variable,
    literals,
    looks_like_name,
)

Pattern = tuple[str, ...]

_MOST_ROUNDS = 6
_MOST_SAMPLES = 12
# A structure with more patterns than this holds free text: it shall collapse, not grow.
_MANY_PATTERNS = 2_000
_EASE_PER_DOUBLING = 0.3
# What letter-only words are known to be values from the start.
_KNOWN_VALUES = ("root", "admin")
_OFTEN_FIXED = 6


@dataclass
class Members:
    """What a pattern stands for."""

    count: int = 0
    samples: list[tuple[str | None, ...]] = field(default_factory=list)
    """Values at each word, of a few bodies."""

    shapes: list[int] = field(default_factory=list)

    wide: frozenset[int] = frozenset()
    """Positions at which a value may hold blanks: dates, sizes, quoted values."""

    def take(self, other: Members) -> None:
        """Makes the members of another pattern members of this one."""
        self.count += other.count
        self.shapes += other.shapes
        self.wide |= other.wide
        self.samples += other.samples[: max(0, _MOST_SAMPLES - len(self.samples))]


class Structure:
    """All patterns with the same delimiters."""

    def __init__(self, delimiters: tuple[str, ...]) -> None:
        self.delimiters = delimiters
        self.patterns: dict[Pattern, Members] = {}

    @property
    def positions(self) -> int:
        return len(self.delimiters) - 1

    def context(self, pattern: Pattern, position: int) -> float:
        """See `evidence.context`."""
        return context(self.delimiters, pattern, position)

    def reduce(self) -> None:
        """Merges until nothing changes."""
        if not self.positions:
            return
        for _ in range(_MOST_ROUNDS):
            if len(self.patterns) < 2:
                return
            before = len(self.patterns)
            changed = self._merge_at_one_position()
            changed |= self._merge_at_value_positions()
            changed |= self._absorb()
            if not changed and len(self.patterns) == before:
                return

    def replace(self, olds: Iterable[Pattern], new: Pattern) -> None:
        """Makes all members of `olds` members of `new`."""
        gathered = Members()
        for old in olds:
            members = self.patterns.pop(old, None)
            if members is not None:
                gathered.take(members)
        if new in self.patterns:
            self.patterns[new].take(gathered)
        else:
            self.patterns[new] = gathered

    @property
    def _threshold(self) -> float:
        excess = len(self.patterns) / _MANY_PATTERNS
        return VARIABLE - _EASE_PER_DOUBLING * math.log2(excess) if excess > 1 else VARIABLE

    def _merge_at_one_position(self) -> bool:
        changed = False
        for position in range(self.positions):
            alike: dict[Pattern, list[Pattern]] = defaultdict(list)
            for pattern in self.patterns:
                alike[pattern[:position] + pattern[position + 1 :]].append(pattern)
            for rest, patterns in alike.items():
                if len(patterns) < 2:
                    continue
                values = [pattern[position] for pattern in patterns]
                bits = self.context(patterns[0], position)
                if is_variable(bits, values, literals(rest), self._threshold):
                    self.replace(patterns, (*rest[:position], WILDCARD, *rest[position:]))
                    changed = True
        return changed

    def _merge_at_value_positions(self) -> bool:
        changed = False
        alike: dict[Pattern, list[Pattern]] = defaultdict(list)
        for pattern in self.patterns:
            alike[self._without_likely_values(pattern)].append(pattern)
        for fixed, patterns in alike.items():
            if len(patterns) < 2:
                continue
            first = patterns[0]
            differing = max(
                sum(ours != theirs for ours, theirs in zip(first, other, strict=True))
                for other in patterns[1:]
            )
            if literals(fixed) >= max(2, differing):
                columns = zip(*patterns, strict=True)
                self.replace(
                    patterns, tuple(words[0] if len(set(words)) == 1 else WILDCARD for words in columns)
                )
                changed = True
        return changed

    def _without_likely_values(self, pattern: Pattern) -> Pattern:
        return tuple(
            WILDCARD
            if word != WILDCARD
            and ((position > 0 and looks_like_name(word)) or self.context(pattern, position) >= NAMES_A_VALUE)
            else word
            for position, word in enumerate(pattern)
        )

    def _absorb(self) -> bool:
        """Takes patterns into wider ones that cover them."""
        changed = False
        by_word: dict[tuple[int, str], list[Pattern]] = defaultdict(list)
        for pattern in self.patterns:
            for position, word in enumerate(pattern):
                if word != WILDCARD:
                    by_word[position, word].append(pattern)
        for wide in [pattern for pattern in self.patterns if WILDCARD in pattern]:
            if wide not in self.patterns or literals(wide) < 2:
                continue
            # Whatever it covers has its words too: the rarest of them leaves the fewest to look at.
            fixed = [(position, word) for position, word in enumerate(wide) if word != WILDCARD]
            candidates = min((by_word[key] for key in fixed), key=len)
            covered = [
                other
                for other in candidates
                if other != wide and other in self.patterns and _covers(wide, other)
            ]
            taken = [other for other in covered if self._may_absorb(wide, other, len(covered))]
            if taken:
                self.replace([*taken, wide], wide)
                changed = True
        return changed

    def _may_absorb(self, wide: Pattern, other: Pattern, covered: int) -> bool:
        outweighs = self.patterns[wide].count >= 4 * covered
        return all(
            ours != WILDCARD
            or theirs in (WILDCARD, "")
            or outweighs
            or looks_like_name(theirs)
            or self.context(wide, position) >= LEANS_TO_A_VALUE
            for position, (ours, theirs) in enumerate(zip(wide, other, strict=True))
        )


def _covers(wide: Pattern, other: Pattern) -> bool:
    return all(ours in (WILDCARD, theirs) for ours, theirs in zip(wide, other, strict=True))


def propagate(structures: Sequence[Structure]) -> None:
    """Makes words slots where they stand like values and were seen as values elsewhere: heals what was seen once."""
    for _ in range(2):
        known, fixed = _letter_only_values(structures)
        changed = False
        for structure in structures:
            widened = {
                pattern: wide
                for pattern in structure.patterns
                if (wide := _with_known_values(structure, pattern, known, fixed)) != pattern
            }
            for pattern, wide in widened.items():
                structure.replace([pattern, wide] if wide in structure.patterns else [pattern], wide)
            if widened:
                structure.reduce()
                changed = True
        if not changed:
            return


def _letter_only_values(structures: Sequence[Structure]) -> tuple[set[str], dict[str, int]]:
    """Words of letters seen in slots whose context names a value; and in how many patterns each word is fixed."""
    known = set(_KNOWN_VALUES)
    fixed: dict[str, int] = defaultdict(int)
    for structure in structures:
        for pattern, members in structure.patterns.items():
            for position, word in enumerate(pattern):
                if word and word != WILDCARD:
                    fixed[word] += 1
                elif word and structure.context(pattern, position) >= LEANS_TO_A_VALUE:
                    values = (sample[position] for sample in members.samples if position < len(sample))
                    known.update(value for value in values if value and value.isalpha())
    return known, fixed


def _with_known_values(
    structure: Structure, pattern: Pattern, known: set[str], fixed: dict[str, int]
) -> Pattern:
    return tuple(
        WILDCARD
        if word in known
        and structure.context(pattern, position)
        >= (LEANS_TO_A_VALUE if fixed[word] <= _OFTEN_FIXED else LEANS_STRONGLY)
        else word
        for position, word in enumerate(pattern)
    )
