"""Signatures: which runs of three and four bytes occur in a piece of text, so that most pieces need not be read.

A literal can only occur where all of its runs do. Runs are hashed to a fixed number of bits, so a signature may
say yes by chance and never no by mistake. ASCII capitals count as small letters. Runs of bytes, not words: what
people look for are parts of words too, and a pattern's literals begin and end anywhere.

A signature of a mebibyte of text takes 40 KiB. In logs of services about 12 % of its bits are set, so a literal
of ten bytes that does not occur passes by chance in one piece of some millions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from logpith.scan.kernel import kernel

FOUR_BITS = 18
THREE_BITS = 16
SIGNATURE_BYTES = ((1 << FOUR_BITS) + (1 << THREE_BITS)) // 8

LONGEST = 64
"""How many bytes of a literal are looked at: a piece's signature knows so many bytes of the piece behind it."""

_FOLD = np.arange(256, dtype=np.uint8)
_FOLD[65:91] += 32
_FOUR = np.uint32(0x9E3779B1)
_THREE = np.uint32(0x85EBCA77)


@kernel
def _mark(buf: Any, start: int, end: int, fours: Any, threes: Any) -> None:
    run = np.uint32(0)
    for i in range(start, min(end, start + 2)):
        run = np.uint32((run << np.uint32(8)) | _FOLD[buf[i]])
    for i in range(start + 2, end):
        run = np.uint32((run << np.uint32(8)) | _FOLD[buf[i]])
        threes[np.uint32((run & np.uint32(0xFFFFFF)) * _THREE) >> np.uint32(32 - THREE_BITS)] = 1
        if i > start + 2:
            fours[np.uint32(run * _FOUR) >> np.uint32(32 - FOUR_BITS)] = 1


def signature(buf: NDArray[np.uint8], start: int, end: int, stop: int) -> NDArray[np.uint8]:
    """The signature of `buf[start:end]`, with what a literal that begins in it may reach of `buf[:stop]`."""
    fours = np.zeros(1 << FOUR_BITS, np.uint8)
    threes = np.zeros(1 << THREE_BITS, np.uint8)
    _mark(buf, start, min(end + LONGEST, stop), fours, threes)
    return np.packbits(np.concatenate([fours, threes]), bitorder="little")


def may_hold(signatures: NDArray[np.uint8], literal: bytes) -> NDArray[np.bool_]:
    """For each signature (pieces, SIGNATURE_BYTES), whether its piece may hold the literal, in any case of letters."""
    possible = np.ones(len(signatures), np.bool_)
    folded = _FOLD[np.frombuffer(literal[:LONGEST], np.uint8)].astype(np.uint32)
    for place in sorted(_places(folded)):
        bit = np.uint8(1 << (place % 8))
        possible &= (signatures[:, place // 8] & bit) != 0
        if not possible.any():
            break
    return possible


def _places(folded: NDArray[np.uint32]) -> set[int]:
    """The bits of a literal; none for one that is shorter than a run."""
    places: set[int] = set()
    if len(folded) < 3:
        return places
    # Four bytes say all that the three in them do; the threes are for literals of three bytes.
    if len(folded) == 3:
        run = (folded[0] << 16) | (folded[1] << 8) | folded[2]
        return {(1 << FOUR_BITS) + (int(run) * int(_THREE) % (1 << 32) >> (32 - THREE_BITS))}
    for place in range(len(folded) - 3):
        four = folded[place : place + 4]
        run = (four[0] << 24) | (four[1] << 16) | (four[2] << 8) | four[3]
        places.add(int(run) * int(_FOUR) % (1 << 32) >> (32 - FOUR_BITS))
    return places
