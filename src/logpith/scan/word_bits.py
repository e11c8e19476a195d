"""Word signatures: which words stand among the values of a block of rows, so that most blocks need not be read.

A Bloom filter for each block, all of one size and stored bit by bit across the blocks: asking for a word reads a few
short rows, whatever the number of blocks. It may say yes by chance and never no by mistake. ASCII capitals count as
small letters. Short words, and numbers of few digits, stand nearly everywhere and are not kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logpith.scan.kernel import kernel
from logpith.scan.words import BYTE_KIND

LEAST_WORD = 4
LEAST_NUMBER = 5
"""Bytes of the shortest word that is kept, and digits of the shortest number."""

BITS_PER_WORD = 12
HASHES = 5
"""With 5 hashes, 12 bits a word let about 0.5 % of absent words look present in a block (Bloom 1970); the fullest
block decides the size for all, so most blocks let less through."""

_OFFSET = np.uint64(14695981039346656037)
_PRIME = np.uint64(1099511628211)
_LOW = np.uint64(0xFFFFFFF)
_ONE = np.uint64(1)
_HIGH_BITS = np.uint64(28)
_MIX = np.uint64(0xD6E8FEB86659FD93)
_HALF = np.uint64(32)


@kernel
def _mix(state: Any) -> Any:
    state ^= state >> _HALF
    state *= _MIX
    return max(state ^ (state >> _HALF), _ONE)


@kernel
def _words(values: Any, offsets: Any, low: int, high: int, slots: Any) -> Any:
    """Adds the words of the values of some rows to an empty set; how many it has then, or -1 when it is too small."""
    mask = slots.shape[0] - 1
    most = slots.shape[0] // 2
    count = 0
    for row in range(low, high):
        i = offsets[row]
        start = i
        end = offsets[row + 1]
        while i < end:
            kind = BYTE_KIND[values[i]]
            if kind == 0:
                i += 1
                continue
            begin = i
            # What stands behind a backslash may be the letter of an escape, and the word begins behind it.
            escaped = i > start and values[i - 1] == 92
            skipped = 5 if values[i] == 117 else 1
            state = _OFFSET
            inner = _OFFSET
            is_number = True
            while i < end:
                byte = values[i]
                kind = BYTE_KIND[byte]
                if kind == 0:
                    break
                if kind == 2:
                    is_number = False
                    if 65 <= byte <= 90:
                        byte = byte | np.uint8(32)
                state = (state ^ np.uint64(byte)) * _PRIME
                if escaped and i - begin >= skipped:
                    inner = (inner ^ np.uint64(byte)) * _PRIME
                i += 1
            length = i - begin
            for turn in range(2 if escaped else 1):
                size = length - skipped if turn == 1 else length
                # Of what stands behind an escape it is not known whether it is a number.
                if size < LEAST_WORD or (is_number and turn == 0 and size < LEAST_NUMBER):
                    continue
                key = _mix(inner if turn == 1 else state)
                slot = np.int64(key & np.uint64(mask))
                while slots[slot] != 0 and slots[slot] != key:
                    slot = (slot + 1) & mask
                if slots[slot] == 0:
                    if count >= most:
                        return -1
                    slots[slot] = key
                    count += 1
    return count


@kernel
def _set_bits(slots: Any, block: int, bits: Any) -> None:
    size = np.uint64(bits.shape[0])
    for i in range(slots.shape[0]):
        key = slots[i]
        if key == 0:
            continue
        step = (key >> _HIGH_BITS) | _ONE
        place = key & _LOW
        for _ in range(HASHES):
            bits[np.int64(place % size), block >> 3] |= np.uint8(1 << (block & 7))
            place += step


def word_bits(values: NDArray[np.uint8], offsets: NDArray[np.int64], block_rows: int) -> NDArray[np.uint8]:
    """(bits, bytes of blocks): the signature of the values of rows, `block_rows` of them a block.

    `offsets` tells where the values of each row begin, and where those of the last end.
    """
    rows = len(offsets) - 1
    blocks = -(-rows // block_rows)
    sets: list[NDArray[np.uint64]] = []
    slots = np.zeros(1 << 15, np.uint64)
    for first in range(0, rows, block_rows):
        slots[:] = 0
        while _words(values, offsets, first, min(first + block_rows, rows), slots) < 0:
            slots = np.zeros(len(slots) * 2, np.uint64)
        sets.append(slots[slots != 0])
    most = max(map(len, sets), default=0)
    bits = np.zeros((max(64, most * BITS_PER_WORD), (blocks + 7) // 8), np.uint8)
    for block, words in enumerate(sets):
        _set_bits(words, block, bits)
    return bits


def is_kept(word: bytes) -> bool:
    """Whether a word, made of word bytes alone, is one that signatures know."""
    return len(word) >= (LEAST_NUMBER if word.isdigit() else LEAST_WORD)


def may_hold_words(bits: NDArray[np.uint8], blocks: int, words: Sequence[bytes]) -> NDArray[np.bool_]:
    """For each block whether all of some words, in any case of letters, may stand among its values."""
    size = len(bits)
    found = np.full(bits.shape[1], 0xFF, np.uint8)
    for word in words:
        if is_kept(word):
            key = _key(word.lower())
            step = key >> 28 | 1
            for turn in range(HASHES):
                found &= bits[((key & 0xFFFFFFF) + turn * step) % (1 << 64) % size]
    return np.unpackbits(found, bitorder="little")[:blocks].view(np.bool_)


def _key(word: bytes) -> int:
    state = int(_OFFSET)
    for byte in word:
        state = (state ^ byte) * int(_PRIME) % (1 << 64)
    state ^= state >> 32
    state = state * int(_MIX) % (1 << 64)
    return max(state ^ (state >> 32), 1)


# ── Letters ─────────────────────────────────────────────────────────────────────────────────────────────────

LETTERS_BYTES = 26**3 // 8


@kernel
def _mark_letters(values: Any, start: int, end: int, bits: Any) -> None:
    before: Any = -1  # the two letters before, as a number; below 0 where there are none
    one: Any = -1
    for i in range(np.uint64(start), np.uint64(end)):
        letter = np.int64(values[i] | 32) - 97
        if letter < 0 or letter > 25:
            before = one = -1
            continue
        if before >= 0:
            run = before * 26 + letter
            bits[run >> 3] |= np.uint8(1 << (run & 7))
        before = one * 26 + letter if one >= 0 else -1
        one = letter


def letter_bits(values: NDArray[np.uint8], offsets: NDArray[np.int64], block_rows: int) -> NDArray[np.uint8]:
    """(blocks, LETTERS_BYTES): which runs of three letters stand among the values of each block, in any case.

    Values are numbers, ids and paths more than prose, so a part of a word is often in no block at all.
    """
    rows = len(offsets) - 1
    firsts = range(0, rows, block_rows)
    bits = np.zeros((len(firsts), LETTERS_BYTES), np.uint8)
    for block, first in enumerate(firsts):
        end = int(offsets[min(first + block_rows, rows)])
        _mark_letters(values, int(offsets[first]), end, bits[block])
    return bits


def may_hold_letters(bits: NDArray[np.uint8], text: bytes) -> NDArray[np.bool_]:
    """For each block whether all of a text may stand among its values, as far as its letters tell."""
    found = np.ones(len(bits), np.bool_)
    folded = text.lower()
    for place in range(len(folded) - 2):
        run = 0
        for byte in folded[place : place + 3]:
            run = run * 26 + byte - 97 if run >= 0 and 97 <= byte <= 122 else -1
        if run >= 0:
            found &= (bits[:, run >> 3] >> (run & 7) & 1).astype(np.bool_)
    return found
