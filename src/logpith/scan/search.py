"""Finding a literal in a block: every place, with or without regard to ASCII case.

The scan looks for the literal's two rarest bytes (by how often bytes occur in logs) at their distance, and compares
the rest only there, which is how the quick tools do it. Among values many bytes are as frequent as any other: of hex
digits one alone stands nearly everywhere. Offsets of hits are translated to records by the caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logpith.scan.kernel import kernel
from logpith.scan.words import BYTE_KIND

# From frequent to rare in logs of all kinds; bytes not listed are rarer than all of these.
_FREQUENT = b' e0tai1on2rs3-:.5l4dc6/7m98pu"_,fgh=bvkyw[]{}()xIEqjzTNSRACDOLPFMWUBGHKVYXJQZ'


@dataclass(frozen=True)
class Literal:
    """What to look for."""

    text: bytes
    ignore_case: bool = False
    """ASCII letters only; `text` is then in small letters."""

    whole_words: bool = False
    """Whether no word byte (letter, digit, `_`, byte from 128 on) may touch a word byte at its ends."""


_ONE = np.uint64(1)
_STEP = np.uint64(64)


@kernel
def _fold(byte: int, fold: bool) -> int:
    return byte | 32 if fold and 65 <= byte <= 90 else byte


@kernel
def _next_of(
    buf: Any,
    start: Any,
    end: Any,
    one: Any,
    byte: Any,
    case: Any,
    other: Any,
    other_byte: Any,
    other_case: Any,
) -> Any:
    """The first place from `start` on and before `end` with a byte `one` behind it and another `other` behind it;
    `end` when there is none. `case` is the bit that does not count."""
    # Unsigned places, no way out of the inner loop, and the least of all instead of whether any is right: so the
    # compiler looks at many bytes at once.
    i = start
    while i + _STEP <= end:
        least = np.uint8(255)
        for k in range(64):
            place = i + np.uint64(k)
            wrong = (buf[place + one] | case) ^ byte
            wrong_too = (buf[place + other] | other_case) ^ other_byte
            least = min(least, np.uint8(wrong | wrong_too))
        if least == 0:
            break
        i += _STEP
    while i < end and ((buf[i + one] | case) != byte or (buf[i + other] | other_case) != other_byte):
        i += _ONE
    return i


@kernel
def _find(
    buf: Any,
    start: int,
    end: int,
    needle: Any,
    rare: Any,
    other: Any,
    fold: bool,
    whole_words: bool,
    starts: Any,
    ends: Any,
    hits: Any,
) -> Any:
    """Marks in `hits` each record (`starts` to `ends`, sorted) that holds the needle."""
    length = needle.shape[0]
    byte, other_byte = needle[rare], needle[other]
    case = np.uint8(32 if fold and 97 <= byte <= 122 else 0)
    other_case = np.uint8(32 if fold and 97 <= other_byte <= 122 else 0)
    record = 0
    count = ends.shape[0]
    i = np.uint64(start)
    behind_last = np.uint64(max(end - length + 1, start))
    while True:
        i = _next_of(buf, i, behind_last, rare, byte, case, other, other_byte, other_case)
        if i >= behind_last:
            return
        first = np.int64(i)
        same = True
        for k in range(length):
            if _fold(buf[first + k], fold) != needle[k]:
                same = False
                break
        if not same:
            i += _ONE
            continue
        while record < count and ends[record] < first + length:
            record += 1
        if record >= count:
            return
        if first < starts[record]:
            same = False
        elif whole_words:
            # Records may stand behind each other without anything between them.
            if first > starts[record] and BYTE_KIND[needle[0]] and BYTE_KIND[buf[first - 1]]:
                same = False
            behind = first + length
            if behind < ends[record] and BYTE_KIND[needle[length - 1]] and BYTE_KIND[buf[behind]]:
                same = False
        if not same:
            i += _ONE
            continue
        hits[record] = True
        i = max(i + _ONE, np.uint64(ends[record]))


def mark_records(
    buf: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64], literal: Literal
) -> NDArray[np.bool_]:
    """For each record of a block (from `starts` to `ends` in `buf`), whether it holds the literal."""
    hits = np.zeros(len(starts), np.bool_)
    if not len(starts):
        return hits
    if not literal.text:
        hits[:] = True
        return hits
    needle = np.frombuffer(literal.text, np.uint8)
    rare, other = _rarest(literal.text)
    _find(
        buf,
        int(starts[0]),
        int(ends[-1]),
        needle,
        np.uint64(rare),
        np.uint64(other),
        literal.ignore_case,
        literal.whole_words,
        starts,
        ends,
        hits,
    )
    return hits


def _rarest(text: bytes) -> tuple[int, int]:
    """The places of the two rarest bytes of a text, which are different bytes if it has such."""
    places = sorted(range(len(text)), key=lambda place: -rarity(text[place]))
    return places[0], next((place for place in places if text[place] != text[places[0]]), places[-1])


def rarity(byte: int) -> int:
    """How rarely a byte occurs in logs, as a rank."""
    place = _FREQUENT.find(bytes([byte]))
    return place if place >= 0 else len(_FREQUENT)
