"""The value of one named field in each record: of a JSON object, or written key=value as logfmt and many plain logs do.

Finds what `corpus/view.py` finds by parsing each record, some hundred times as quickly: it follows quotes, brackets
and signs and builds nothing. Where following is not enough (escapes, a name that comes twice, letters that may be
blanks in Unicode) it says ASK, and the record is parsed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logpith.scan.json_fields import nested_end
from logpith.scan.kernel import kernel
from logpith.scan.names import NameTable, fold_byte, look_up, name_table

ABSENT = 0
TEXT = 1  # as it stands
BARE = 2  # a JSON number or truth value
ASK = 3

MAX_DEPTH = 8
_LONGEST_KEY = 64
_LONGEST_NUMBER = 64
_DOT = 46
_LEFT_OUT = b"_-. /:$@"
"""What `normalised` leaves out of a key."""

_STOPS = np.zeros(256, np.bool_)
_STOPS[:32] = True
_STOPS[[34, 92]] = True
_ONE = np.uint64(1)
_OFFSET = np.uint64(14695981039346656037)
_PRIME = np.uint64(1099511628211)


@dataclass(frozen=True)
class FieldName:
    """A name to look for, and other spellings of it, which count where the name itself has no value."""

    exact: np.uint64
    spellings: NameTable
    """Without case and separators (`logpith_emit.record.normalised`), by rank from 1 on, the lowest first."""

    borders: NDArray[np.uint32]
    """For each first byte of such a name the last ones, as bits of 32: most keys are left out by these two."""

    @classmethod
    def of(cls, name: str, spellings: Mapping[str, int]) -> FieldName:
        """A name and the ranks of its normalised spellings."""
        state = int(_OFFSET)
        for byte in name.encode("utf-8", "surrogateescape"):
            state = ((state ^ byte) * int(_PRIME)) & 0xFFFF_FFFF_FFFF_FFFF
        borders = np.zeros(256, np.uint32)
        for spelled in (name, *spellings):
            folded = spelled.encode("utf-8", "surrogateescape").lower().translate(None, _LEFT_OUT)
            if folded:
                borders[folded[0]] |= np.uint32(1 << (folded[-1] & 31))
        return cls(np.uint64(state), name_table(spellings), borders)


@kernel
def _is_separator(byte: Any) -> Any:
    """Whether `normalised` leaves a byte out: one of `_-. /:$`, and `@` but for the shortest keys."""
    return byte == 95 or byte == 45 or byte == 46 or byte == 32 or byte == 47 or byte == 58 or byte == 36


@kernel
def _first_letter(buf: Any, start: int, end: int) -> Any:
    """The first byte of a key that `normalised` leaves in it, as a small letter; 0 when there is none."""
    i = start
    while i < end and (_is_separator(buf[i]) or buf[i] == 64):
        i += 1
    if i >= end:
        return 0
    return np.int64(buf[i]) | 32 if 65 <= buf[i] <= 90 else np.int64(buf[i])


@kernel
def _may_be(buf: Any, start: int, end: int, first: Any, borders: Any) -> Any:
    """Whether a key whose path begins with the letter `first` may be one of the names, by its last letter."""
    i = end - 1
    while i >= start and (_is_separator(buf[i]) or buf[i] == 64):
        i -= 1
    if first == 0 or i < start:
        return True
    last = buf[i] & 31  # of a capital and its small letter the same
    return (borders[first] >> np.uint32(last)) & np.uint32(1) != 0


@kernel
def _exact(buf: Any, start: int, end: int, state: Any) -> Any:
    for i in range(start, end):
        state = (state ^ np.uint64(buf[i])) * _PRIME
    return state


@kernel
def _rank(
    buf: Any, start: int, end: int, exact: Any, plain: Any, inside: bool, wanted: Any, keys: Any, ranks: Any
) -> Any:
    """The rank of the key `buf[start:end]` below `plain` (the hash of what it stands in), -1 when it is none.

    `exact` is the hash of what it stands in as it is spelled.
    """
    if _exact(buf, start, end, exact) == wanted:
        return 0
    length = 0
    for i in range(start, end):
        length += not _is_separator(buf[i])
    keeps_mark = not inside and length <= 3 and buf[start] == 64
    for i in range(start, end):
        if not _is_separator(buf[i]) and (keeps_mark or buf[i] != 64):
            plain = fold_byte(plain, buf[i])
    rank = look_up(keys, ranks, plain)
    return rank if rank > 0 else -1


@kernel
def _string_stop(buf: Any, i: Any, end: Any) -> Any:
    """The first place from `i` on where a JSON string may end: a quote, a backslash, a control byte, or `end`."""
    # Unsigned places spare a test for negative ones at each byte.
    place = np.uint64(i)
    behind = np.uint64(end)
    while place < behind and not _STOPS[buf[place]]:
        place += _ONE
    return np.int64(place)


@kernel
def _digits_end(buf: Any, i: int, end: int) -> int:
    while i < end and 48 <= buf[i] <= 57:
        i += 1
    return i


@kernel
def _is_bare(buf: Any, start: int, end: int) -> bool:
    """Whether it is a number as JSON writes it, of a usual length, or `true` or `false`."""
    if buf[start] == 116:
        return end - start == 4 and buf[start + 1] == 114 and buf[start + 2] == 117 and buf[start + 3] == 101
    if buf[start] == 102:
        return (
            end - start == 5
            and buf[start + 1] == 97
            and buf[start + 2] == 108
            and buf[start + 3] == 115
            and buf[start + 4] == 101
        )
    i = start + (buf[start] == 45)
    behind = _digits_end(buf, i, end)
    if behind == i or (buf[i] == 48 and behind > i + 1) or end - start > _LONGEST_NUMBER:
        return False
    i = behind
    if i < end and buf[i] == 46:
        behind = _digits_end(buf, i + 1, end)
        if behind == i + 1:
            return False
        i = behind
    if i < end and (buf[i] | 32) == 101:
        i += 1
        if i < end and (buf[i] == 43 or buf[i] == 45):
            i += 1
        behind = _digits_end(buf, i, end)
        if behind == i:
            return False
        i = behind
    return i == end


@kernel
def _in_json(
    buf: Any,
    start: int,
    end: int,
    wanted: Any,
    keys: Any,
    ranks: Any,
    borders: Any,
    found: Any,
    exacts: Any,
    plains: Any,
    firsts: Any,
) -> Any:
    """ABSENT, TEXT, BARE or ASK for one JSON object; `found` gets the span. The last three are room to work."""
    exacts[0] = _OFFSET
    plains[0] = _OFFSET
    firsts[0] = 0
    depth = 0
    best = 1 << 30
    kind = ABSENT
    i = start + 1
    while i < end:
        byte = buf[i]
        if byte in (32, 9, 44, 13, 10):
            i += 1
            continue
        if byte == 125:
            i += 1
            if depth == 0:
                while i < end and buf[i] in (32, 9, 13, 10):
                    i += 1
                return kind if i >= end else ASK
            depth -= 1
            continue
        if byte != 34:
            return ASK
        i += 1
        key = i
        i = _string_stop(buf, i, end)
        if i < end and buf[i] != 34:
            return ASK
        key_end = i
        i += 1
        while i < end and buf[i] in (32, 9, 10, 13):
            i += 1
        if i >= end or buf[i] != 58:
            return ASK
        i += 1
        while i < end and buf[i] in (32, 9, 10, 13):
            i += 1
        if i >= end:
            return ASK
        letter = firsts[depth] if firsts[depth] else _first_letter(buf, key, key_end)
        rank = -1
        if _may_be(buf, key, key_end, letter, borders):
            rank = _rank(buf, key, key_end, exacts[depth], plains[depth], depth > 0, wanted, keys, ranks)
        byte = buf[i]
        first = i
        if byte == 123:
            behind = i + 1
            while behind < end and buf[behind] in (32, 9, 10, 13):
                behind += 1
            if rank == best:
                return ASK
            if behind < end and buf[behind] == 125:  # an empty object is no value
                i = behind + 1
                continue
            if depth >= MAX_DEPTH:
                return ASK
            plain = plains[depth]
            for k in range(key, key_end):
                if not _is_separator(buf[k]) and buf[k] != 64:
                    plain = fold_byte(plain, buf[k])
            exact = _exact(buf, key, key_end, exacts[depth])
            depth += 1
            exacts[depth] = (exact ^ np.uint64(_DOT)) * _PRIME
            plains[depth] = plain
            firsts[depth] = letter
            i += 1
            continue
        this = ASK
        if byte == 34:
            i += 1
            first = i
            this = TEXT
            i = _string_stop(buf, i, end)
            while i < end and buf[i] == 92:
                this = ASK
                i = _string_stop(buf, i + 2, end)
            if i >= end or buf[i] != 34:
                return ASK
            last = i
            i += 1
            if last == first:
                if rank == best:
                    return ASK
                continue
        elif byte == 91:
            i = nested_end(buf, i, end)
            if i < 0:
                return ASK
            last = i
        else:
            while i < end and buf[i] not in (44, 125, 32, 9, 10, 13):
                if buf[i] in (34, 58, 91, 93, 123):
                    return ASK
                i += 1
            last = i
            if not (48 <= byte <= 57 or byte == 45 or byte == 116 or byte == 102 or byte == 110):
                return ASK
            if byte == 110:
                if last - first != 4:
                    return ASK
                if rank == best:
                    return ASK
                continue
            this = BARE
        if rank < 0:
            continue
        if this == BARE and not _is_bare(buf, first, last):
            this = ASK
        if rank == best or (this == ASK and rank <= best):
            return ASK
        if rank < best:
            best = rank
            kind = this
            found[0] = first
            found[1] = last
    return ASK


@kernel
def _is_blank(byte: Any) -> Any:
    """A blank as Python's `\\s` has it, in ASCII."""
    return byte == 32 or 9 <= byte <= 13 or 28 <= byte <= 31


