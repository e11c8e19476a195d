"""How much speaks for a position being a value: general knowledge of how programs write logs, in numbers.

The numbers are bits, roughly: two values at a position are one bit, and at VARIABLE bits a position is a slot.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from logpith.templates.canonical import CLOSING, OPENING, WILDCARD

VARIABLE = 2.2
"""From this score on a position is variable."""

NAMES_A_VALUE = 1.9
"""Context from which on a position is a slot even where only one value was seen."""

LEANS_TO_A_VALUE = 0.6
"""Context that a preposition gives."""

LEANS_STRONGLY = 1.3
"""Context that a noun gives which takes a value."""

# A noun in front of its value: `user anna`, `host: db1`, `queue (mail)`.
_TAKES_VALUE = frozenset(
    "user username uid account login host hostname rhost server node domain file filename path directory dir "  # noqa: SIM905  reads as the list it is
    "device interface module service name id session client address addr process job task table database db "
    "queue topic container pod image volume partition key group role ip url uri command cmd program app package "
    "class".split()
)
_PREPOSITIONS = frozenset(("for", "from", "by", "to", "at", "of", "on", "in", "with", "as"))
_ODD_SIGN = re.compile(r"[\d_.@$/\\-]")


def looks_like_name(word: str) -> bool:
    """Whether a word looks like an identifier and not like a word of a language."""
    return _ODD_SIGN.search(word) is not None


def context(delimiters: Sequence[str], words: Sequence[str], position: int) -> float:
    """What the surroundings of a position say, whatever stands there."""
    bits = 0.0
    before, behind = delimiters[position], delimiters[position + 1]
    last = before[-1:]
    if last == "=" or (before[-2:-1] == "=" and last in OPENING):
        bits += 2.0
    elif before == ":":
        bits += 1.0
    if last and last in OPENING and behind[:1] == CLOSING[OPENING.index(last)]:
        bits += 1.0
    if position == 0:
        return bits - 1.0
    if before in (" ", ": ") or (last and last in "(\"'["):
        noun = words[position - 1].lower()
        if noun in _TAKES_VALUE:
            bits += LEANS_STRONGLY
        elif noun in _PREPOSITIONS:
            bits += LEANS_TO_A_VALUE
    return bits


def literals(words: Sequence[str]) -> int:
    """Words among these that stand fast and begin with a letter: what makes a pattern more than its holes."""
    return sum(1 for word in words if word != WILDCARD and word[:1].isalpha())


def is_variable(context_bits: float, values: Sequence[str], fixed_words: int, threshold: float) -> bool:
    """Whether a position is a slot at which, between otherwise equal patterns, all of `values` stand.

    `fixed_words` is the number of literals in the rest of the pattern.
    """
    plain = [value for value in values if value not in (WILDCARD, "")]
    names = sum(map(looks_like_name, plain))
    has_wildcard = WILDCARD in values
    if has_wildcard and names == len(plain) and fixed_words >= 1:
        return True
    if fixed_words == 0:
        return False
    score = context_bits + math.log2(len(values))
    if plain:
        score += 1.5 * names / len(plain)
        if all(word.isupper() and len(word) > 1 for word in plain):
            score += 0.6  # constants in capitals: states, methods, protocols
    if has_wildcard:
        score += 1.0
    if fixed_words == 1:
        score -= 0.8
    return score >= threshold
