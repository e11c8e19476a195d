"""Which of many texts hold something that a rule of redaction asks about: one pass over all their bytes.

The rules of `logpith_emit.redaction` ask each text for a few small literals, some of them beside a long run of letters
or digits. A text that is not marked cannot match any rule; one that is marked is left to the rules themselves.

It is done in two steps. The first leaves out most texts: of each literal it looks for the three bytes in a row that are
rarest in logs, by three tables that say of a byte for which literals it may stand first, second and third, so that no
byte waits for the one before; and it looks at every other byte for runs of digits. In what is left all literals are
looked for at once (Aho and Corasick, "Efficient String Matching", 1975, with the steps written out for each state and
class of bytes), and the runs are counted on the way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logpith.scan.kernel import kernel
from logpith.scan.search import rarity

# What a rule asks for besides a literal, as bits.
ALONE = 1
BESIDE_WORD = 2
BESIDE_DIGITS = 4
_HAS_WORD = 8
_HAS_DIGITS = 16

_WORD_RUN = 16
_DIGIT_RUN = 14

_GRAM = 3

# Kinds of bytes.
_OTHER = 0
_LETTER = 1
_DIGIT = 2
_HYPHEN = 3  # of a word, and between digits
_BLANK = 4  # between digits

_KINDS = np.zeros(256, np.uint8)
for _byte in range(128):
    if chr(_byte).isalpha() or _byte == 95:
        _KINDS[_byte] = _LETTER
    elif chr(_byte).isdigit():
        _KINDS[_byte] = _DIGIT
_KINDS[45] = _HYPHEN
_KINDS[32] = _BLANK
_IN_ROW = np.where((_KINDS == _DIGIT) | (_KINDS == _HYPHEN) | (_KINDS == _BLANK), np.int64(-1), np.int64(0))

_SURE = 1
_IN_DOUBT = 2
_ONE = np.uint64(1)
_TWO = np.uint64(2)

_FOLDED_ALIKE = (b"\xe2\x84\xaa", b"\xc4\xb0")
"""Kelvin's sign and the capital I with a dot: the only characters beyond ASCII whose small letters are ASCII."""


@dataclass(frozen=True)
class Triggers:
    """The literals of some rules, ready to be looked for."""

    literals: tuple[str, ...]

    classes: NDArray[np.uint8]
    """Of each byte; capitals as their small letters."""

    steps: NDArray[np.uint16]
    """(state, class) → state."""

    found: NDArray[np.uint8]
    """What has been found in a state, as bits of ALONE, BESIDE_WORD, BESIDE_DIGITS."""

    always: int
    """The bits of rules that ask for no literal."""

    heads: NDArray[np.bool_]
    """Which bytes may begin digits in a row."""

    bars: NDArray[np.bool_]
    """Behind which bytes none begins."""

    grams: NDArray[np.uint64]
    """(place in a gram, byte) → the grams that have it there, a bit each."""

    needs: NDArray[np.uint64]
    """The grams that each literal holds; `ways` says what the literal must stand beside."""

    ways: NDArray[np.uint8]

    @classmethod
    def of(
        cls,
        literals: Mapping[int, Sequence[str]],
        always: int = 0,
        *,
        heads: str = "0123456789",
        bars: str = "",
    ) -> Triggers:
        """The literals in small letters by what must stand beside them."""
        wanted = [(literal.encode(), bit) for bit, texts in literals.items() for literal in texts]
        wanted += [(literal, ALONE) for literal in _FOLDED_ALIKE]
        classes = np.zeros(256, np.uint8)
        for number, byte in enumerate(sorted({byte for literal, _ in wanted for byte in literal}), 1):
            classes[byte] = number
        for capital in range(65, 91):
            classes[capital] = classes[capital + 32]
        steps, found = _machine(wanted, classes)
        may_begin, bar = np.zeros(256, np.bool_), np.zeros(256, np.bool_)
        may_begin[list(heads.encode())] = True
        bar[list(bars.encode())] = True
        texts = tuple(literal.decode() for literal, _ in wanted[: -len(_FOLDED_ALIKE)])
        return cls(texts, classes, steps, found, always, may_begin, bar, *_grams(wanted))

    def within(self, seen: int) -> tuple[str, ...] | None:
        """The literals that a text may hold in which these grams were seen; None when it may be any of them."""
        held = [seen & need == need for need in self.needs.tolist()]
        if any(held[len(self.literals) :]):
            return None
        return tuple(literal for literal, may_be in zip(self.literals, held, strict=False) if may_be)