@kernel
def _opens_pair(byte: Any) -> Any:
    """Whether a key may stand behind a byte: a blank or one of `,;([{`."""
    return _is_blank(byte) or byte == 44 or byte == 59 or byte == 40 or byte == 91 or byte == 123


@kernel
def _in_key(byte: Any) -> Any:
    return (
        97 <= byte <= 122
        or 65 <= byte <= 90
        or 48 <= byte <= 57
        or byte == 95
        or byte == 46
        or byte == 64
        or byte == 47
        or byte == 45
        or byte >= 128
    )


@kernel
def _in_pairs(
    buf: Any, start: int, end: int, wanted: Any, keys: Any, ranks: Any, borders: Any, found: Any
) -> Any:
    """ABSENT, TEXT or ASK for one record of key=value pairs; `found` gets the span.

    Reads as `corpus.view` does: key and value may be joined by `=` only, a value may be quoted.
    """
    best = 1 << 30
    kind = ABSENT
    doubt = False
    has_sign = False
    i = start
    may_open = True
    while i < end:
        byte = buf[i]
        if not (may_open and (97 <= (byte | 32) <= 122 or byte == 95 or byte == 64)):
            may_open = _opens_pair(byte)
            has_sign = has_sign or byte == 61
            # The first bytes of all blanks that Unicode has beyond ASCII.
            doubt = doubt or byte in (0xC2, 0xE1, 0xE2, 0xE3)
            i += 1
            continue
        key = i
        is_ascii = True
        while i < end and _in_key(buf[i]):
            is_ascii = is_ascii and buf[i] < 128
            i += 1
        if i >= end or buf[i] != 61 or i - key > _LONGEST_KEY:
            doubt = doubt or not is_ascii
            may_open = False
            continue
        if not is_ascii:
            return ASK
        has_sign = True
        key_end = i
        i += 1
        this = TEXT
        first = i
        last = i
        if i < end and buf[i] == 34:
            close = i + 1
            while close < end and buf[close] != 34:
                if buf[close] == 92:
                    this = ASK
                    close += 1
                close += 1
            if close < end:
                first = i + 1
                last = close
                i = close + 1
            elif this == ASK:
                return ASK  # a backslash may stand before a line's end, which no quoted value goes beyond
        else:
            while i < end and not (
                _is_blank(buf[i])
                or buf[i] == 44
                or buf[i] == 59
                or buf[i] == 41
                or buf[i] == 93
                or buf[i] == 125
                or buf[i] == 34
            ):
                doubt = doubt or buf[i] in (0xC2, 0xE1, 0xE2, 0xE3)
                i += 1
            last = i
        may_open = False
        if not _may_be(buf, key, key_end, _first_letter(buf, key, key_end), borders):
            continue
        rank = _rank(buf, key, key_end, _OFFSET, _OFFSET, False, wanted, keys, ranks)
        if rank < 0:
            continue
        if rank == best or (this == ASK and rank <= best):
            return ASK
        if last == first:
            if rank <= best:
                return ASK
            continue
        if rank < best:
            best = rank
            kind = this
            found[0] = first
            found[1] = last
    return ASK if doubt and has_sign else kind


