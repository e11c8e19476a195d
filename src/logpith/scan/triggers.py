"""Which of many texts hold something that a rule of redaction asks about: one pass over all their bytes.

The rules of `logpith_emit.redaction` ask each text for a few small literals, some of them beside a long run of letters
or digits. All literals are looked for at once (Aho and Corasick, "Efficient String Matching", 1975, with the steps
written out for each state and class of bytes), and the runs are counted on the way. A text that is not marked cannot
match any rule; one that is marked is left to the rules themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logpith.scan.kernel import kernel

# What a rule asks for besides a literal, as bits.
ALONE = 1
BESIDE_WORD = 2
BESIDE_DIGITS = 4
_HAS_WORD = 8
_HAS_DIGITS = 16

_WORD_RUN = 16
_DIGIT_RUN = 14

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

_FOLDED_ALIKE = (b"\xe2\x84\xaa", b"\xc4\xb0")
"""Kelvin's sign and the capital I with a dot: the only characters beyond ASCII whose small letters are ASCII."""


@dataclass(frozen=True)
class Triggers:
    """The literals of some rules, ready to be looked for."""

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
        return cls(classes, steps, found, always, may_begin, bar)


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
    for text in range(starts.shape[0]):
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
) -> NDArray[np.bool_]:
    """For each text (from `starts` to `ends` in `buf`), whether a rule may match it."""
    marks = np.zeros(len(starts), np.bool_)
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
    return marks