def _grams(
    wanted: Sequence[tuple[bytes, int]],
) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint8]]:
    """What `Triggers` calls grams, needs and ways. Where there are more than 64 grams, some share a bit."""
    grams = np.zeros((_GRAM, 256), np.uint64)
    needs = np.zeros(len(wanted), np.uint64)
    known: dict[bytes, np.uint64] = {}
    for number, (literal, _) in enumerate(wanted):
        for gram in _rarest(literal):
            bit = known.setdefault(gram, np.uint64(1) << np.uint64(len(known) % 64))
            needs[number] |= bit
            for place in range(_GRAM):
                if place >= len(gram):  # behind a short literal stands anything
                    grams[place] |= bit
                    continue
                byte = gram[place]
                grams[place, [byte, byte - 32] if 97 <= byte <= 122 else byte] |= bit
    return grams, needs, np.array([way for _, way in wanted], np.uint8)


def _rarest(literal: bytes) -> list[bytes]:
    """The gram of a literal that is rarest in logs, and the rarest of those that do not touch it."""
    places = sorted(
        range(max(1, len(literal) - _GRAM + 1)), key=lambda at: -sum(map(rarity, literal[at : at + _GRAM]))
    )
    others = [at for at in places if abs(at - places[0]) >= _GRAM]
    return [literal[at : at + _GRAM] for at in (places[0], *others[:1])]


def _machine(
    wanted: Sequence[tuple[bytes, int]], classes: NDArray[np.uint8]
) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """The states of a machine that has read the longest beginning of a literal, and what they have found."""
    children: list[dict[int, int]] = [{}]
    found = [0]
    for literal, bit in wanted:
        state = 0
        for byte in literal:
            step = int(classes[byte])
            if step not in children[state]:
                children[state][step] = len(children)
                children.append({})
                found.append(0)
            state = children[state][step]
        found[state] |= bit
    width = int(classes.max()) + 1
    steps = np.zeros((len(children), width), np.uint16)
    shorter = [0] * len(children)
    waiting = list(children[0].values())
    for step, child in children[0].items():
        steps[0, step] = child
    for state in waiting:
        found[state] |= found[shorter[state]]
        steps[state] = steps[shorter[state]]
        for step, child in children[state].items():
            shorter[child] = int(steps[state, step])
            steps[state, step] = child
            waiting.append(child)
    return steps, np.array(found, np.uint8)


@kernel
def _has_row(buf: Any, start: Any, end: Any, heads: Any, bars: Any) -> bool:
    """Whether there is a run of digits between two unsigned places, as `_mark` counts them."""
    steps = 0
    i = start
    while i < end:
        steps = (steps + 1) & _IN_ROW[buf[i]]
        if steps < _DIGIT_RUN // 2:
            i += _TWO
            continue
        while i > start and _IN_ROW[buf[i - _ONE]]:
            i -= _ONE
        last = buf[i - _ONE] if i > start else 0
        steps = 0
        digits = 0
        in_row = 0
        before = 0
        earlier = 0
        while i < end and _IN_ROW[buf[i]]:
            byte = buf[i]
            if _KINDS[byte] == _DIGIT:
                digits += 1
                if in_row > 0 or (digits == 1 and heads[byte] and not bars[last]):
                    in_row += 1
                if in_row >= _DIGIT_RUN or (digits >= 4 and earlier >= 4 and (before == 4 or before == 6)):
                    return True
            else:
                earlier = before if digits > 0 else 0
                before = digits
                digits = 0
                in_row = 0
            last = byte
            i += _ONE
    return False