@kernel
def _find_values(
    buf: Any,
    starts: Any,
    ends: Any,
    wanted: Any,
    keys: Any,
    ranks: Any,
    borders: Any,
    spans: Any,
    kinds: Any,
    exacts: Any,
    plains: Any,
    firsts: Any,
) -> None:
    for record in range(starts.shape[0]):
        start, end = starts[record], ends[record]
        opening = start
        while opening < end and _is_blank(buf[opening]):
            opening += 1
        if opening < end and buf[opening] == 123:
            kinds[record] = _in_json(
                buf, opening, end, wanted, keys, ranks, borders, spans[record], exacts, plains, firsts
            )
        else:
            kinds[record] = _in_pairs(buf, start, end, wanted, keys, ranks, borders, spans[record])


def find_values(
    buf: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64], name: FieldName
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """For each record of a block what is known of the field, and where its value stands: (records, 2)."""
    kinds = np.zeros(len(starts), np.uint8)
    spans = np.zeros((len(starts), 2), np.int64)
    room = np.empty((2, MAX_DEPTH + 1), np.uint64)
    _find_values(
        buf,
        starts,
        ends,
        name.exact,
        name.spellings.keys,
        name.spellings.values,
        name.borders,
        spans,
        kinds,
        room[0],
        room[1],
        np.empty(MAX_DEPTH + 1, np.int64),
    )
    return kinds, spans