@kernel
def _may_mark(
    buf: Any,
    starts: Any,
    ends: Any,
    grams: Any,
    needs: Any,
    ways: Any,
    always: int,
    heads: Any,
    bars: Any,
    marks: Any,
    grams_seen: Any,
) -> None:
    """Tells SURE, IN_DOUBT or neither of each text."""
    # Unsigned places: the compiler tests no byte's for being negative.
    behind_grams = np.uint64(max(buf.shape[0] - _GRAM + 1, 0))
    for text in range(starts.shape[0]):
        start = np.uint64(starts[text])
        end = np.uint64(ends[text])
        behind = min(end, behind_grams)
        seen = np.uint64(0)
        # A gram may end in the next text, which marks one too many.
        for i in range(start, behind):
            seen |= grams[0, buf[i]] & grams[1, buf[i + _ONE]] & grams[2, buf[i + _TWO]]
        for i in range(max(start, behind), end):
            second = grams[1, buf[i + _ONE]] if i + _ONE < end else grams[1, 0]
            seen |= grams[0, buf[i]] & second & grams[2, 0]
        grams_seen[text] = seen
        asked = always & (ALONE | BESIDE_WORD)
        if seen != 0:
            for k in range(needs.shape[0]):
                if seen & needs[k] == needs[k]:
                    asked |= ways[k]
        marks[text] = _IN_DOUBT if asked else 0
        if always & BESIDE_DIGITS and _has_row(buf, start, end, heads, bars):
            marks[text] = _SURE


@kernel
def _mark(
    buf: Any,
    starts: Any,
    ends: Any,
    classes: Any,
    steps: Any,
    found: Any,
    always: int,
    heads: Any,
    bars: Any,
    marks: Any,
) -> None:
    """Decides of each text in doubt."""
    for text in range(starts.shape[0]):
        if marks[text] != _IN_DOUBT:
            continue
        seen = always
        state = 0
        word = 0
        digits = 0
        in_row = 0  # digits behind a first one that may begin a row
        before = 0  # digits of the group before, with one blank or hyphen between
        earlier = 0  # and of the one before that
        last = 0
        for i in range(starts[text], ends[text]):
            byte = buf[i]
            state = steps[state, classes[byte]]
            seen |= found[state]
            if seen & ALONE:
                break
            kind = _KINDS[byte]
            if kind == _LETTER:
                word += 1
                digits = 0
                in_row = 0
                before = 0
                earlier = 0
            elif kind == _DIGIT:
                word += 1
                digits += 1
                if in_row > 0 or (digits == 1 and heads[byte] and not bars[last]):
                    in_row += 1
                if in_row >= _DIGIT_RUN or (digits >= 4 and earlier >= 4 and (before == 4 or before == 6)):
                    seen |= _HAS_DIGITS
            else:
                word = word + 1 if kind == _HYPHEN else 0
                if kind != _OTHER and digits > 0:
                    earlier = before
                    before = digits
                else:
                    before = 0
                    earlier = 0
                digits = 0
                in_row = 0
            if word >= _WORD_RUN:
                seen |= _HAS_WORD
            last = byte
        marks[text] = (
            (seen & ALONE) != 0
            or ((seen & BESIDE_WORD) != 0 and (seen & _HAS_WORD) != 0)
            or ((seen & BESIDE_DIGITS) != 0 and (seen & _HAS_DIGITS) != 0)
        )


def mark_suspects(
    buf: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64], triggers: Triggers
) -> tuple[NDArray[np.bool_], NDArray[np.uint64]]:
    """For each text (from `starts` to `ends` in `buf`), whether a rule may match it, and the grams seen in it."""
    marks = np.zeros(len(starts), np.uint8)
    seen = np.zeros(len(starts), np.uint64)
    _may_mark(
        buf,
        starts,
        ends,
        triggers.grams,
        triggers.needs,
        triggers.ways,
        triggers.always,
        triggers.heads,
        triggers.bars,
        marks,
        seen,
    )
    _mark(
        buf,
        starts,
        ends,
        triggers.classes,
        triggers.steps,
        triggers.found,
        triggers.always,
        triggers.heads,
        triggers.bars,
        marks,
    )
    return marks == _SURE, seen
